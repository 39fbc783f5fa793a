package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/muster-iot/muster/gateway/packet"
)

// residentBytes is the memory the process holds.
func residentBytes(b *testing.B) int {
	b.Helper()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip("needs /proc")
	}
	pages, _ := strconv.Atoi(string(bytes.Fields(statm)[1]))
	return pages * os.Getpagesize()
}

// rawClient is a TCP client without a goroutine: what it costs is a socket.
func rawClient(b *testing.B, addr, id string, filters ...string) net.Conn {
	b.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	wire := (&packet.Connect{Version: packet.V311, ClientID: id, Clean: true, KeepAlive: 1200}).Append(nil, packet.V311)
	answer := 4
	if len(filters) > 0 {
		p := &packet.Subscribe{ID: 1}
		for _, f := range filters {
			p.Subscriptions = append(p.Subscriptions, packet.Subscription{Filter: f, QoS: 1})
		}
		wire = p.Append(wire, packet.V311)
		answer += 4 + len(filters)
	}
	c.Write(wire)
	for buf := make([]byte, 64); answer > 0; {
		n, err := c.Read(buf)
		if err != nil {
			b.Fatal(err)
		}
		answer -= n
	}
	return c
}

// BenchmarkIdleConnection reports the resident bytes per idle TCP connection with three subscriptions, the client's side of the
// loopback connection included (some 300 bytes here, not counting the kernel's memory).
func BenchmarkIdleConnection(b *testing.B) {
	const n = 5000
	s := newBench(b, Options{Log: quiet})
	addr := s.listenB(b)
	for b.Loop() {
		runtime.GC()
		before := residentBytes(b)
		conns := make([]net.Conn, n)
		for i := range conns {
			thing := fmt.Sprintf("$aws/things/device-%06d/jobs/", i)
			conns[i] = rawClient(b, addr, fmt.Sprintf("device-%06d", i), thing+"notify-next", thing+"+/get/+", thing+"start-next/+")
		}
		b.ReportMetric(float64(residentBytes(b)-before)/n, "B/conn")
		runtime.GC()
		b.ReportMetric(float64(residentBytes(b)-before)/n, "B/conn-after-gc")
		for _, c := range conns {
			c.Close()
		}
	}
}

func (b *bench) listenB(tb *testing.B) string { b.t = tb; return b.listen() }

// BenchmarkRequest is one jobs request over loopback TCP, QoS 1 in and QoS 0 out, the client's part included.
func BenchmarkRequest(b *testing.B) {
	for _, conns := range []int{1, 100} {
		b.Run(fmt.Sprint(conns, " connections"), func(b *testing.B) {
			s := newBench(b, Options{Authorizer: open{}, Reserved: echo{}, Log: quiet, Limits: Limits{PublishRate: 1 << 30}})
			addr := s.listenB(b)
			request := (&packet.Publish{Topic: "$aws/things/t/jobs/get", Payload: make([]byte, 330), QoS: 1, ID: 1}).Append(nil, packet.V311)
			answer := (&packet.Publish{Topic: "$aws/things/t/jobs/get/accepted", Payload: make([]byte, 330)}).Size(packet.V311) + 4
			work := make(chan struct{}, conns)
			var clients sync.WaitGroup
			for i := range conns {
				c := rawClient(b, addr, fmt.Sprint("c", i))
				clients.Go(func() {
					defer c.Close()
					buf := make([]byte, answer)
					for range work {
						c.Write(request)
						for got := 0; got < answer; {
							n, err := c.Read(buf[got:])
							if err != nil {
								b.Error(err)
								return
							}
							got += n
						}
					}
				})
			}
			b.ReportAllocs()
			for b.Loop() {
				work <- struct{}{}
			}
			close(work)
			clients.Wait()
		})
	}
}

// BenchmarkHandleRequest is the server's part of that alone, without a socket.
func BenchmarkHandleRequest(b *testing.B) {
	s, err := New(b.Context(), Options{Authorizer: open{}, Reserved: echo{}, Limits: Limits{PublishRate: 1 << 30}})
	if err != nil {
		b.Fatal(err)
	}
	c := s.newConn(nowhere{}, Peer{})
	c.input((&packet.Connect{Version: packet.V311, ClientID: "c", Clean: true}).Append(nil, packet.V311))
	request := (&packet.Publish{Topic: "$aws/things/t/jobs/get", Payload: make([]byte, 330), QoS: 1, ID: 1}).Append(nil, packet.V311)
	b.ReportAllocs()
	for b.Loop() {
		c.input(request)
	}
}

// BenchmarkVisit is the server's part of a device that connects, subscribes, asks twice and is lost, without a socket.
func BenchmarkVisit(b *testing.B) {
	s, err := New(b.Context(), Options{
		Authorizer: open{}, Reserved: echo{}, Presence: func(Presence) {}, Interest: func(Interest) {},
	})
	if err != nil {
		b.Fatal(err)
	}
	const thing = "$aws/things/lamp/jobs/"
	hello := (&packet.Connect{Version: packet.V311, ClientID: "lamp", Clean: true, KeepAlive: 1200}).Append(nil, packet.V311)
	subscribe := (&packet.Subscribe{ID: 1, Subscriptions: []packet.Subscription{
		{Filter: thing + "notify-next", QoS: 1}, {Filter: thing + "start-next/+", QoS: 1}, {Filter: thing + "+/update/+", QoS: 1},
	}}).Append(nil, packet.V311)
	start := (&packet.Publish{Topic: thing + "start-next", Payload: make([]byte, 100), QoS: 1, ID: 1}).Append(nil, packet.V311)
	update := (&packet.Publish{Topic: thing + "fw/update", Payload: make([]byte, 100), QoS: 1, ID: 1}).Append(nil, packet.V311)
	lost := errors.New("lost")
	b.ReportAllocs()
	for b.Loop() {
		c := s.newConn(nowhere{}, Peer{Addr: "127.0.0.1:12345", Transport: "tcp"})
		s.admit(c)
		s.wheel.set(&c.timer, c, c.start.Add(s.o.Limits.ConnectTimeout))
		for _, p := range [][]byte{hello, subscribe, start, update} {
			c.input(p)
		}
		c.lose("read", lost)
		s.dismiss(c)
	}
}

// BenchmarkFanOut is one publish to 10,000 subscribers, until it is in all their buffers.
func BenchmarkFanOut(b *testing.B) {
	s, err := New(b.Context(), Options{Authorizer: open{}})
	if err != nil {
		b.Fatal(err)
	}
	for i := range 10_000 {
		c := s.newConn(nowhere{}, Peer{})
		c.input((&packet.Connect{Version: packet.V311, ClientID: fmt.Sprint(i), Clean: true}).Append(nil, packet.V311))
		c.input((&packet.Subscribe{ID: 1, Subscriptions: []packet.Subscription{{Filter: "all"}}}).Append(nil, packet.V311))
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Publish(Message{Topic: "all", Payload: make([]byte, 100)}, nil)
	}
}
