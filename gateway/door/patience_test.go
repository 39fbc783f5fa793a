package door

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster/gateway/poll"
)

// occupy takes the only turn at the door's gate; what it returns gives it back.
func occupy(t *testing.T, d *Door) (leave func()) {
	t.Helper()
	if err := d.gate.enter(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	return d.gate.leave
}

// queued returns how many handshakes wait for their turn.
func (g *gate) queued() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.begun) + len(g.fresh)
}

// TestWaitingForATurnIsNotTheClientsTime: clients that do their part are served, however long the server was busy with others.
func TestWaitingForATurnIsNotTheClientsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 20
		d, p := openPipes(t, MQTTS, Options{AtOnce: 1, HandshakeTimeout: 10 * time.Second})
		config := &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{newCertificate(t, ecdsaKey())}}
		leave := occupy(t, d)
		served := make(chan error, n)
		for i := range n {
			c := p.dial(t)
			c.SetDeadline(time.Time{}) // this client has patience
			go func() {
				said, err := io.ReadAll(tls.Client(c, config))
				if err == nil && string(said) != "hello" {
					err = errors.New("it heard " + string(said))
				}
				served <- err
			}()
			synctest.Wait()
			if got := d.gate.queued(); got != i+1 {
				t.Fatalf("%d handshakes wait for their turn, want %d", got, i+1)
			}
		}
		time.Sleep(time.Hour)
		leave()
		for range n {
			if err := <-served; err != nil {
				t.Errorf("a client that waited for an hour: %v", err)
			}
		}
		if got := d.Stats(); got.Handshakes != n || got.Failed != 0 {
			t.Errorf("%d handshakes, %d failed; want %d, 0", got.Handshakes, got.Failed, n)
		}
	})
}

// TestTheClientsTimeIsThatOfAllItsPartsTogether: a client that lets the server wait twice has no more time than one that
// does so once.
func TestTheClientsTimeIsThatOfAllItsPartsTogether(t *testing.T) {
	flight := firstFlight(t)
	synctest.Test(t, func(t *testing.T) {
		d, p := openPipes(t, MQTTS, Options{AtOnce: 1, HandshakeTimeout: 10 * time.Second})
		leave := occupy(t, d)
		c := p.dial(t)
		began := time.Now()
		time.Sleep(6 * time.Second)
		c.Write(flight)
		time.Sleep(6 * time.Second) // for its turn
		leave()
		c.SetDeadline(time.Time{})
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(began); got != 16*time.Second {
			t.Errorf("it was cut off after %v, want 10 s and the 6 s that the server took", got)
		}
	})
}

// TestNothingIsComputedForAClientThatHungUp: when devices lose patience and come back, those that wait now are served, not those that
// have gone.
func TestNothingIsComputedForAClientThatHungUp(t *testing.T) {
	var asked atomic.Int64
	p, err := poll.New()
	if err != nil {
		t.Skip(err) // a connection that cannot be polled cannot tell either
	}
	p.Close()
	d, addr, _ := open(t, MQTTS, func(o *Options) {
		certificates := o.Certificates
		o.Certificates = func() []tls.Certificate { asked.Add(1); return certificates() }
		o.AtOnce = 1
		o.Wrap = func(c net.Conn) net.Conn { return poll.Wrap(c) }
	})
	leave := occupy(t, d)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(firstFlight(t)); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "it waits for its turn", func() bool { return d.gate.queued() == 1 })
	c.Close()
	leave()
	waitFor(t, "its handshake is over", func() bool { return d.Stats().Failed == 1 })
	if n := asked.Load(); n != 0 {
		t.Errorf("an answer was made for a client that had gone")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := d.gate.enter(ctx, false); err != nil {
		t.Errorf("the gate is not free again: %v", err)
	}
}
