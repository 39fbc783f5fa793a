//go:build unix

package natsbus_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/muster-iot/muster/cluster/natsbus"
	"github.com/muster-iot/muster/internal/nats"
)

// A server that answers no more, and ends no connection either, is noticed within a second and a half.
func TestAServerThatIsFrozen(t *testing.T) {
	s := nats.Start(t, nats.Options{})
	b := join(t, natsbus.Options{Servers: s.URL()})
	if err := s.Process().Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	frozen := time.Now()
	eventually(t, "the bus is down", func() bool { return !b.Up() })
	if took := time.Since(frozen); took > 3*time.Second { // twice as long, since other tests run beside this one
		t.Errorf("it took %v", took)
	}
	if err := s.Process().Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the bus is up", b.Up)
}
