package config

import (
	"slices"

	"fairshare/plugin/document"
)

// refuseStreamOptions are the providers that don't take stream_options. Mistral answers
// 422, "Extra inputs are not permitted", and tells usage by itself in a stream's last
// chunk (github.com/openai/openai-agents-python/issues/442); NVIDIA's hosted models
// never answer (github.com/HKUDS/DeepTutor/pull/420).
var refuseStreamOptions = []string{"mistral", "nvidia_nim"}

// noStreamOptions reports whether a deployment must not be sent stream_options: what its
// model_info says, else what fairshare_settings says of its provider, else the table.
func (r *reading) noStreamOptions(provider string, info place) bool {
	own := info.in("stream_options")
	if own.read() {
		return !own.flag()
	}
	members, names := place{r: r}.in("fairshare_settings").in("stream_options").members()
	if i := slices.Index(names, provider); i >= 0 && members[i].read() {
		return !members[i].flag()
	}
	return slices.Contains(refuseStreamOptions, provider)
}

// streamOptions checks that every member is a provider and a flag.
func (r *reading) streamOptions(at place) {
	members, names := at.members()
	for i := range members {
		if _, ok := providerNamed(names[i]); !ok {
			r.fail(members[i].path, "a provider that Fairshare knows", document.Quote(names[i]))
		}
		members[i].flag()
	}
}
