package sessionstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/sessiontest"
	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/sessionstore"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/storetest"
)

// newShared returns the sessions in a new store of two lanes.
func newShared(t testing.TB, longest time.Duration) *sessionstore.Shared {
	s := storetest.NewSite(memstore.New(), time.Now, 2, 1, longest).Join()
	t.Cleanup(func() { s.Close() })
	return sessionstore.OnShared(s, reserve.Endless)
}

func TestSharedInMemory(t *testing.T) {
	sessiontest.RunShared(t, func(t *testing.T) gateway.SharedSessions { return newShared(t, 50*time.Microsecond) })
}

func TestSharedSessionsAreSessions(t *testing.T) {
	sessiontest.Run(t, func(t *testing.T) func() gateway.SessionStore {
		s := newShared(t, 0)
		return func() gateway.SessionStore { return s }
	})
}

// A store without lanes is good for tests of several servers.
func TestSharedWithoutLanes(t *testing.T) {
	in := memstore.New()
	defer in.Close()
	s := sessionstore.OnShared(in, reserve.Endless)
	for node := range gateway.Node(3) {
		all, err := s.Claim(t.Context(), node+1, []gateway.Claim{{Client: "a"}})
		if err != nil || all[0].Former.Node != node {
			t.Errorf("node %d: %+v, %v", node+1, all, err)
		}
	}
}

func TestNothingIsClaimedOnAFullDisk(t *testing.T) {
	full := errors.New("full")
	s := sessionstore.OnShared(memstore.New(), func(reserve.Use, int64) error { return full })
	if _, err := s.Claim(t.Context(), 1, []gateway.Claim{{Client: "a"}}); !errors.Is(err, full) {
		t.Errorf("Claim: %v", err)
	}
	if _, err := s.WriteAs(t.Context(), 1, nil); !errors.Is(err, full) {
		t.Errorf("WriteAs: %v", err)
	}
}

func BenchmarkClaim(b *testing.B) {
	s := newShared(b, 0)
	var all []gateway.Claim
	for i := range 500 {
		all = append(all, gateway.Claim{Client: fmt.Sprint("device-", i)})
	}
	for b.Loop() {
		if _, err := s.Claim(b.Context(), 1, all); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(all)), "µs/claim")
}
