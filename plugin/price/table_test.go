package price

import "testing"

// tableNames returns all names of the table, read in order.
func tableNames(t testing.TB) []string {
	t.Helper()
	var all []string
	for at, i := 0, 0; at < len(names); i++ {
		shared, before := 0, ""
		if i%blockSize == 0 {
			if got := short(blocks, 2*(i/blockSize)); got != at {
				t.Fatalf("block %d begins at %d, want %d", i/blockSize, got, at)
			}
		} else {
			before = all[i-1]
			shared = int(names[at])
			at++
		}
		size := int(names[at])
		all = append(all, before[:shared]+names[at+1:at+1+size])
		at += 1 + size + 2
	}
	return all
}

// The table is what lookup.go says it is: sorted, each name found, each price
// one that Set takes, and small.
func TestTable(t *testing.T) {
	all := tableNames(t)
	if len(all) < 1000 || 2*((len(all)+blockSize-1)/blockSize) != len(blocks) {
		t.Errorf("%d models in %d blocks", len(all), len(blocks)/2)
	}
	for i, name := range all {
		if i > 0 && name <= all[i-1] {
			t.Errorf("%q stands behind %q", name, all[i-1])
		}
		p, ok := Lookup(name)
		if !ok || !p.given.has(inputField) {
			t.Errorf("Lookup(%q) = %+v, %v", name, p, ok)
		}
		for f, r := range p.rates {
			if r < 0 || r > usdRate/100 {
				t.Errorf("%q: field %d is %d", name, f, r)
			}
		}
		for j, tier := range p.tiers {
			if j > 0 && tier.above != 0 && tier.above <= p.tiers[j-1].above || (tier.above == 0) != (tier.given == 0) {
				t.Errorf("%q: thresholds %+v", name, p.tiers)
			}
		}
	}
	if size := len(names) + len(blocks) + len(prices); size > 60_000 {
		t.Errorf("the table has %d bytes", size)
	}
}
