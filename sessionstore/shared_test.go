package sessionstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/sessiontest"
	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/sessionstore"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/storetest"
)

// timed is a store whose transactions know their moment.
type timed struct {
	store.Laned
	now atomic.Int64
}

type timedTx struct {
	store.Tx
	at store.Moment
}

func (t timedTx) Moment() (store.Moment, error) { return t.at, nil }

func (s *timed) ApplyIn(ctx context.Context, lane int, fn func(store.Tx) error) (func() error, error) {
	return s.Laned.ApplyIn(ctx, lane, func(tx store.Tx) error { return fn(timedTx{tx, store.Moment(s.now.Add(1))}) })
}

// newShared returns the sessions in a new store of two lanes.
func newShared(t testing.TB, longest time.Duration) *sessionstore.Shared {
	s := &timed{Laned: storetest.Skewed(memstore.New(), 2, 1, longest)}
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
