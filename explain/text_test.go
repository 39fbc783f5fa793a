package explain

import (
	"testing"
	"time"

	"github.com/muster-iot/muster"
)

func TestDurationsAreInTheirLargestUnit(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 59 * time.Second: "59 s", time.Minute: "1 min", 59*time.Minute + 59*time.Second: "59 min",
		time.Hour: "1 h", 47 * time.Hour: "47 h", 48 * time.Hour: "2 d", 400 * time.Hour: "16 d",
	} {
		if got := duration(muster.Instant(d.Milliseconds())); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

func TestSentencesShowInstantsOfTheZone(t *testing.T) {
	east := time.FixedZone("east", 16*60*60) // there it is tomorrow
	for _, test := range []struct {
		zone *time.Location
		at   muster.Instant
		want string
	}{
		{nil, now, "08:29:22"},
		{nil, ago(9 * time.Hour), "2026-11-27 23:29"},
		{east, now, "00:29:22"},
		{east, ago(time.Hour), "2026-11-28 23:29"},
	} {
		m := matterOf(Facts{Now: now, Zone: test.zone})
		if got := m.when(test.at); got != test.want {
			t.Errorf("%s in %v is %q, want %q", instant(test.at), test.zone, got, test.want)
		}
	}
}

func TestExcerptsAreShortAndTame(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "",
		"one two":                       "one two",
		"one two three four":            "one two three…",
		"a\n\tb":                        "a b",
		"\x1b[31mred":                   "\ufffd[31mred",
		"\xff":                          "\ufffd",
		string(make([]byte, 300)) + "x": "",
	} {
		got := excerpt(text, 3)
		if want == "" && text != "" {
			if len(got) > excerptMax+len("…") {
				t.Errorf("%d bytes", len(got))
			}
			continue
		}
		if got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
