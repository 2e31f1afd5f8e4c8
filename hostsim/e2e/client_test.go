package e2e

import (
	"path/filepath"
	"testing"

	"fairshare/hostsim/envoy"
)

// The documents' example, against the shipped envoy.yaml.
func TestTwoKeysOfTheDocuments(t *testing.T) {
	t.Parallel()
	root, err := envoy.Root()
	if err != nil {
		t.Fatal(err)
	}
	e := envoy.Start(t, envoy.Options{File: filepath.Join(root, "envoy.yaml"), Workers: 2, Now: start})
	python(t, "two_keys.py", e.BaseURL)
}

// The same, with the configuration delivered in every way.
func TestTwoKeys(t *testing.T) {
	t.Parallel()
	for _, d := range deliveries {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			g := launch(t, config(object{"tpm": 60}), d.options())
			python(t, "two_keys.py", g.BaseURL)
		})
	}
}

// The documents' example of a reservation of all for one priority.
func TestPriorityOfTheDocuments(t *testing.T) {
	t.Parallel()
	c := config(nil)
	c["model_list"] = list{object{
		"model_name": "gpt-3.5-turbo",
		"litellm_params": object{
			"model": "gpt-3.5-turbo", "api_key": "os.environ/OPENAI_API_KEY", "rpm": 100,
			"api_base": "http://" + behind + "/v1",
		},
	}}
	c["litellm_settings"] = object{
		"callbacks":            list{"dynamic_rate_limiter"},
		"priority_reservation": object{"dev": 0, "prod": 1},
	}
	g := launch(t, c, envoy.Options{Workers: 2, Env: map[string]string{"OPENAI_API_KEY": "sk-provider"}})
	python(t, "priority.py", g.BaseURL)
}

// Streams are whole for the OpenAI client, however the upstream cuts them.
func TestStreams(t *testing.T) {
	t.Parallel()
	for _, d := range deliveries {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			python(t, "streams.py", launch(t, config(object{"tpm": 100000}), d.options()).BaseURL)
		})
	}
}

// Bad input gets errors that the OpenAI client shows well.
func TestBadInput(t *testing.T) {
	t.Parallel()
	for _, d := range deliveries {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			python(t, "bad_input.py", launch(t, config(nil), d.options()).BaseURL)
		})
	}
}

// Python's clients show the words of a refusal, at once.
func TestRefusalsInPython(t *testing.T) {
	t.Parallel()
	g := launch(t, config(object{"tpm": 30}), envoy.Options{Workers: 2})
	python(t, "clients.py", g.BaseURL)
}
