//go:build !tinygo

package config

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"fairshare/plugin/document"
	"fairshare/plugin/quota"
	"fairshare/plugin/tenant"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// checkParse parses raw and fails if the answer is not one Policy or one line.
func checkParse(t *testing.T, raw []byte) (*Policy, error) {
	t.Helper()
	before := bytes.Clone(raw)
	p, err := Parse(raw, vars)
	if !bytes.Equal(raw, before) {
		t.Fatal("Parse changed its argument")
	}
	if (p == nil) == (err == nil) {
		t.Fatalf("Parse gave %v and %v, want one of them", p, err)
	}
	var lines []string
	if err != nil {
		if _, ok := err.(*Error); !ok {
			t.Fatalf("error is a %T", err)
		}
		lines = append(lines, err.Error())
	} else {
		lines = p.Warnings
		if len(p.Models) == 0 {
			t.Fatal("a Policy without models")
		}
		for i := range p.Models {
			sum := int64(0)
			for _, d := range p.Models[i].Deployments {
				sum += d.Weight
			}
			if sum <= 0 {
				t.Fatalf("model %d has no weight", i)
			}
			for _, f := range p.Fractions(&p.Models[i]) {
				if !(f >= 0 && f <= 1) {
					t.Fatalf("a fraction of %v", f)
				}
			}
		}
		checkSubjects(t, p)
	}
	for _, line := range lines {
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 }) || !utf8.ValidString(line) {
			t.Fatalf("not a plain line: %q", line)
		}
		if strings.Contains(line, "sk-alice") || strings.Contains(line, "sk-real") || strings.Contains(line, "secret-team") {
			t.Fatalf("shows a key: %q", line)
		}
	}
	return p, err
}

// checkSubjects fails if somebody is declared twice, or is not what a Directory takes.
func checkSubjects(t *testing.T, p *Policy) {
	t.Helper()
	type identity struct {
		kind tenant.Kind
		id   string
	}
	ids, aliases := make(map[identity]bool), make(map[string]bool)
	team := ""
	for i, s := range p.Subjects {
		id := identity{s.Kind, s.ID}
		if ids[id] || s.ID == "" || !s.Declared || s.Created != 0 || i > 0 && order(s) < order(p.Subjects[i-1]) {
			t.Fatalf("subject %d is %+v", i, s)
		}
		ids[id] = true
		switch s.Kind {
		case tenant.Key:
			if s.ID != tenant.Token(&s.Hash) || s.Line != quota.KeyID(&s.Hash) || p.HasMasterKey && s.Hash == p.MasterKey || s.Alias != "" && aliases[s.Alias] {
				t.Fatalf("key %d is %+v", i, s)
			}
			aliases[s.Alias] = true
		case tenant.Team:
			team = s.ID
		case tenant.Member:
			if s.TeamID != team || s.ID != tenant.MemberID(team, s.UserID) {
				t.Fatalf("member %d of %q is %+v", i, team, s)
			}
		}
		for _, c := range []quota.Cap{s.Limits.Budget, s.Limits.Soft, s.Limits.TPM, s.Limits.RPM, s.Limits.Parallel, p.Proxy.Budget, p.EndUser.Budget} {
			if c.Max < 0 || !c.Limited && c.Max != 0 {
				t.Fatalf("a limit of %+v", c)
			}
		}
	}
}

// order puts members with their team.
func order(s *tenant.Subject) tenant.Kind {
	if s.Kind == tenant.Member {
		return tenant.Team
	}
	return s.Kind
}

// sameAnswer fails unless two forms of one configuration have one answer.
func sameAnswer(t *testing.T, what string, p, q *Policy, err, other error) {
	t.Helper()
	if !reflect.DeepEqual(p, q) {
		t.Fatalf("%s:\n%+v\n%+v", what, p, q)
	}
	if (err == nil) != (other == nil) || err != nil && err.Error() != other.Error() {
		t.Fatalf("%s: %v and %v", what, err, other)
	}
}

// hasTwice reports whether raw is refused for a name that occurs twice, of which
// encoding/json and protobuf drop one.
func hasTwice(err error) bool {
	e, ok := err.(*Error)
	return ok && e.Got == "it twice"
}

