package config

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"fairshare/plugin/document"
)

// encodeStruct writes a document as google.protobuf.Struct, the members of each object
// in the order that arrange gives them (nil: as they are).
func encodeStruct(t document.Tree, arrange func(entries [][]byte)) []byte {
	return encodeMembers(t, 0, arrange)
}

func encodeMembers(t document.Tree, n int, arrange func([][]byte)) []byte {
	var entries [][]byte
	for i := t[n].First; i != 0; i = t[i].Next {
		content := encodeValue(t, i, arrange)
		if t[n].Kind == document.Object {
			content = append(lengthed(1, []byte(t[i].Key)), lengthed(2, content)...)
		}
		entries = append(entries, lengthed(1, content))
	}
	if t[n].Kind == document.Object && arrange != nil {
		arrange(entries)
	}
	return slices.Concat(entries...)
}

func encodeValue(t document.Tree, n int, arrange func([][]byte)) []byte {
	switch v := t[n]; v.Kind {
	case document.Number:
		return binary.LittleEndian.AppendUint64([]byte{2<<3 | 1}, math.Float64bits(v.Num))
	case document.Text:
		return lengthed(3, []byte(v.Str))
	case document.Boolean:
		return []byte{4 << 3, byte(v.Num)}
	case document.Object:
		return lengthed(5, encodeMembers(t, n, arrange))
	case document.List:
		return lengthed(6, encodeMembers(t, n, arrange))
	}
	return []byte{1 << 3, 0}
}

func lengthed(number int, content []byte) []byte {
	out := binary.AppendUvarint([]byte{byte(number<<3 | 2)}, uint64(len(content)))
	return append(out, content...)
}

