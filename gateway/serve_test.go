package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
)

// listen serves b on a loopback port until the test ends and returns its address.
func (b *bench) listen() string {
	b.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := b.Serve(ctx, l); err != nil {
			b.t.Errorf("Serve: %v", err)
		}
	})
	b.t.Cleanup(func() { cancel(); serving.Wait() })
	return l.Addr().String()
}

func dial(t testing.TB, addr string, version byte) *mqtttest.Client {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return mqtttest.New(t, c, version)
}

// modes runs a test with and without a goroutine for each connection.
func modes(t *testing.T, test func(t *testing.T, v byte, goroutines bool)) {
	for name, goroutines := range map[string]bool{"goroutines": true, "poller": false} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, v byte) { test(t, v, goroutines) })
		})
	}
}

func TestServeOverTCP(t *testing.T) {
	modes(t, func(t *testing.T, v byte, goroutines bool) {
		b := newBench(t, Options{Reserved: echo{}, Goroutines: goroutines})
		addr := b.listen()
		c := dial(t, addr, v)
		c.Connect(packet.Connect{ClientID: "lamp", Clean: true})
		c.Subscribe(1, "a")
		big := string(make([]byte, 100_000)) // many reads
		c.Send(&packet.Publish{Topic: "a", Payload: []byte(big)})
		c.ExpectMessage("a", big)
		for _, one := range (&packet.Publish{Topic: "a", Payload: []byte("dribbled")}).Append(nil, v) {
			c.SendBytes([]byte{one})
		}
		c.ExpectMessage("a", "dribbled")
		c.Send(&packet.Publish{Topic: "a", QoS: 2, ID: 1}, &packet.Publish{Topic: "more", Payload: make([]byte, 100_000)})
		c.ExpectDisconnect(packet.QoSNotSupported) // the last words arrive although input is left unread
	})
}

func TestTakeoverAndShutdownOverTCP(t *testing.T) {
	modes(t, func(t *testing.T, v byte, goroutines bool) {
		b := newBench(t, Options{Goroutines: goroutines})
		addr := b.listen()
		old := dial(t, addr, v)
		old.Connect(packet.Connect{ClientID: "lamp", Clean: true})
		old.Subscribe(1, "a")
		defer old.StopReading()()
		for range 50 {
			b.Publish(Message{Topic: "a", Payload: make([]byte, 100_000), QoS: 1}, nil) // more than sockets hold
		}
		c := dial(t, addr, v)
		c.Connect(packet.Connect{ClientID: "lamp", Clean: true})
		c.ExpectNothing()
		gone := dial(t, addr, v)
		gone.Connect(packet.Connect{ClientID: "gone", Clean: true})
		gone.Close()
		for b.Stats().Connections > 1 {
			c.ExpectNothing()
		}
		silent := dial(t, addr, v) // has not said CONNECT
		silent.SendBytes([]byte{0x10})
		go b.stop()
		c.ExpectDisconnect(packet.ServerShuttingDown)
		silent.ExpectClosed()
	})
}

// exhausted is a listener that has no file descriptors for a while.
type exhausted struct {
	net.Listener
	failures int
}

func (l *exhausted) Accept() (net.Conn, error) {
	if l.failures > 0 {
		l.failures--
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return nil, net.ErrClosed
}

func (l *exhausted) Close() error   { return nil }
func (l *exhausted) Addr() net.Addr { return &net.TCPAddr{} }

func TestServeSurvivesFileDescriptorExhaustion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &exhausted{failures: 100}
		start := time.Now()
		var said bytes.Buffer
		err := Accept(t.Context(), l, slog.New(slog.NewTextHandler(&said, nil)), func(net.Conn) {})
		if !errors.Is(err, net.ErrClosed) || l.failures != 0 {
			t.Errorf("accept returned %v with %d failures to come, want it to go on until the listener is closed", err, l.failures)
		}
		if took := time.Since(start); took < 90*time.Second {
			t.Errorf("100 failures took %v, want pauses of up to a second", took)
		}
		if got := said.String(); strings.Count(got, "level=WARN") != 2 || !strings.Contains(got, "left_out=") {
			t.Errorf("said of 100 failures in less than two minutes:\n%s\nwant two warnings, the second with what was left out", got)
		}
	})
}

func TestClosingAListenerEndsItsPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Listen(&exhausted{failures: 1 << 30}, quiet)
		failed := make(chan error)
		go func() { _, err := l.Accept(); failed <- err }()
		time.Sleep(time.Minute)
		l.Close()
		if err := <-failed; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept returned %v", err)
		}
	})
}

