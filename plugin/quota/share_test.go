package quota

import (
	"testing"

	"fairshare/plugin/unit"
)

// Near the minute's end what is kept for each small taker is less than its
// request. The large one does not get it, and who comes first of the small ones
// finds it whole.
func TestSmallTakersFindTheLastCrumbs(t *testing.T) {
	play(t, tpm(1500), nil, []act{
		{0, "ask", 1, 30, "ok"},
		{0, "ask", 2, 30, "ok"},
		{0, "ask", 3, 30, "ok"},
		{0, "ask", 4, 30, "ok"},
		{0, "ask", 9, 300, "ok"},
		{57, "ask", 9, 1020, "ok"}, // 60 are left: 15 for each of the small ones
		{57, "ask", 9, 30, "tpm caller 0 model 60 active 5 retry 2"},
		{57, "ask", 1, 30, "ok"},
		{57, "ask", 2, 30, "ok"},
		{57, "ask", 3, 30, "tpm caller 0 model 0 active 5 retry 3"},
	})
	// The 15 that are kept for key 4 are a request of its own and no crumb.
	play(t, tpm(1500), nil, []act{
		{0, "ask", 1, 30, "ok"},
		{0, "ask", 2, 30, "ok"},
		{0, "ask", 3, 30, "ok"},
		{0, "ask", 4, 10, "ok"},
		{0, "ask", 9, 300, "ok"},
		{57, "ask", 9, 1040, "ok"},
		{57, "ask", 1, 30, "ok"},
		{57, "ask", 2, 30, "tpm caller 15 model 30 active 5 retry 2"},
		{57, "ask", 4, 10, "ok"},
	})
	// Who has had its share is not served from them.
	play(t, tpm(1500), nil, []act{
		{0, "ask", 1, 290, "ok"},
		{0, "ask", 2, 30, "ok"},
		{0, "ask", 3, 30, "ok"},
		{0, "ask", 4, 30, "ok"},
		{0, "ask", 9, 300, "ok"},
		{57, "ask", 9, 765, "ok"},
		{57, "ask", 1, 30, "tpm caller 10 model 55 active 5 retry 2"},
		{57, "ask", 2, 30, "ok"},
	})
}

// Six keys share 60. Two begin with more than their tenth: the first is lent from
// what the others keep, the second would leave them less than their parts.
func TestFirstRequestsAreLentOneAtATime(t *testing.T) {
	play(t, tpm(60), nil, []act{
		{0, "ask", 1, 1, "ok"},
		{0, "ask", 2, 1, "ok"},
		{0, "ask", 3, 1, "ok"},
		{0, "ask", 4, 1, "ok"},
		{0, "ask", 5, 20, "ok"},
		{0, "ask", 6, 20, "tpm caller 10 model 36 active 5 retry 7"},
		{0, "ask", 1, 9, "ok"},
		{0, "ask", 2, 9, "ok"},
		{0, "ask", 3, 9, "ok"},
		{0, "ask", 4, 9, "ok"},
	})
}

// A first request of less than a share, but of more than what the caller can still
// use of that at its rate, is not lent: in the next minute there is room for it.
func TestLateFirstRequestIsNotLent(t *testing.T) {
	play(t, tpm(60), nil, []act{
		{0, "ask", 1, 1, "ok"},
		{0, "ask", 2, 29, "ok"},
		{45, "ask", 2, 22, "ok"}, // of what is left 7.5 are kept for the first
		{45, "ask", 3, 6, "tpm caller 5 model 8 active 2 retry 9"},
		{45, "ask", 1, 5, "ok"},
	})
	halves := reserve(100, 500_000, 500_000, 0)
	halves.Pools.GraceMS = 0
	play(t, halves, byTens, []act{
		{0, "ask", 1, 1, "ok"},
		{45, "ask", 20, 74, "ok"}, // borrows all but 12.5 for each of the others
		{45, "ask", 10, 20, "tpm caller 12 model 25 active 2 retry 9"},
		{45, "ask", 1, 12, "ok"},
		{45, "ask", 10, 12, "ok"},
	})
}

// A part of 81 and one of 9, of 90 in all, and every request takes 20: so four
// fit. If the small one's first is one of them, as it has to be some time, the
// large one gets three, which is more than a request less than its part.
func TestNotEveryPartIsWholeBesideALargeRequest(t *testing.T) {
	play(t, reserve(90, 900_000, 100_000), byTens, []act{
		{0, "ask", 10, 20, "ok"},
		{0, "ask", 1, 20, "ok"},
		{0, "ask", 1, 20, "ok"},
		{0, "ask", 1, 20, "ok"},
		{0, "ask", 1, 20, "tpm caller 10 model 10 active 2 retry 60"},
		{0, "ask", 10, 1, "tpm caller 0 model 10 active 2 retry 60"},
	})
}

// What several answers together may take beyond their mean grows with the root of
// their number: the first holds its full room, later ones less and less.
func TestEstimatesBesideOthersHoldLess(t *testing.T) {
	var l Learned
	for i := range 400 {
		l.add(unit.Tokens(100+200*(i%2)), -1)
	}
	ask := Ask{TextBytes: 40, MaxOutput: 4000, Capped: true}
	sum, before := int64(0), int64(1<<40)
	for n := range int64(100) {
		var e estimate
		ask.estimate(l, l, &Prompts{}, 100_000, true, n, &e)
		alone, beside := e.output, e.beside
		if n == 0 && beside != alone || int64(beside) > before || int64(beside) < 200 || alone < 580 {
			t.Fatalf("beside %d others: %d, alone %d, the one before %d", n, beside, alone, before)
		}
		before = int64(beside)
		sum += before
	}
	// 100 answers of about 200 each, and the room of ten.
	mean, room := int64(l.within(0)), int64(l.within(4)-l.within(0))
	if want := 100*mean + 10*room; sum < want-100 || sum > want+100 {
		t.Errorf("100 hold %d together, want about %d", sum, want)
	}

	few := Learned{}
	few.add(100, -1)
	var e estimate
	if ask.estimate(few, few, &Prompts{}, 100_000, true, 50, &e); e.beside != e.output {
		t.Errorf("after one answer: %d beside others, %d alone", e.beside, e.output)
	}
}
