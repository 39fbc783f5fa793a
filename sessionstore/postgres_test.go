package sessionstore_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/sessiontest"
	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/sessionstore"
	"github.com/muster-iot/muster/store/pgstore"
)

// byNode is the sessions of one database as two nodes see them.
type byNode struct {
	*sessionstore.Shared
	other *sessionstore.Shared
}

func (b byNode) of(node gateway.Node) *sessionstore.Shared {
	if node%2 == 0 {
		return b.other
	}
	return b.Shared
}

func (b byNode) Claim(ctx context.Context, by gateway.Node, claims []gateway.Claim) ([]gateway.Claimed, error) {
	return b.of(by).Claim(ctx, by, claims)
}

func (b byNode) WriteAs(ctx context.Context, by gateway.Node, changes []gateway.Change) (gateway.Written, error) {
	return b.of(by).WriteAs(ctx, by, changes)
}

// onDatabase returns the sessions in a new database, of two nodes with stores of their own.
func onDatabase(t *testing.T) byNode {
	t.Helper()
	database := postgres.Shared(t).Database(t)
	var all [2]*sessionstore.Shared
	for i := range all {
		s, err := pgstore.Open(t.Context(), pgstore.Options{Database: database, Node: fmt.Sprint("node-", i), Lanes: 2, Shared: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		all[i] = sessionstore.OnShared(s, reserve.Endless)
	}
	return byNode{all[0], all[1]}
}

func TestSharedInPostgreSQL(t *testing.T) {
	sessiontest.RunShared(t, func(t *testing.T) gateway.SharedSessions { return onDatabase(t) })
}

// Ten thousand clients that move to another node at once.
func TestTenThousandClaims(t *testing.T) {
	s := onDatabase(t)
	const clients, group = 10_000, 500
	for node := range gateway.Node(2) {
		began := time.Now()
		for from := 0; from < clients; from += group {
			claims := make([]gateway.Claim, group)
			for i := range claims {
				claims[i] = gateway.Claim{
					Client: fmt.Sprint("device-", from+i), Version: 5, Principal: "p", Begin: &gateway.SessionRecord{Version: 5, Principal: "p", Expiry: time.Hour},
				}
			}
			all, err := s.Claim(t.Context(), node+1, claims)
			if err != nil {
				t.Fatal(err)
			}
			for _, got := range all {
				if got.Hold.Node != node+1 || got.Former.Node != node || got.Fresh != (node == 0) {
					t.Fatalf("node %d claimed %+v", node+1, got)
				}
			}
		}
		t.Logf("node %d claimed %d sessions in %s", node+1, clients, time.Since(began))
	}
}
