package quota

// A Cap is a limit that may be absent: the zero Cap limits nothing.
type Cap struct {
	Limited bool
	Max     int64 // at least 0
}
