package quota

import "slices"

// instants say what was spent on a meter before each of the last seconds in which money
// was, so that periods of seconds and minutes can change as well, between two marks of the
// history, and however late an answer tells its cost. Where there are more than fit, the
// ones that begin a period of instantUnits at present stay; of others what two seconds
// spent is told as the earlier one's. A period that begins between counts all of that:
// money of the present one is never lost.
//
// They are numbers of 8 bytes, little endian: the second since 1970 in the upper 40 bits,
// for how many more seconds money is told as its own in the lower 24; then what was spent
// in all before it. Unused ones are zero. They lie in the meter's record as they are: most
// requests only copy it.
type instants [maxInstants * 16]byte

// maxInstants is one for each of instantUnits, the newest, and what was before them.
const maxInstants = len(instantUnits) + 3

// instantUnits are the periods that are exact whatever is spent how often, in seconds.
var instantUnits = [...]int64{60, 30, 20, 15, 10}

// instantReach is how long ago a period may have begun to be found, in seconds.
const instantReach = 120

const instantSpan = 24 // bits

func (a *instants) second(i int) int64 { return at8(a[:], 2*i) >> instantSpan }
func (a *instants) spent(i int) int64  { return at8(a[:], 2*i+1) }

// last is the last second whose money is told as that of the instant.
func (a *instants) last(i int) int64 {
	n := at8(a[:], 2*i)
	return n>>instantSpan + n&(1<<instantSpan-1)
}

func (a *instants) put(i int, second, last, spent int64) {
	second = max(second, last-(1<<instantSpan-1))
	put8(a[:], 2*i, second<<instantSpan|(last-second))
	put8(a[:], 2*i+1, spent)
}

func (a *instants) len() int {
	n := 0
	for n < maxInstants && at8(a[:], 2*n) != 0 {
		n++
	}
	return n
}

// first is the first instant from a second on, of n.
func (a *instants) first(second int64, n int) int {
	i := n
	for i > 0 && a.second(i-1) >= second {
		i--
	}
	return i
}

// note counts money for a moment, before which total was spent if it is the newest.
//
//go:noinline
func (a *instants) note(at, cost, total int64) {
	second, n := at/1000, a.len()
	i := a.first(second+1, n)
	if i < n {
		total = a.spent(i)
	}
	for j := i; j < n; j++ {
		put8(a[:], 2*j+1, max(0, plus(a.spent(j), cost)))
	}
	if i > 0 && second <= a.last(i-1) {
		return
	}
	if n == maxInstants {
		gone := a.needless(max(second, a.second(n-1)))
		if gone > 0 {
			a.put(gone-1, a.second(gone-1), a.last(gone), a.spent(gone-1))
		}
		copy(a[16*gone:], a[16*(gone+1):])
		if n--; gone < i {
			i--
		}
		if i > 0 && second <= a.last(i-1) {
			clear(a[16*n:])
			return
		}
	}
	copy(a[16*(i+1):], a[16*i:16*n])
	a.put(i, second, second, total)
}

// needless is which one makes room: the oldest where it is over, else one that begins
// none of the present periods. The newest always stays.
func (a *instants) needless(now int64) int {
	if a.second(1) <= now-instantReach {
		return 0
	}
	for i := 1; i < maxInstants-1; i++ {
		if !slices.ContainsFunc(instantUnits[:], func(unit int64) bool {
			begin := now - now%unit
			return a.last(i-1) < begin && begin <= a.second(i)
		}) {
			return i
		}
	}
	return 1
}

// before is what was spent before a moment, if total was in all; false if that is not
// known any more.
func (a *instants) before(at, now, total int64) (int64, bool) {
	n := a.len()
	if n == 0 || at < now-instantReach*1000 {
		return 0, false
	}
	i := a.first(at/1000, n)
	switch {
	case i > 0 && at/1000 <= a.last(i-1):
		return min(total, a.spent(i-1)), true
	case i == n:
		return total, true
	}
	return min(total, a.spent(i)), true
}
