package nats

import (
	"errors"
	"testing"

	"github.com/muster-iot/muster/internal/needs"
)

// Start starts a server that ends with the test. It skips the test, or fails it as package
// needs says, on a machine that cannot build one.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Launch(o)
	if errors.Is(err, ErrMissing) {
		needs.Skip(t, "nats", err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("end of the NATS server: %v", err)
		}
	})
	return s
}
