// Package flow carries one request from its headers to its settled cost.
//
//	request → route → identify → authorise → estimate → admit → rewrite → upstream
//	                                                                         │
//	         publish ← settle ← observe ←────────────────────────────────────┘
//
// It is the only place that knows the order of the stages; a stage knows its
// own inputs. It knows no host: time, headers and bytes come in as arguments, a
// Decision goes out, and what a host offers beside that is the small Host port.
//
// # Words
//
//   - caller: the key, user, end user and team that a request is for
//   - ask: model, input size and output ceiling of a request
//   - claim: what one request wants of a meter
//   - hold: a claim that was admitted and not yet settled
//   - usage: tokens read from the answer
//   - settle: hold → usage; release: hold → nothing, no usage happened
//   - debt: usage above the hold that crossed the limit
//   - share: a key's present part of a model's capacity
//   - shadow: a limit in it decides and counts, and refuses nobody
//   - worker: one VM; host: one proxy process
//   - model group: all deployments with one model_name; deployment: one entry of model_list
package flow
