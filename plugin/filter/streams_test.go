package filter

import "testing"

func TestTableFindsEveryStreamUntilItIsTaken(t *testing.T) {
	t.Parallel()
	var streams table
	if streams.find(7) != nil || streams.take(7) != nil {
		t.Fatal("an empty table has a stream")
	}
	// Numbers one after the other, as Envoy gives them; far apart, as Kong's
	// root contexts have; and many in one row.
	var ids []uint32
	for i := range uint32(300) {
		ids = append(ids, i, 1<<31+i*7919, i<<16)
	}
	want := map[uint32]*stream{}
	for _, id := range ids {
		if want[id] == nil {
			want[id] = &stream{id: id}
			streams.put(want[id])
		}
	}
	for len(want) > 0 {
		for id, s := range want {
			if streams.find(id) != s {
				t.Fatalf("stream %d is not found", id)
			}
		}
		taken := 0
		for id, s := range want {
			if got := streams.take(id); got != s || got.next != nil {
				t.Fatalf("taking stream %d gives %v", id, got)
			}
			if streams.find(id) != nil || streams.take(id) != nil {
				t.Fatalf("stream %d was taken and is there", id)
			}
			delete(want, id)
			if taken++; taken == 100 {
				break
			}
		}
	}
	if streams.n != 0 {
		t.Fatalf("%d streams are left of none", streams.n)
	}
}
