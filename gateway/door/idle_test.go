package door

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"

	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/packet"
)

// TestAnIdleConnectionKeepsLittle bounds the bytes that a device with a certificate and three subscriptions keeps in the server while
// it waits: some 5,000 here, the client's socket included. What only the handshake needed would add 4,100, and the buffers of a
// read 1,600.
func TestAnIdleConnectionKeepsLittle(t *testing.T) {
	const n, bound = 200, 5900
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere a goroutine waits for each connection, and keeps what it reads with")
	}
	s, err := gateway.New(t.Context(), gateway.Options{Authorizer: anybody{}, SlimTLS: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	d, addr, _ := open(t, MQTTS, func(o *Options) { o.MQTT, o.Wrap = s.ServeTLS, s.Wrap })
	device := newCertificate(t, ecdsaKey())
	sockets := make([]net.Conn, n)
	connect := func(i int) {
		var err error
		if sockets[i], err = net.Dial("tcp", addr); err != nil {
			t.Fatal(err)
		}
		front := tls.Client(sockets[i], &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{device}})
		name := fmt.Sprint("device-", i)
		front.Write((&packet.Connect{Version: packet.V311, ClientID: name, Clean: true}).Append(nil, packet.V311))
		answer := make([]byte, 4+7)
		io.ReadFull(front, answer[:4])
		subscribe := &packet.Subscribe{ID: 1}
		for _, filter := range []string{"notify-next", "+/get/+", "start-next/+"} {
			subscribe.Subscriptions = append(subscribe.Subscriptions, packet.Subscription{Filter: "$aws/things/" + name + "/jobs/" + filter, QoS: 1})
		}
		front.Write(subscribe.Append(nil, packet.V311))
		if _, err := io.ReadFull(front, answer[4:]); err != nil { // here the client's own TLS state goes
			t.Fatal(err)
		}
	}
	inUse := func() int {
		waitFor(t, "all wait", func() bool { return d.Stats().Waiting == 0 && s.Stats().Waiting == 0 && d.gate.rests() })
		var m runtime.MemStats
		for range 3 { // pools and finalizers keep things for a collection
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	const first = n / 2 // what is made once, and room in maps, is made before counting
	for i := range first {
		connect(i)
	}
	before := inUse()
	for i := first; i < n; i++ {
		connect(i)
	}
	kept := (inUse() - before) / (n - first)
	for _, c := range sockets {
		c.Close()
	}
	t.Logf("%d bytes each", kept)
	if kept > bound {
		t.Errorf("an idle connection keeps %d bytes, want at most %d", kept, bound)
	}
}
