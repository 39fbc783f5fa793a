package gateway

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
)

// countedSessions counts how often each client's session is written.
type countedSessions struct {
	*MemorySessions
	mu   sync.Mutex
	puts map[string]int
}

func newCountedSessions() *countedSessions {
	return &countedSessions{MemorySessions: NewMemorySessions(), puts: map[string]int{}}
}

func (s *countedSessions) Write(ctx context.Context, changes []Change) error {
	s.mu.Lock()
	for _, c := range changes {
		if c.Kind == PutSession {
			s.puts[c.Client]++
		}
	}
	s.mu.Unlock()
	return s.MemorySessions.Write(ctx, changes)
}

// writesAfterCrash lets a device with two subscriptions be connected until a crash, runs then on a server with what was stored
// by then, and returns how often that writes the session before it stops, and what is stored then.
func writesAfterCrash(t *testing.T, version byte, then func(*bench)) (puts int, stored SessionRecord) {
	t.Helper()
	kept := newCountedSessions()
	first := newBench(t, Options{Sessions: kept})
	c := first.resume(version, "lamp", false)
	c.Subscribe(1, "a", "b")
	first.awaitWritten("lamp")
	crashed := newCountedSessions()
	_ = kept.Load(t.Context(), func(s StoredSession) error {
		return crashed.Write(t.Context(), []Change{{Kind: PutSession, Client: s.Client, Session: s.Session}})
	})
	crashed.puts = map[string]int{}
	second := newBench(t, Options{Sessions: crashed})
	then(second)
	second.awaitWritten("lamp")
	crashed.mu.Lock()
	defer crashed.mu.Unlock()
	return crashed.puts["lamp"], crashed.sessions["lamp"].record
}

// awaitWritten waits until all changes so far are written.
func (b *bench) awaitWritten(client string) {
	b.t.Helper()
	done := make(chan error, 1)
	commit := b.journal.add(Change{Kind: DropMessage, Client: client, Number: 1 << 40})
	b.journal.then(commit, func(err error) { done <- err })
	if err := <-done; err != nil {
		b.t.Fatal(err)
	}
}

// depart closes the connection of lamp and waits until its session is without one.
func (b *bench) depart(c *mqtttest.Client) {
	c.Close()
	for shard := b.registry.shard("lamp"); ; time.Sleep(time.Millisecond) {
		shard.mu.Lock()
		s := shard.sessions["lamp"]
		shard.mu.Unlock()
		s.mu.Lock()
		away := s.conn == nil
		s.mu.Unlock()
		if away {
			return
		}
	}
}

func TestWhatComesBackAfterACrashIsNotWrittenAgain(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		puts, stored := writesAfterCrash(t, v, func(b *bench) {
			c := b.resume(v, "lamp", true)
			c.Subscribe(1, "a", "b")
			b.resume(v, "lamp", true) // takes over: connected as before
		})
		if puts != 0 || !stored.Away.IsZero() || len(stored.Subscriptions) != 2 {
			t.Errorf("the session was written %d times, and is now %+v; want none, and connected with two subscriptions", puts, stored)
		}
	})
}

func TestWhatChangesAfterACrashIsWritten(t *testing.T) {
	filters := func(r SessionRecord) (all []string) {
		for _, s := range r.Subscriptions {
			all = append(all, s.Filter)
		}
		return all
	}
	for name, change := range map[string]struct {
		then func(*bench)
		is   func(SessionRecord) bool
	}{
		"another subscription": {
			func(b *bench) { b.resume(packet.V5, "lamp", true).Subscribe(0, "c") },
			func(r SessionRecord) bool { return slices.Equal(filters(r), []string{"a", "b", "c"}) },
		},
		"another QoS": {
			func(b *bench) { b.resume(packet.V5, "lamp", true).Subscribe(0, "b") },
			func(r SessionRecord) bool { return r.Subscriptions[1].QoS == 0 },
		},
		"a filter that is permitted no more": {
			func(b *bench) { b.policy.deny("subscribe a"); b.resume(packet.V5, "lamp", true) },
			func(r SessionRecord) bool { return slices.Equal(filters(r), []string{"b"}) },
		},
		"a subscription less": {
			func(b *bench) {
				c := b.resume(packet.V5, "lamp", true)
				c.Send(&packet.Unsubscribe{ID: 7, Filters: []string{"a"}})
				c.Next()
			},
			func(r SessionRecord) bool { return slices.Equal(filters(r), []string{"b"}) },
		},
		"another expiry": {
			func(b *bench) {
				p := lasting("lamp")
				p.Properties = packet.Properties(nil).WithInt(packet.SessionExpiry, 60)
				b.connectWith(packet.V5, p)
			},
			func(r SessionRecord) bool { return r.Expiry.Seconds() == 60 },
		},
		"an end": {
			func(b *bench) { b.depart(b.resume(packet.V5, "lamp", true)) },
			func(r SessionRecord) bool { return !r.Away.IsZero() },
		},
		"an end, and a return": {
			func(b *bench) { b.depart(b.resume(packet.V5, "lamp", true)); b.resume(packet.V5, "lamp", true) },
			func(r SessionRecord) bool { return r.Away.IsZero() },
		},
	} {
		t.Run(name, func(t *testing.T) {
			puts, stored := writesAfterCrash(t, packet.V5, change.then)
			if puts == 0 || !change.is(stored) {
				t.Errorf("the session was written %d times, and is now %+v", puts, stored)
			}
		})
	}
}

func TestWhoWasAwayBeforeACrashIsWrittenAsConnected(t *testing.T) {
	kept := NewMemorySessions()
	away := SessionRecord{Version: packet.V5, Principal: "someone", Expiry: time.Hour, Away: time.Now()}
	if err := kept.Write(t.Context(), []Change{{Kind: PutSession, Client: "lamp", Session: away}}); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, Options{Sessions: kept})
	b.resume(packet.V5, "lamp", true)
	b.awaitWritten("lamp")
	kept.mu.Lock()
	defer kept.mu.Unlock()
	if stored := kept.sessions["lamp"].record; !stored.Away.IsZero() {
		t.Errorf("the session of a connected client is stored as %+v", stored)
	}
}