func TestAClosedServerTakesNobody(t *testing.T) {
	b := newBench(t, Options{})
	b.stop()
	b.open(packet.V311).ExpectClosed()
}

// FuzzConversation feeds any bytes to a connected client's and a stranger's connection. The server must survive, keep other
// clients undisturbed, and forget the client completely.
func FuzzConversation(f *testing.F) {
	for _, v := range []byte{packet.V311, packet.V5} {
		var talk []byte
		for _, p := range []packet.Packet{
			&packet.Subscribe{ID: 1, Subscriptions: []packet.Subscription{{Filter: "a/+", QoS: 1}, {Filter: "$share/g/#"}}},
			&packet.Publish{Topic: "a/b", Payload: []byte("x"), QoS: 1, ID: 2, Retain: true},
			&packet.Puback{ID: 1},
			&packet.Publish{Topic: "$aws/things/t/jobs/get", Payload: []byte("x")},
			packet.Pingreq{},
			&packet.Unsubscribe{ID: 3, Filters: []string{"a/+"}},
			&packet.Disconnect{},
		} {
			talk = p.Append(talk, v)
		}
		f.Add(talk, v == packet.V5, true)
		f.Add((&packet.Connect{Version: v, ClientID: "x", Will: &packet.Will{Topic: "w"}}).Append(nil, v), v == packet.V5, false)
	}
	s, err := New(context.Background(), Options{Authorizer: &policy{}, Reserved: echo{}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, bytes []byte, five, connected bool) {
		v := packet.V311
		if five {
			v = packet.V5
		}
		c := s.newConn(nowhere{}, Peer{})
		if connected {
			c.input((&packet.Connect{Version: v, ClientID: "fuzz", Clean: true}).Append(nil, v))
			if c.session == nil {
				t.Fatal("an honest CONNECT was refused")
			}
		}
		for len(bytes) > 0 && !c.hasEnded() {
			n := min(len(bytes), 1+int(bytes[0])%32) // in pieces
			c.input(bytes[:n])
			bytes = bytes[n:]
		}
		c.end(&ending{cause: ConnectionLost})
		if got := s.Stats(); got.Panics != 0 || got.Connections != 0 {
			t.Fatalf("%d panics, %d connections left", got.Panics, got.Connections)
		}
		if connected && s.registry.find("fuzz") != nil {
			t.Fatal("a clean session is left")
		}
	})
}

// nowhere is a connection whose other end reads everything and sends nothing.
type nowhere struct{ net.Conn }

func (nowhere) Write(b []byte) (int, error)        { return len(b), nil }
func (nowhere) Close() error                       { return nil }
func (nowhere) SetWriteDeadline(t time.Time) error { return nil }

func TestAConnectionThatIsLostLeavesNothing(t *testing.T) {
	modes(t, func(t *testing.T, v byte, goroutines bool) {
		b := newBench(t, Options{Goroutines: goroutines})
		addr := b.listen()
		for i := range 10 {
			c := dial(t, addr, v)
			c.Connect(packet.Connect{ClientID: fmt.Sprint("lamp-", i), Clean: true})
			c.Close()
		}
		for b.Stats().Connections > 0 {
			time.Sleep(time.Millisecond)
		}
		b.stop()
		if n := b.wheel.timers(); n != 0 {
			t.Errorf("%d timers are left of connections that were lost", n)
		}
		if s := b.Stats(); s.Connections != 0 || s.Sessions != 0 {
			t.Errorf("%d connections and %d sessions are left", s.Connections, s.Sessions)
		}
	})
}

// slow answers requests when the test lets it.
type slow struct {
	echo
	asked, let chan struct{}
}

func (s slow) Request(Request, func(string, []byte)) { s.asked <- struct{}{}; <-s.let }

func TestAnEndRightBehindInputIsNoticed(t *testing.T) {
	modes(t, func(t *testing.T, v byte, goroutines bool) {
		s := slow{asked: make(chan struct{}), let: make(chan struct{})}
		b := newBench(t, Options{Reserved: s, Goroutines: goroutines})
		addr := b.listen()
		watcher := dial(t, addr, v)
		watcher.Connect(packet.Connect{ClientID: "watcher", Clean: true})
		watcher.Subscribe(0, "will")
		c := dial(t, addr, v)
		c.Connect(packet.Connect{ClientID: "lamp", Clean: true, Will: &packet.Will{Topic: "will"}})
		request := &packet.Publish{Topic: "$aws/things/t/jobs/get"}
		c.Send(request)
		<-s.asked
		c.Send(request)
		c.Close() // the server has both to read at once
		s.let <- struct{}{}
		<-s.asked
		s.let <- struct{}{}
		watcher.ExpectMessage("will", "")
	})
}
