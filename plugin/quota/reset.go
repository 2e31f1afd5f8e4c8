package quota

// Reset empties a group's minute for all keys, with the debt in it, and forgets what was
// learned of its answers and prompts. Requests in flight keep what they hold, and settle
// as they would have. The totals stay.
func (l *Ledger) Reset(now int64, t *Terms) error {
	for l.begin(t); l.read(now); l.swap() {
		l.buf.reset()
	}
	return l.err
}

func (r record) reset() {
	for _, at := range [...]int{atRequests, atUsed, atPrevUsed, atRefusedTokens, atRefusedRequests} {
		r.set(at, 0)
	}
	clear(r[atLearned:atKey])
	for line := r.first(); line < r.end(); line += lineSize {
		r.set(line+lineUsed, 0)
		r.set4(line+lineCount, 0)
		r.set4(line+lineRefused, 0)
		clear(r[line+lineLearned : line+linePool])
		clear(r[line+lineMarks : line+lineSize])
	}
}
