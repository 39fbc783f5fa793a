package gateway_test

import (
	"testing"

	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/sessiontest"
)

func TestMemorySessions(t *testing.T) {
	sessiontest.Run(t, func(*testing.T) (reopen func() gateway.SessionStore) {
		m := gateway.NewMemorySessions()
		return func() gateway.SessionStore { return m }
	})
}

func TestMemorySessionsAreShared(t *testing.T) {
	sessiontest.RunShared(t, func(*testing.T) gateway.SharedSessions { return gateway.NewMemorySessions() })
}
