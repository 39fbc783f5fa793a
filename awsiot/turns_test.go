package awsiot

import (
	"net/http"
	"testing"
	"time"

	"github.com/muster-iot/muster/turns"
)

// Background work gives way to whoever asks, but not to strangers.
func TestAnOperationSaysThatSomebodyAsks(t *testing.T) {
	all := turns.New(turns.Options{Processors: 2, Now: func() time.Time { return time.Time{} }})
	env := newEnvWith(t, Options{Turns: all})
	stranger := env.key
	stranger.Secret += "?"
	env.key, stranger = stranger, env.key
	if got := env.send("GET", "/things", ""); got.status != http.StatusForbidden || all.Asking() {
		t.Errorf("a stranger is answered %d, and asks: %v; want 403 and false", got.status, all.Asking())
	}
	env.key = stranger
	if env.must("GET", "/things", ""); !all.Asking() {
		t.Error("nobody asks after an operation")
	}
}
