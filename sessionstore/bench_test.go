package sessionstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/sessionstore"
	"github.com/muster-iot/muster/store/pebblestore"
)

// BenchmarkLoad reads 10,000 sessions of three subscriptions, of which a hundred have
// messages, as a server does when it starts.
func BenchmarkLoad(b *testing.B) {
	const clients = 10_000
	s, err := pebblestore.Open(b.TempDir(), pebblestore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	sessions := sessionstore.On(s, reserve.Endless)
	var changes []gateway.Change
	for i := range clients {
		client := fmt.Sprintf("device-%07d", i)
		r := gateway.SessionRecord{Version: 4, Principal: client, Expiry: time.Hour}
		for n := range 3 {
			r.Subscriptions = append(r.Subscriptions, gateway.SubscriptionRecord{Filter: fmt.Sprintf("%s/%d", client, n)})
		}
		changes = append(changes, gateway.Change{Kind: gateway.PutSession, Client: client, Session: r})
		if i%100 == 0 {
			changes = append(changes, gateway.Change{Kind: gateway.AddMessage, Client: client, Number: 1})
		}
	}
	if err := sessions.Write(b.Context(), changes); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		err := sessions.Load(b.Context(), func(f gateway.StoredSession) error { n += len(f.Messages); return nil })
		if err != nil || n != clients/100 {
			b.Fatalf("%d messages, %v", n, err)
		}
	}
}
