package listing

import (
	"encoding/base64"
	"testing"

	"github.com/muster-iot/muster/store/memstore"
)

type filter struct{ Attribute string }

// FuzzPageToken holds that a token opens only for the list that it was made
// for, unchanged, and that no text of a stranger does more than fail.
func FuzzPageToken(f *testing.F) {
	p := NewPager([]byte("a key"))
	name := []any{"things", filter{"a"}}
	good := p.Seal(name, "lamp")
	for _, token := range []string{good, good[1:], good + "=", good + "\n", "", "AAAA", base64.StdEncoding.EncodeToString(make([]byte, 40))} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		var at string
		err := p.Open(token, name, &at)
		switch {
		case token == "" && (err != nil || at != ""):
			t.Errorf("no token opens as %q, %v; want the beginning", at, err)
		case token != "" && err == nil && p.Seal(name, at) != token:
			t.Errorf("%q opens as %q, whose token is %q", token, at, p.Seal(name, at))
		}
		if token != "" && p.Open(token, []any{"things", filter{}}, &at) == nil {
			t.Errorf("%q opens for a list that it was not made for", token)
		}
	})
}

func TestAPageTokenOutlivesTheProcess(t *testing.T) {
	s := memstore.New()
	first, err := Key(t.Context(), s)
	if err != nil || len(first) < 16 {
		t.Fatalf("Key = %q, %v", first, err)
	}
	if again, err := Key(t.Context(), s); err != nil || string(again) != string(first) {
		t.Errorf("Key again = %q, %v; want %q", again, err, first)
	}
}