func FuzzParse(f *testing.F) {
	tree, _ := document.ReadJSON(everything)
	f.Add([]byte(everything))
	f.Add(encodeStruct(tree, nil))
	f.Add([]byte(with(`"litellm_settings": {"priority_reservation": {"a\u00e9\ud83d": 1e-9}}`)))
	for _, rolls := range []string{
		`"virtual_keys": [{"key": "os.environ/ALICE_KEY", "team_id": "os.environ/TEAM", "max_budget": "os.environ/BUDGET", "metadata": {"b": [1e30, {}], "a": null}}]`,
		`"teams": [{"team_id": "t", "members": [{"user_id": "u"}, {"user_id": "v"}]}], "users": [{"user_id": "u", "model_rpm_limit": {"m": "1"}}]`,
		`"customers": [{"user_id": "c", "budget_id": "b"}], "budgets": [{"budget_id": "b", "max_budget": 1, "budget_duration": "1d"}]`,
		`"litellm_settings": {"max_budget": 0, "budget_duration": "30d", "timezone": "Europe/Berlin", "budget_reset_time": "08:30"}`,
		`"general_settings": {"user_header_mappings": {"header_name": "x", "litellm_user_role": "customer"}}, "fairshare_settings": {"unpriced_models": {"input": 0, "output": 1}}`,
	} {
		f.Add([]byte(with(rolls)))
	}
	f.Add([]byte(withParams(`"input_cost_per_token": 1e-6, "output_cost_per_token_above_128k_tokens": "2e-6"`)))
	f.Add([]byte("{\"a\":[1,-0.5e+3,true,false,null,\"\\ud83d\\ude00\"]}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := checkParse(t, raw)
		text := bytes.TrimPrefix(raw, []byte("\ufeff"))
		var value map[string]any
		standard := json.Unmarshal(text, &value)
		tree, own := document.ReadJSON(string(text))
		if own == nil && tree[0].Kind == document.Object && standard != nil {
			t.Fatalf("ReadJSON takes what encoding/json refuses: %v", standard)
		}
		if standard != nil || value == nil || !utf8.Valid(text) || hasTwice(err) {
			return
		}
		if own != nil && own.Got != "more" {
			t.Fatalf("ReadJSON refuses what encoding/json takes: %v", own)
		}
		s, noStruct := structpb.NewStruct(value)
		if noStruct != nil {
			return
		}
		for _, deterministic := range []bool{true, false} {
			wire, noWire := proto.MarshalOptions{Deterministic: deterministic}.Marshal(s)
			if noWire != nil || len(wire) == 0 {
				return
			}
			q, other := checkParse(t, wire)
			sameAnswer(t, "JSON and Struct", p, q, err, other)
		}
	})
}

func FuzzStruct(f *testing.F) {
	tree, _ := document.ReadJSON(everything)
	f.Add(encodeStruct(tree, slices.Reverse[[][]byte]))
	f.Add([]byte("\x0a\x10\x0a\x03rpm\x12\x09\x11\x00\x00\x00\x00\x00\x00\x4e\x40"))
	f.Add([]byte("\x18\x05\x35\xff\xff\xff\xff\x0a\x07\x0a\x03rpm\x12\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		checkParse(t, raw)
		tree, err := readStruct(string(raw))
		var s structpb.Struct
		if (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(raw, &s) != nil {
			if err == nil {
				t.Fatal("readStruct takes what protobuf refuses")
			}
			return
		}
		wire, noWire := proto.Marshal(&s)
		if noWire != nil {
			t.Fatal(noWire)
		}
		again, err2 := readStruct(string(wire))
		if err2 != nil {
			if err2.Got != "more" && err2.Want != "a number that JSON has" {
				t.Fatalf("readStruct refuses what protobuf writes: %v", err2)
			}
			return
		}
		sorted := func(entries [][]byte) { slices.SortFunc(entries, bytes.Compare) }
		if err == nil && !bytes.Equal(encodeStruct(tree, sorted), encodeStruct(again, sorted)) {
			t.Fatalf("%x is read as\n%x, by protobuf as\n%x", raw, encodeStruct(tree, sorted), encodeStruct(again, sorted))
		}
	})
}

func FuzzExpiry(f *testing.F) {
	for _, s := range []string{"2026-12-31T23:59:59Z", "2024-02-29T00:00:00.5-00:30", "0000-03-01T00:00:00+23:59"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseRFC3339(s)
		want, err := time.Parse(time.RFC3339, s)
		if err == nil && (!ok || got != want.Unix()) {
			// Package time takes a comma before the fraction, an hour of one digit and an offset of 24 hours.
			if len(s) < 20 || strings.Contains(s, ",") || s[13] != ':' || strings.Contains(s[19:], "24:") || strings.Contains(s[19:], ":60") {
				return
			}
			t.Fatalf("parseRFC3339(%q) = %d, %v, want %d", s, got, ok, want.Unix())
		}
	})
}

// An equal configuration is an equal Policy, in whatever order its members are.
func TestRandomOrderOfMembers(t *testing.T) {
	var value map[string]any
	if err := json.Unmarshal([]byte(everything), &value); err != nil {
		t.Fatal(err)
	}
	s, err := structpb.NewStruct(value)
	if err != nil {
		t.Fatal(err)
	}
	want := mustParse(t, everything)
	for range 50 { // Marshal walks Go's maps, whose order is random
		wire, err := proto.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if p := mustParse(t, string(wire)); !reflect.DeepEqual(p, want) {
			t.Fatalf("got %+v\nwant %+v", p, want)
		}
	}

	// With two faults, the one that is told of is the same, too.
	s.Fields["fairshare_settings"].GetStructValue().Fields["host"] = structpb.NewStringValue("nginx")
	s.Fields["litellm_settings"].GetStructValue().Fields["callbacks"] = structpb.NewNumberValue(math.Pi)
	for range 50 {
		wire, err := proto.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		const want = "config: litellm_settings.callbacks: want a callback's name, got 3.141592653589793"
		if _, err := Parse(wire, vars); err == nil || err.Error() != want {
			t.Fatalf("%v, want %s", err, want)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	raw := []byte(everything)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(raw, vars); err != nil {
			b.Fatal(err)
		}
	}
}
