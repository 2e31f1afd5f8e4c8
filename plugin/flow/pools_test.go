package flow

import (
	"slices"
	"testing"

	"fairshare/plugin/config"
	"fairshare/plugin/quota"
)

func TestPoolsOf(t *testing.T) {
	for _, c := range []struct {
		settings string
		want     quota.Pools
	}{
		{
			`"priority_reservation":{"prod":0.9,"dev":0.1},"priority_reservation_settings":{"default_priority":0}`,
			quota.Pools{Weights: []uint32{100_000, 900_000, 0}, GraceMS: 10_000},
		},
		{ // LiteLLM's default for the rest, for which nothing is over
			`"priority_reservation":{"prod":0.9,"dev":0.1}`,
			quota.Pools{Weights: []uint32{100_000, 900_000, 0}, GraceMS: 10_000},
		},
		{ // one that the operator gave on top
			`"priority_reservation":{"prod":0.9,"dev":0.1},"priority_reservation_settings":{"default_priority":0.25}`,
			quota.Pools{Weights: []uint32{80_000, 720_000, 200_000}, GraceMS: 10_000},
		},
		{ // What fits stays as it is.
			`"priority_reservation":{"prod":0.5}`,
			quota.Pools{Weights: []uint32{500_000, 250_000}, GraceMS: 10_000},
		},
		{
			`"priority_reservation":{"a":{"type":"rpm","value":2},"b":{"type":"tpm","value":300},"c":{"type":"percent","value":0.25}},"priority_reservation_settings":{"default_priority":0.25}`,
			quota.Pools{Weights: []uint32{200_000, 300_000, 250_000, 250_000}, GraceMS: 10_000},
		},
		{
			`"priority_reservation":{"tiny":1e-9},"priority_reservation_settings":{"default_priority":0,"saturation_threshold":0.8}`,
			quota.Pools{Weights: []uint32{1, 0}, Threshold: 800_000, GraceMS: 10_000},
		},
		{
			`"priority_reservation":{"prod":1},"priority_reservation_settings":{"default_priority":0}},"fairshare_settings":{"grace_seconds":3`,
			quota.Pools{Weights: []uint32{1_000_000, 0}, GraceMS: 3000},
		},
	} {
		p, err := config.Parse([]byte(`{"model_list":[{"model_name":"m","litellm_params":{"model":"m","mock_response":"hi","rpm":10,"tpm":1000}}],
			"general_settings":{"master_key":"sk-1234"},"litellm_settings":{"callbacks":["dynamic_rate_limiter_v3"],`+c.settings+`}}`), noEnv)
		if err != nil {
			t.Fatal(err)
		}
		got := poolsOf(p, &p.Models[0])
		if !slices.Equal(got.Weights, c.want.Weights) || got.Threshold != c.want.Threshold || got.GraceMS != c.want.GraceMS {
			t.Errorf("%s: %+v, want %+v", c.settings, got, c.want)
		}
	}
}
