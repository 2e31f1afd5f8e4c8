package hostsim

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A schedule lets many actors run in turn, one at a time. It is how an
// interleaving of workers becomes a value: the same seed gives the same one.
type schedule struct {
	rng     *rand.Rand
	actors  []*actor
	current *actor
	picks   []int
	failure any           // what an actor panicked with
	done    chan struct{} // closed when the last actor has ended
}

// An actor is one goroutine of a schedule.
type actor struct {
	id    int
	turn  chan struct{}
	wants *worker // the worker that it waits for
	ended bool
}

// Interleave runs the actors to their end, each on a goroutine of its own but
// only one at a time. At every shared-data and queue call of a guest, and
// whenever an actor enters or leaves a worker, a generator with this seed
// picks who moves next, so that every interleaving at the grain of host calls
// can come up, and the same seed gives the same one again. A worker runs one
// callback at a time, whoever calls: an actor that finds its worker busy
// waits.
//
// The returned picks are the numbers of the actors in the order in which they
// moved. Actors may do anything with the Host but call Interleave, and must not
// wait for each other by other means. At most one of them may call Advance.
// A panic in an actor is raised again here.
func (h *Host) Interleave(seed uint64, actors ...func()) (picks []int) {
	if len(actors) == 0 {
		return nil
	}
	s := &schedule{rng: rand.New(rand.NewPCG(seed, 0)), done: make(chan struct{})}
	for i := range actors {
		s.actors = append(s.actors, &actor{id: i, turn: make(chan struct{}, 1)})
	}
	if !h.schedule.CompareAndSwap(nil, s) {
		panic("BUG: hostsim: Interleave called while another one runs")
	}
	for i, run := range actors {
		go func() {
			a := s.actors[i]
			<-a.turn
			defer func() {
				if r := recover(); r != nil && s.failure == nil {
					s.failure = r
				}
				a.ended = true
				s.pass()
			}()
			run()
		}()
	}
	s.pass()
	<-s.done
	h.schedule.Store(nil)
	if s.failure != nil {
		panic(s.failure)
	}
	return s.picks
}

// pass gives the turn to one of the actors that can move. The caller is the
// actor that has it, which goes on only when the turn comes back.
func (s *schedule) pass() {
	var ready []*actor
	left := false
	for _, a := range s.actors {
		if a.ended {
			continue
		}
		left = true
		if a.wants == nil || a.wants.holder == nil {
			ready = append(ready, a)
		}
	}
	if !left {
		close(s.done)
		return
	}
	if len(ready) == 0 {
		panic("BUG: hostsim: no actor can move: " + s.describe())
	}
	next := ready[s.rng.IntN(len(ready))]
	s.picks = append(s.picks, next.id)
	s.current = next
	next.turn <- struct{}{}
}

// yield lets somebody else move, perhaps.
func (s *schedule) yield() {
	a := s.current
	s.pass()
	<-a.turn
}

// enter waits until w is free and takes it for the current actor.
func (s *schedule) enter(w *worker) {
	a := s.current
	if w.holder == a {
		panic("BUG: hostsim: an actor entered a worker that it is in")
	}
	a.wants = w
	s.yield()
	a.wants = nil
	w.holder = a
}

// leave gives w back.
func (s *schedule) leave(w *worker) {
	w.holder = nil
	s.yield()
}

func (s *schedule) describe() string {
	var b strings.Builder
	for _, a := range s.actors {
		if !a.ended && a.wants != nil {
			fmt.Fprintf(&b, "actor %d waits for worker %d held by actor %d; ", a.id, a.wants.id, a.wants.holder.id)
		}
	}
	return b.String()
}