// everything is a configuration that says something about every field.
const everything = `{
	"model_list": [
		{"model_name": "m", "tpm": 1, "rpm": 2,
		 "litellm_params": {"model": "openai/x", "custom_llm_provider": "openai", "api_base": "http://h:1/v1", "api_key": "os.environ/OPENAI_API_KEY",
			"tpm": 60, "rpm": 100, "weight": 2, "unknown": [[{}], {"a": null}], "base_model": "gpt-4o",
			"input_cost_per_token": 1e-6, "output_cost_per_token": "2e-6", "cache_read_input_token_cost": 1e-7,
			"cache_creation_input_token_cost": 1.25e-6, "output_cost_per_reasoning_token": 3e-6, "input_cost_per_audio_token": 1e-5, "output_cost_per_audio_token": 2e-5,
			"input_cost_per_token_above_128k_tokens": 2e-6, "input_cost_per_second": 1},
		 "model_info": {"tpm": 3, "rpm": 4, "access_groups": ["beta-models"], "enforce": {"tpm": false, "rpm": true}, "base_model": "gpt-3.5-turbo",
			"input_cost_per_token": 5e-6, "output_cost_per_token": 6e-6, "cache_read_input_token_cost": 7e-7,
			"cache_creation_input_token_cost": 8e-6, "output_cost_per_reasoning_token": 9e-6, "input_cost_per_audio_token": 1e-5, "output_cost_per_audio_token": 2e-5,
			"input_cost_per_token_above_128k_tokens": 1e-5}},
		{"model_name": "n", "litellm_params": {"model": "gpt-3.5-turbo", "mock_response": "hello-world"}},
		{"model_name": "free", "litellm_params": {"model": "made-up", "mock_response": ""}}],
	"litellm_settings": {"callbacks": ["dynamic_rate_limiter_v3", "prometheus", "langfuse"],
		"priority_reservation": {"prod": 0.9, "dev": {"type": "rpm", "value": 10}},
		"priority_reservation_settings": {"default_priority": 0.1, "saturation_threshold": 0.8, "saturation_check_cache_ttl": 30},
		"max_budget": 0.1, "budget_duration": "30d", "max_end_user_budget": 0.0001, "max_end_user_budget_id": "guests",
		"timezone": "Europe/Berlin", "budget_reset_time": "08:30", "budget_exceeded_status_code": 429,
		"require_auth_for_metrics_endpoint": false, "default_team_params": {}},
	"general_settings": {"master_key": "os.environ/MASTER", "database_url": "postgres://..",
		"apply_user_budget_to_team_keys": true, "enforce_user_param": true, "user_header_name": "X-User",
		"user_header_mappings": [{"header_name": "X-OpenWebUI-User-Id", "litellm_user_role": "customer"},
			{"header_name": "X-Boss", "litellm_user_role": "internal_user"}],
		"budgets": [{"budget_id": "guests", "max_budget": 1, "soft_budget": 0.5, "budget_duration": "1d", "tpm_limit": 1, "rpm_limit": 2,
			"max_parallel_requests": 3, "enforce": {"max_budget": true}}]},
	"virtual_keys": [
		{"key": "os.environ/ALICE_KEY", "key_alias": "alice", "user_id": "u", "team_id": "os.environ/TEAM", "models": ["m"],
		 "metadata": {"z": [1, {"b": "os.environ/TEAM", "a": 1e30}], "priority": "prod", "model_rpm_limit": {"n": 3}}, "blocked": false,
		 "expires": "2030-01-01T00:00:00Z", "budget_id": "guests", "max_budget": "os.environ/BUDGET", "soft_budget": 1, "budget_duration": "1mo",
		 "tpm_limit": 1, "rpm_limit": "2", "max_parallel_requests": 3, "aliases": {"gpt": "m", "a": "nowhere"}, "tags": ["t"],
		 "model_max_budget": {"n": {"max_budget": 0.5, "budget_duration": "7d"}, "m": "3"}, "model_rpm_limit": {"n": 1, "gpt": "7"}, "model_tpm_limit": {"m": 2},
		 "temp_budget_increase": 5, "temp_budget_expiry": "2031-01-01T00:00:00Z", "rpm_limit_type": "best_effort_throughput", "tpm_limit_type": null, "enforce": {"tpm_limit": false}},
		{"key_sha256": "abababababababababababababababababababababababababababababababab", "blocked": true}],
	"users": [{"user_id": "u", "user_alias": "U", "user_email": "u@example.com", "user_role": "internal_user", "models": ["no-default-models"],
		"max_budget": 1, "soft_budget": 1, "budget_duration": "1h", "tpm_limit": 1, "rpm_limit": 2, "max_parallel_requests": 3,
		"enforce": false, "metadata": {"priority": "dev"}, "model_max_budget": {}, "model_rpm_limit": {}, "model_tpm_limit": {}}],
	"teams": [{"team_id": "t", "team_alias": "T", "models": ["m"], "model_aliases": {"x": "m"}, "max_budget": 2, "soft_budget": 1, "budget_duration": "1d",
		"tpm_limit": 1, "rpm_limit": 2, "max_parallel_requests": 3, "metadata": {"priority": "test"}, "model_max_budget": {}, "model_rpm_limit": {},
		"model_tpm_limit": {"m": 5}, "tags": [], "blocked": true, "team_member_budget": 1, "team_member_budget_duration": "1d",
		"team_member_rpm_limit": 1, "team_member_tpm_limit": "2", "enforce": false,
		"members": [{"user_id": "u", "role": "admin", "max_budget_in_team": "1", "budget_duration": "30d", "tpm_limit": 1, "rpm_limit": 2,
			"max_parallel_requests": 3, "allowed_models": ["n", "beta-models"], "enforce": false}, {"user_id": "v"}]}],
	"customers": [{"user_id": "c", "alias": "C", "blocked": false, "budget_id": "guests", "max_budget": null, "budget_duration": "1d", "tpm_limit": 1,
		"rpm_limit": 2, "max_parallel_requests": 3, "models": [], "enforce": true, "metadata": {"priority": "prod"}}],
	"fairshare_settings": {"stream_options": {"openai": true}, "error_format": "litellm", "max_body_bytes": 1048576, "host": "envoy", "pass_through_paths": ["/v1/files/*"],
		"client_retries": true, "enforce": {"max_budget": false, "rpm_limit": true}, "grace_seconds": 2, "window": "sliding", "unpriced_models": {"input": 1e-6, "output": 2e-6}},
	"guardrails": [], "include": ["x"]}`

