package period

// Offset gives the offset in force at a moment in seconds since 1970, and from and
// until when.
func (l *Location) Offset(at int64) (offset, since, until int64) { return l.offset(at) }
