// Package quota decides who may take how much of a model's minute, and keeps
// the books of it.
//
// The rule: tokens are held before a request goes upstream and settled when
// its true usage is known. Whoever checks first and charges later lets every
// request in flight through; a hold makes the next request see this one.
//
// A model group's whole state is one record in the host's shared data: its
// minute, what is used and held, and a line for each key active in that minute.
// So one swap admits a request against the model's capacity and the key's share
// at once, by exact numbers, whichever worker does it.
//
// Worked example. A model has 60 tokens a minute and answers cost 30.
//
//	12:00:01  key A asks: alone, its share is 60; hold 30      left 30
//	12:00:02  A's answer is there; hold becomes used           left 30
//	12:00:03  key B asks: shares are 30 and 30; hold 30        left 0
//	12:00:04  B asks again: over available TPM=0, Active keys=2
//	12:01:00  a new minute: nothing used, nobody active
//
// Priorities reserve parts of a model, in pools that are there whether anybody
// asks or not. Another example, of 600 tokens a minute, of which prod reserves
// 500 and dev 100:
//
//	12:00:00  dev asks for 100: its own                    left 500
//	12:00:06  dev asks for 50: prod can't use more than 450 of
//	          its 500 any more; borrowed                   left 450
//	12:00:30  prod wakes and asks for 250: what it owns by now
//	          of its 500, and there whoever else asks      left 200
//
// Time is an argument everywhere: milliseconds since 1970 in UTC. Nothing here
// logs, panics or allocates in the steady state.
package quota
