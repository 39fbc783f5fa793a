package sessions_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/mqtttest/sessions"
)

// brokers names other servers to ask, such as "mosquitto=127.0.0.1:1883"; several are separated by commas.
const brokers = "MUSTER_BROKERS"

func TestSessions(t *testing.T) {
	t.Run("gateway", func(t *testing.T) { ask(t, serve(t)) })
	for named := range strings.SplitSeq(os.Getenv(brokers), ",") {
		if name, addr, ok := strings.Cut(named, "="); ok {
			t.Run(name, func(t *testing.T) { ask(t, addr) })
		}
	}
}

func ask(t *testing.T, addr string) {
	sessions.Run(t, func() (net.Conn, error) { return net.Dial("tcp", addr) })
}

// serve runs a gateway until the test ends and returns its address.
func serve(t *testing.T) string {
	t.Helper()
	g, err := gateway.New(t.Context(), gateway.Options{
		Authorizer: guest{}, Sessions: gateway.NewMemorySessions(),
		Limits: gateway.Limits{ConnectTimeout: 3 * time.Second, DrainTime: time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { g.Run(ctx) })
	running.Go(func() { g.Serve(ctx, l) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return l.Addr().String()
}

// guest may do everything below sessions.Root and nothing elsewhere.
type guest struct{}

func (guest) Connect(context.Context, gateway.Connect) (gateway.Grant, error) {
	return guest{}, nil
}
func (guest) Principal() string                  { return "guest" }
func (guest) Publish(topic string, _ bool) error { return within(topic) }
func (guest) Subscribe(filter string) error      { return within(filter) }
func (guest) Receive(topic string) bool          { return within(topic) == nil }

func within(topic string) error {
	if !strings.HasPrefix(topic, sessions.Root+"/") {
		return errors.Join(gateway.ErrRefused, errors.New(topic))
	}
	return nil
}
