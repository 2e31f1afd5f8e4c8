package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A limiter is what a scenario's litellm_settings say about sharing.
type limiter struct {
	pools        bool          // dynamic_rate_limiter_v3: a reservation is a pool's; else it weighs a key
	reserves     bool          // there is a priority_reservation
	reservations []reservation // in the order of the file
	fallback     float64       // default_priority: the part of callers without a known priority
	threshold    float64       // saturation_threshold
	ttl          time.Duration // saturation_check_cache_ttl
}

// A reservation is a priority's part of the model, 0 and up.
type reservation struct {
	priority string
	part     float64
}

// readLimiter reads what matters here; the plugin reads the same text with
// more care.
func readLimiter(settings json.RawMessage, c Capacity) (limiter, error) {
	// LiteLLM's defaults, types/utils.py of 1.106.2.
	l := limiter{fallback: 0.25, threshold: 0.5, ttl: time.Minute}
	if len(settings) == 0 {
		return l, nil
	}
	var s struct {
		Callbacks    any             `json:"callbacks"`
		Reservations json.RawMessage `json:"priority_reservation"`
		More         struct {
			Default   *float64 `json:"default_priority"`
			Threshold *float64 `json:"saturation_threshold"`
			TTL       *float64 `json:"saturation_check_cache_ttl"`
		} `json:"priority_reservation_settings"`
	}
	if err := json.Unmarshal(settings, &s); err != nil {
		return l, fmt.Errorf("litellm_settings: %w", err)
	}
	names, _ := s.Callbacks.([]any)
	l.pools = slices.Contains(append(names, s.Callbacks), any("dynamic_rate_limiter_v3"))
	if s.More.Default != nil {
		l.fallback = *s.More.Default
	}
	if s.More.Threshold != nil {
		l.threshold = *s.More.Threshold
	}
	if s.More.TTL != nil {
		l.ttl = time.Duration(round(*s.More.TTL*1000)) * time.Millisecond
	}
	var err error
	if l.reservations, err = readReservations(s.Reservations, c); err != nil {
		return l, fmt.Errorf("litellm_settings.priority_reservation: %w", err)
	}
	l.reserves = l.reservations != nil
	return l, nil
}

// readReservations keeps the order of the members: LiteLLM sums them in it, and
// a sum that comes out a hair above 1 moves all parts.
func readReservations(text json.RawMessage, c Capacity) ([]reservation, error) {
	if len(text) == 0 || bytes.Equal(text, []byte("null")) {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("an object is wanted")
	}
	all := []reservation{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		part, err := partOf(value, c)
		if err != nil {
			return nil, fmt.Errorf("%v: %w", name, err)
		}
		all = append(all, reservation{name.(string), part})
	}
	return all, nil
}

// partOf is LiteLLM's convert_priority_to_percent: a number is the part itself,
// {"type": "rpm", "value": x} is x of the model's rpm, and where the model has no
// such limit x is the part itself.
func partOf(value any, c Capacity) (float64, error) {
	if part, ok := value.(float64); ok {
		return part, nil
	}
	object, ok := value.(map[string]any)
	if !ok {
		return 0, errors.New("a fraction or an object is wanted")
	}
	part := 1.0
	if v, ok := object["value"].(float64); ok {
		part = v
	}
	switch {
	case object["type"] == "rpm" && c.RPM > 0:
		part /= float64(c.RPM)
	case object["type"] == "tpm" && c.TPM > 0:
		part /= float64(c.TPM)
	}
	return part, nil
}

// reserved returns the part of a priority and whether it has one.
func (l *limiter) reserved(priority string) (float64, bool) {
	for _, r := range l.reservations {
		if r.priority == priority {
			return r.part, true
		}
	}
	return 0, false
}

// normalised returns the reservations as v3 uses them: where they sum to more
// than 1, each is divided by the sum.
func (l *limiter) normalised(priority string) (float64, bool) {
	part, ok := l.reserved(priority)
	sum := 0.0
	for _, r := range l.reservations {
		sum += r.part
	}
	if ok && sum > 1 {
		part /= sum
	}
	return part, ok
}