func TestStructSaysWhatJSONSays(t *testing.T) {
	want := mustParse(t, everything)
	tree, _ := document.ReadJSON(everything)
	for i, arrange := range []func([][]byte){nil, slices.Reverse[[][]byte]} {
		if p := mustParse(t, string(encodeStruct(tree, arrange))); !reflect.DeepEqual(p, want) {
			t.Errorf("order %d:\n got %+v\nwant %+v", i, p, want)
		}
	}
	// Every host that hands over text hands over these, too.
	for _, text := range []string{"\ufeff" + everything, "\n\n " + everything + "\r\n"} {
		if p := mustParse(t, text); !reflect.DeepEqual(p, want) {
			t.Errorf("around the text: %+v", p)
		}
	}
}

func TestStructBytes(t *testing.T) {
	const (
		ok     = "config: model_list: want a list of at least one model, got nothing" // it was read to its end
		broken = "config: want JSON text or a binary google.protobuf.Struct, got bytes that are neither, from byte "
	)
	for _, c := range []struct{ name, bytes, want string }{
		{"the example of readStruct", "0a10 0a0372706d 1209110000000000004e40", ok},
		{"an entry without a value", "0a05 0a0372706d 1001", ok},
		{"a value without a kind", "0a07 0a0372706d 1200", ok},
		{"an entry without a key", "0a02 1200", ok},
		{"an unknown field first", "1805 0a07 0a0372706d 1200", ok},
		{"unknown fields of all types", "1805 2100000000000000ff 2a0101 35ffffffff 0a07 0a0372706d 1200", ok},
		{"a kind", "0a10 0a0a6d6f64656c5f6c697374 1202 2001", "config: model_list: want a list, got true"},
		{"two kinds", "0a09 0a016b 1204 2001 2000", broken + "9"},
		{"two values", "0a07 0a016b 1200 1200", broken + "2"},
		{"two keys", "0a08 0a016b 0a016b 1200", broken + "2"},
		{"a kind in another wire type is unknown", "0a10 0a0a6d6f64656c5f6c697374 1202 1001", ok},
		{"field 0", "0a02 0000", broken + "2"},
		{"a group", "0b0c", broken + "0"},
		{"a length beyond the end", "0a7f 01", broken + "0"},
		{"a length beyond its message", "0a03 0a0561 0a05 0a016b 1200", broken + "2"},
		{"a length beyond everything", "0affffffffffffffffff01 12", broken + "0"},
		{"a varint of 11 bytes", "18ffffffffffffffffffff01", broken + "0"},
		{"a varint of 65 bits", "18ffffffffffffffffff02", broken + "0"},
		{"a number cut short", "0a0a 0a016b 1205 110000 0000", broken + "7"},
		{"a key that is no text", "0a05 0a01ff 1200", broken + "2"},
		{"a text that is no text", "0a08 0a016b 1203 1a01ff", broken + "9"},
		{"NaN", "0a0e 0a016b 1209 11000000000000f87f", "config: k: want a number that JSON has, got NaN"},
		{"infinity in a list", "0a12 0a016b 120d 320b 0a09 11000000000000f07f", "config: k[0]: want a number that JSON has, got +Inf"},
		{"a member twice", "0a05 0a016b 1200 0a05 0a016b 1200", "config: k: want a name that occurs once, got it twice"},
	} {
		raw, err := hex.DecodeString(strings.ReplaceAll(c.bytes, " ", ""))
		if err != nil {
			t.Fatal(c.name, err)
		}
		if _, err := Parse(raw, nil); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

func TestDepth(t *testing.T) {
	const (
		ok      = "config: model_list: want a list of at least one model, got nothing"
		tooDeep = "config: a: want at most 64 lists and objects inside each other, got more"
	)
	for _, c := range []struct {
		lists int
		want  string
	}{{63, ok}, {64, tooDeep}, {5000, tooDeep}} {
		asJSON := `{"a": ` + strings.Repeat("[", c.lists) + strings.Repeat("]", c.lists) + `}`
		value := lengthed(6, nil)
		for range c.lists - 1 {
			value = lengthed(6, lengthed(1, value))
		}
		asStruct := lengthed(1, append(lengthed(1, []byte("a")), lengthed(2, value)...))
		for _, raw := range [][]byte{[]byte(asJSON), asStruct} {
			if _, err := Parse(raw, vars); err == nil || err.Error() != c.want {
				t.Errorf("%d lists: %v, want %s", c.lists, err, c.want)
			}
		}
	}
}
