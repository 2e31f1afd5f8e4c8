// Package sim simulates tenants who share a model, under the filter as it is
// and under the rules that it is compared with.
//
// A [Scenario] is a file that says what the model takes in a minute and who
// asks for what, when, and what he does about a 429. [Run] plays it on a
// virtual clock under a [Rule]: [Fairshare] is the wasm in package hostsim, with
// as many workers as the scenario says, ticking as in a proxy; [LiteLLM1] and
// [LiteLLM3] are models of LiteLLM's limiters; [FirstCome] admits whoever comes
// as long as there is room. A [Result] has [Measures] of it.
//
//	s, err := sim.Load("testdata/sim/hog.json")
//	r, err := sim.Run(s, sim.Fairshare(module))
//	r.Measures.Utilisation                  // 0.997
//	err = sim.Write(dir, outcomes)          // JSON, CSV, SVG
//
// Same scenario and seed, same bytes, on any machine. Chance comes in streams of
// their own for each key's arrivals and for its sizes, so that every rule meets
// the same arrivals, and the n-th thing that a key wants has the same sizes
// under every rule, whenever it is asked.
//
// What is not simulated: errors and resets of the upstream, clients that break
// off, two workers in one callback at the same time (package hostsim's
// Interleave has those), the time that a decision takes.
//
// # Exact holds
//
// The filter holds an estimate. It is exact, but for the first few of a run that
// are a few tokens above the truth, if every answer of the scenario is as long as
// max_tokens, the same for all, bytes_per_token is 4 and 4 divides every size of
// prompt_bytes. Overshoot must then be 0.
package sim
