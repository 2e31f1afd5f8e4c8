package flow

import (
	"strings"
	"testing"
)

// Two exchanges and a refusal, natively and in wasm.
func TestScrape(t *testing.T) {
	g, _ := gateway(t, upstreamConfig)
	const now = int64(1_000_000_000_000)
	for range 2 {
		x := g.Open()
		x.RequestHeaders(now, askHeaders, false)
		x.RequestBody(now, askBody)
		x.ResponseHeaders(now, answerHeaders, false)
		x.ResponseBody(now, answerBody, true)
		x.Done(now)
	}
	x := g.Open()
	x.RequestHeaders(now, askHeaders, false)
	x.RequestBody(now, []byte("{"))
	x.Done(now)
	g.Tick(now)
	x = g.Open()
	d := x.RequestHeaders(now, [][2]string{{":method", "GET"}, {":path", "/metrics"}, {"authorization", "Bearer sk-1234"}}, true)
	if d.Reply == nil || d.Reply.Status != 200 {
		t.Fatalf("the answer is %v", d.Reply)
	}
	const key = `api_key_alias="litellm_proxy_master_key",api_provider="openai",`
	const nobody = `,team="None",team_alias="None",user="None"`
	const refused = `end_user="None",hashed_api_key="litellm_proxy_master_key",model_id="None",org_alias="None",org_id="None",requested_model="None",route="/v1/chat/completions",status_code="400"` + nobody
	for _, want := range []string{
		"# HELP litellm_total_tokens_metric_total Total number of input and output tokens of LLM requests\n# TYPE litellm_total_tokens_metric_total counter\n" +
			`litellm_total_tokens_metric_total{` + key + `end_user="None",hashed_api_key="litellm_proxy_master_key",model="local-model",model_id="None",org_alias="None",org_id="None",requested_model="local-model"` + nobody + `,user_email="None"} 58.0` + "\n",
		`litellm_proxy_total_requests_metric_total{api_key_alias="litellm_proxy_master_key",api_provider="None",client_ip="None",` + refused + `,user_agent="None",user_email="None"} 1.0` + "\n",
		"# TYPE fairshare_used gauge\nfairshare_used{model=\"local-model\",unit=\"tokens\"} 58.0\n",
		"fairshare_metrics_left_out 0.0\n",
	} {
		if n := strings.Count("\n"+string(d.Reply.Body), "\n"+want); n != 1 {
			t.Errorf("%d times in the answer: %s", n, want)
		}
	}
	x.Done(now)
}
