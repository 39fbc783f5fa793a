package presence

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/registry"
)

// book keeps what a Recorder records, and fails while fail is set.
type book struct {
	changes []registry.ConnectionChange
	calls   int
	fail    atomic.Bool
}

var errFull = errors.New("full")

func (b *book) RecordConnections(_ context.Context, changes []registry.ConnectionChange) error {
	b.calls++
	if b.fail.Load() {
		return errFull
	}
	b.changes = append(b.changes, changes...)
	return nil
}

// recording runs a Recorder in a synctest bubble. The function that it gives to
// play lets a connection of a client begin (without a cause) or end.
func recording(t *testing.T, play func(t *testing.T, b *book, tell func(client, session string, cause gateway.Cause))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &book{}
		r := New(b, nil)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		play(t, b, func(client, session string, cause gateway.Cause) {
			r.Presence(gateway.Presence{
				Connected: cause == gateway.None, Time: time.Now(), Session: session, Cause: cause, Client: gateway.Connect{ClientID: client},
			})
		})
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestWhatIsRecordedOfAClient(t *testing.T) {
	type step struct {
		session string
		cause   gateway.Cause
	}
	for name, c := range map[string]struct {
		steps []step
		want  muster.Connectivity // without At
		whole bool
	}{
		"a client that came":                       {[]step{{"a", ""}}, muster.Connectivity{Connected: true, Reason: "NONE", Session: "a"}, false},
		"a client that went":                       {[]step{{"a", gateway.ConnectionLost}}, muster.Connectivity{Reason: "CONNECTION_LOST", Session: "a"}, false},
		"a client that came and went":              {[]step{{"a", ""}, {"a", gateway.ClientInitiated}}, muster.Connectivity{Reason: "CLIENT_INITIATED_DISCONNECT", Session: "a"}, true},
		"a client that went and came":              {[]step{{"a", gateway.ConnectionLost}, {"b", ""}}, muster.Connectivity{Connected: true, Reason: "NONE", Session: "b"}, false},
		"a take-over, of which the end comes late": {[]step{{"b", ""}, {"a", gateway.DuplicateClientID}}, muster.Connectivity{Connected: true, Reason: "NONE", Session: "b"}, false},
		"an end that an operator asked for":        {[]step{{"a", gateway.APIInitiated}}, muster.Connectivity{Reason: "SERVER_INITIATED_DISCONNECT", Session: "a"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			recording(t, func(t *testing.T, b *book, tell func(string, string, gateway.Cause)) {
				for _, s := range c.steps {
					tell("lamp", s.session, s.cause)
				}
				time.Sleep(2 * GatherTime)
				synctest.Wait()
				if len(b.changes) != 1 {
					t.Fatalf("%d changes were recorded: %+v; want one", len(b.changes), b.changes)
				}
				got := b.changes[0]
				c.want.At = got.At
				if got.Connectivity != c.want || got.Whole != c.whole || got.Client != "lamp" || got.At == 0 {
					t.Errorf("recorded %+v, want %+v, whole %v", got, c.want, c.whole)
				}
			})
		})
	}
}

func TestAStormIsOneCall(t *testing.T) {
	recording(t, func(t *testing.T, b *book, tell func(string, string, gateway.Cause)) {
		for i := range 10_000 {
			client := fmt.Sprintf("lamp-%d", i)
			tell(client, "old", gateway.ConnectionLost)
			tell(client, "new", gateway.None)
		}
		time.Sleep(2 * GatherTime)
		synctest.Wait()
		if b.calls != 1 || len(b.changes) != 10_000 {
			t.Errorf("%d calls with %d changes; want one with 10000", b.calls, len(b.changes))
		}
	})
}

func TestWhoCanBeNoThingIsNotGathered(t *testing.T) {
	recording(t, func(t *testing.T, b *book, tell func(string, string, gateway.Cause)) {
		tell("", "a", gateway.None)
		tell("a/b", "a", gateway.None)
		time.Sleep(2 * GatherTime)
		synctest.Wait()
		if b.calls != 0 {
			t.Errorf("%+v was recorded", b.changes)
		}
	})
}

func TestWhatCannotBeStoredWaits(t *testing.T) {
	recording(t, func(t *testing.T, b *book, tell func(string, string, gateway.Cause)) {
		b.fail.Store(true)
		tell("lamp", "a", gateway.None)
		tell("pump", "a", gateway.None)
		time.Sleep(GatherTime + GatherTime/2)
		synctest.Wait()
		tell("pump", "a", gateway.ConnectionLost)
		b.fail.Store(false)
		time.Sleep(2 * GatherTime)
		synctest.Wait()
		if len(b.changes) != 2 {
			t.Fatalf("%d changes were recorded: %+v; want two", len(b.changes), b.changes)
		}
		for _, c := range b.changes {
			if c.Connected != (c.Client == "lamp") {
				t.Errorf("%s is recorded as %+v", c.Client, c)
			}
		}
	})
}

func TestTheRestIsRecordedAtTheEnd(t *testing.T) {
	var b *book
	recording(t, func(_ *testing.T, own *book, tell func(string, string, gateway.Cause)) {
		b = own
		tell("lamp", "a", gateway.None)
	})
	if len(b.changes) != 1 {
		t.Errorf("%d changes were recorded, want the one that was left", len(b.changes))
	}
}

func TestConnectionsWithSeveralServersAreOrderedByTheirEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &book{}
		r := New(b, nil)
		r.Presence(gateway.Presence{Connected: true, Time: time.Now(), Session: "a", Version: 7, Epoch: 7, Client: gateway.Connect{ClientID: "lamp"}})
		r.Presence(gateway.Presence{Connected: true, Time: time.Now(), Session: "a", Version: 7, Client: gateway.Connect{ClientID: "alone"}})
		ended, end := context.WithCancel(t.Context())
		end()
		if err := r.Run(ended); err != nil || len(b.changes) != 2 || b.changes[0].Epoch != 0 || b.changes[1].Epoch != 7 {
			t.Errorf("recorded %+v, %v", b.changes, err)
		}
	})
}
