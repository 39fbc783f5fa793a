package gateway

import (
	"testing"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
)

func TestWanted(t *testing.T) {
	both(t, func(t *testing.T, version byte) {
		b := newBench(t, Options{})
		c := b.connect(version, "lamp")
		c.Subscribe(1, "a/+", "b")
		for name, want := range map[string]bool{"a/x": true, "b": true, "a": false, "a/x/y": false} {
			if got := b.Wanted(name); got != want {
				t.Errorf("Wanted(%q) = %v, want %v", name, got, want)
			}
		}
	})
}

func TestWantedEvents(t *testing.T) {
	both(t, func(t *testing.T, version byte) {
		b := newBench(t, Options{})
		c := b.connect(version, "fleet")
		const came, done = "$aws/events/presence/connected/lamp", "$aws/events/job/fw/completed"
		check := func(when string, presence, job bool) {
			t.Helper()
			if b.Wanted(came) != presence || b.Wanted(done) != job {
				t.Errorf("%s: wanted %v and %v, want %v and %v", when, b.Wanted(came), b.Wanted(done), presence, job)
			}
		}
		check("without a subscription", false, false)
		c.Subscribe(1, "$aws/events/presence/+/#")
		check("with one", true, false)
		c.Subscribe(1, "$share/g/$aws/events/job/#")
		check("with a shared one, too", true, true)
		c.Send(&packet.Unsubscribe{ID: 9, Filters: []string{"$aws/events/presence/+/#"}})
		c.Next()
		check("without the first", false, true)
		c.Close()
		for b.Stats().Sessions > 0 {
			time.Sleep(time.Millisecond)
		}
		check("after the end", false, false)
	})
}
