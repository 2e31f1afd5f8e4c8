package quota

// finish notes what there is to say of the record's minute if that is over, and
// reports whether it is. It looks at the lines as the minute left them, so it comes
// before roll. Whoever reads an ended minute's record finds the same.
//
//   - Stranded is what was refused while so much of the capacity stayed unused:
//     the less of both, in tokens or requests of the limit that refused. One who was
//     refused, came again and was served counts all the same.
//   - Fairness is the minute's index, see fairness.
func (r record) finish(now int64, t *Terms) bool {
	if minute, old := now/minuteMS, r.at(atMinute); minute == old || minute == old-1 {
		return false
	}
	if t.LimitTPM {
		r.add(atStrandedTokens, min(r.at(atRefusedTokens), r.left(tokens, int64(t.TPM))))
	}
	if t.LimitRPM {
		r.add(atStrandedRequests, min(r.at(atRefusedRequests), r.left(requests, t.RPM)))
	}
	r.set(atRefusedTokens, 0)
	r.set(atRefusedRequests, 0)
	if f := r.fairness(t); f >= 0 {
		r.set(atFairMinute, r.at(atMinute))
		r.set(atFairness, f+1)
	}
	return true
}

// fairness is Jain's index (Σx)² / (n Σx²) of the minute's keys, in millionths: 1 if
// all are equal, 1/n if one has everything; -1 where no two keys shared.
//
// As Jain has it ("Throughput Fairness Index: An Explanation", 1999), x is what a key
// got over what it would have got if what all got were split max-min fairly by
// their weights, so that one that asks for less than the others is no injustice. A
// key that was refused would have taken any amount, another what it got. Keys
// share with those of their own priority: the worst priority's index counts. It is
// of the limit that was used most.
func (r record) fairness(t *Terms) int64 {
	d, fullest := tokens, -1.0
	if t.LimitTPM {
		fullest = float64(r.total(tokens)) / float64(max(1, t.TPM))
	}
	if t.LimitRPM && float64(r.total(requests))/float64(max(1, t.RPM)) > fullest {
		d, fullest = requests, 0
	}
	if fullest < 0 {
		return -1
	}
	worst, seen, none := int64(-1), uint64(0), false
	for line := r.first(); line < r.end(); line += lineSize {
		pool := r[line+linePool]
		if pool < MaxPools && seen>>pool&1 == 1 || pool >= MaxPools && none {
			continue
		}
		if pool < MaxPools {
			seen |= 1 << pool
		} else {
			none = true
		}
		if f := r.fairnessOf(d, pool); f >= 0 && (worst < 0 || f < worst) {
			worst = f
		}
	}
	return worst
}

// sharesIn reports whether a line is a key's that asked and shares with those of the
// pool.
func (r record) sharesIn(line int, pool byte) bool {
	return r[line+linePool] == pool && r.active(line) && r.at4(line+lineWeight) > 0 && !isCrowd(uint64(r.at(line+lineID)))
}

// fairnessOf is the index of a pool's keys.
func (r record) fairnessOf(d dimension, pool byte) int64 {
	n, got, weights := 0, 0.0, 0.0
	for line := r.first(); line < r.end(); line += lineSize {
		if r.sharesIn(line, pool) {
			n++
			got += float64(r.taken(d, line))
			weights += float64(r.at4(line + lineWeight))
		}
	}
	if n < 2 || got == 0 {
		return -1
	}
	// The level of a weight is raised by what those leave who want less; each
	// round finds some of them, and a few rounds nearly all.
	level := got / weights
	for range 32 {
		rest, share := got, weights
		for line := r.first(); line < r.end(); line += lineSize {
			w, g := float64(r.at4(line+lineWeight)), float64(r.taken(d, line))
			if r.sharesIn(line, pool) && r.at4(line+lineRefused) == 0 && g < level*w {
				rest, share = rest-g, share-w
			}
		}
		if share <= 0 || rest <= level*share {
			break
		}
		level = rest / share
	}
	keys, sum, squares := 0.0, 0.0, 0.0
	for line := r.first(); line < r.end(); line += lineSize {
		if !r.sharesIn(line, pool) {
			continue
		}
		g, fair := float64(r.taken(d, line)), level*float64(r.at4(line+lineWeight))
		if r.at4(line+lineRefused) == 0 {
			fair = min(fair, g)
		}
		if fair > 0 {
			x := g / fair
			keys++
			sum += x
			squares += x * x
		}
	}
	if squares == 0 {
		return -1
	}
	return min(One, int64(sum*sum/(keys*squares)*One+0.5))
}
