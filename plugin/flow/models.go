package flow

import (
	"strconv"
	"strings"

	"fairshare/plugin/admin"
	"fairshare/plugin/llm"
	"fairshare/plugin/quota"
)

// modelOf is the model that a path asks about, as it is written there.
func modelOf(path string) (id string, ok bool) {
	for _, begin := range [...]string{"/v1/models/", "/models/"} {
		if strings.HasPrefix(path, begin) && len(path) > len(begin) {
			return path[len(begin):], true
		}
	}
	return "", false
}

// answerModel tells of one model that the caller may use. A name may have a "/" in it,
// as it is or encoded. The error is OpenAI's, the same for what the caller may not see
// as for what does not exist.
//
//go:noinline
func (x *Exchange) answerModel(path string) Decision {
	written, _ := modelOf(path)
	if gr := x.gateway.group(admin.Unescape(written, '+')); gr != nil {
		if _, may := x.caller.allowed(gr); may {
			return x.answer(200, llm.AppendModel(x.body[:0], gr.model.Name))
		}
	}
	x.gateway.worker.count(BadRequests, 1)
	return x.answer(404, llm.AppendNoModel(x.body[:0], clip(written)))
}

// answerReady tells whether requests can be decided: whether what the workers share can
// be read. There is no database.
func (x *Exchange) answerReady() Decision {
	if _, _, st := x.gateway.worker.host.Get("fs/said"); st != quota.OK && st != quota.NotFound {
		return x.answer(503, append(x.body[:0], `{"status":"unhealthy","db":"Not connected"}`...))
	}
	return x.answer(200, append(x.body[:0], `{"status":"healthy","db":"Not connected","cache":null}`...))
}

// answerHealth lists the deployments, those of one model if the query names it, as
// LiteLLM's /health does. Nobody asks them anything: one is healthy if it can be called
// at all. A model that was named and has none that is healthy answers 503.
//
//go:noinline
func (x *Exchange) answerHealth(query string) Decision {
	model := admin.Parameter(query, "model", '+')
	var lists [2][]byte // healthy and not
	var counts [2]int
	for i := range x.gateway.groups {
		gr := &x.gateway.groups[i]
		if _, may := x.caller.allowed(gr); !may || model != "" && model != gr.model.Name {
			continue
		}
		for j := range gr.targets {
			which := 0
			if t := &gr.targets[j]; !t.IsMock && t.MissingKey != "" {
				which = 1
			}
			if counts[which]++; counts[which] > 1 {
				lists[which] = append(lists[which], ',')
			}
			lists[which] = append(llm.AppendString(append(lists[which], `{"model":`...), gr.model.Name), '}')
		}
	}
	b := append(append(x.body[:0], `{"healthy_endpoints":[`...), lists[0]...)
	b = append(append(b, `],"unhealthy_endpoints":[`...), lists[1]...)
	b = strconv.AppendInt(append(b, `],"healthy_count":`...), int64(counts[0]), 10)
	b = strconv.AppendInt(append(b, `,"unhealthy_count":`...), int64(counts[1]), 10)
	status := 200
	switch {
	case model != "" && counts == [2]int{}:
		return x.answer(404, llm.AppendNoModel(x.body[:0], clip(model)))
	case model != "" && counts[0] == 0:
		status = 503
	}
	return x.answer(status, append(b, '}'))
}
