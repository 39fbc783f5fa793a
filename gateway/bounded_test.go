package gateway

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
)

// lease is an Authorizer of connections that must end.
type lease struct {
	Grant
	until func() time.Time
}

func (l lease) Connect(context.Context, Connect) (Grant, error) { return l, nil }
func (l lease) Until() time.Time                                { return l.until() }

func TestAConnectionEndsWithItsRights(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		synctest.Test(t, func(t *testing.T) {
			end := time.Now().Add(time.Hour)
			presence := make(chan Presence, 2)
			b := newBench(t, Options{
				Authorizer: lease{permit{}, func() time.Time { return end }},
				Presence:   func(p Presence) { presence <- p },
			})
			c := b.connect(v, "lamp")
			<-presence
			for range 59 {
				time.Sleep(time.Minute)
				c.ExpectNothing()
			}
			time.Sleep(55 * time.Second)
			c.ExpectNothing()
			c.ExpectDisconnect(packet.NotAuthorized)
			if late := time.Since(end); late < 0 || late > 5*time.Second {
				t.Errorf("ended %v after the rights", late)
			}
			if p := <-presence; p.Connected || p.Cause != AuthError {
				t.Errorf("presence %+v, want disconnected for %v", p, AuthError)
			}
		})
	})
}

func TestRightsLostWhileConnectingEndTheConnection(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			b := newBench(t, Options{Authorizer: lease{permit{}, func() time.Time {
				if asked++; asked == 1 {
					return time.Time{}
				}
				return time.Unix(0, 0) // lost before the connection could be found
			}}})
			b.connect(v, "lamp").ExpectDisconnect(packet.NotAuthorized)
			if n := b.Stats().Connections; n != 0 {
				t.Errorf("%d connections are left, want none", n)
			}
		})
	})
}

func TestDisconnectOverEndsThoseWhoseRightsEnded(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		synctest.Test(t, func(t *testing.T) {
			var over atomic.Bool
			b := newBench(t, Options{Authorizer: lease{permit{}, func() time.Time {
				if over.Load() {
					return time.Unix(0, 0)
				}
				return time.Time{}
			}}})
			c := b.connect(v, "lamp")
			if n := b.DisconnectOver(); n != 0 {
				t.Errorf("DisconnectOver ended %d connections, want none", n)
			}
			c.ExpectNothing()
			over.Store(true)
			if n := b.DisconnectOver(); n != 1 {
				t.Errorf("DisconnectOver ended %d connections, want 1", n)
			}
			c.ExpectDisconnect(packet.NotAuthorized)
		})
	})
}
