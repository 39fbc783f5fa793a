package operator

import (
	"encoding/json"
	"testing"
	"time"
)

func TestInstantsAreShownToTheMillisecond(t *testing.T) {
	type shown struct {
		At    Instant `json:"at"`
		Unset Instant `json:"unset,omitzero"`
	}
	text, err := json.Marshal(shown{At: At(time.Date(2026, 11, 30, 5, 0, 0, 0, time.FixedZone("", 3600))), Unset: At(time.Time{})})
	if err != nil || string(text) != `{"at":"2026-11-30T04:00:00.000Z"}` {
		t.Errorf("%s, %v", text, err)
	}
	var read shown
	if err := json.Unmarshal([]byte(`{"at":"2026-11-30T04:00:00.123456Z"}`), &read); err != nil || read.At.String() != "2026-11-30T04:00:00.123Z" || !read.Unset.Time().IsZero() {
		t.Errorf("%s, %v", read.At, err)
	}
	if err := json.Unmarshal([]byte(`{"at":"yesterday"}`), &read); err == nil {
		t.Error("read yesterday as", read.At)
	}
}
