// Package mqtttest is an MQTT client for tests that sends exactly what it is told to, valid or not, and shows exactly what it
// receives. It answers nothing by itself. It is not for use outside of tests.
package mqtttest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
)

// patience is how long an expected packet may take.
const patience = 10 * time.Second

// Client is one raw connection to an MQTT server. A failed expectation fails its test at once.
type Client struct {
	t       testing.TB
	conn    net.Conn
	version byte

	mu      sync.Mutex // guards what follows
	packets []packet.Packet
	err     error // set when no more can come
	news    chan struct{}

	gate chan struct{} // a token, taken to read
}

// New returns a client of the given protocol level on conn, which is closed when the test ends.
func New(t testing.TB, conn net.Conn, version byte) *Client {
	c := &Client{t: t, conn: conn, version: version, news: make(chan struct{}, 1), gate: make(chan struct{}, 1)}
	c.gate <- struct{}{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.read()
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return c
}

func (c *Client) read() {
	var have []byte
	buf := make([]byte, 64<<10)
	for {
		<-c.gate
		n, err := c.conn.Read(buf)
		c.gate <- struct{}{}
		have = append(have, buf[:n]...)
		for err == nil {
			var f packet.Frame
			var taken int
			if f, taken, err = packet.Cut(have, 1<<28); taken == 0 {
				break
			}
			var p packet.Packet
			if p, err = packet.Parse(packet.Frame{Header: f.Header, Body: bytes.Clone(f.Body)}, c.version); err == nil {
				c.heard(p, nil)
			}
			have = have[taken:]
		}
		if err != nil {
			c.heard(nil, err)
			return
		}
	}
}

func (c *Client) heard(p packet.Packet, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p != nil {
		c.packets = append(c.packets, p)
	}
	c.err = err
	select {
	case c.news <- struct{}{}:
	default:
	}
}

// Version returns the protocol level the client speaks.
func (c *Client) Version() byte { return c.version }

// Send sends packets in one write. A closed connection is no failure here; later expectations find it.
func (c *Client) Send(packets ...packet.Packet) {
	c.t.Helper()
	var b []byte
	for _, p := range packets {
		b = p.Append(b, c.version)
	}
	c.SendBytes(b)
}

// SendBytes sends bytes as they are.
func (c *Client) SendBytes(b []byte) {
	c.t.Helper()
	c.conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := c.conn.Write(b); errors.Is(err, net.ErrWriteToConnected) {
		c.t.Fatalf("send: %v", err)
	}
}

// Close closes the connection without a DISCONNECT.
func (c *Client) Close() { c.conn.Close() }

// Heard reports whether a packet has arrived that no expectation has taken.
func (c *Client) Heard() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.packets) > 0
}

// Next returns the next packet.
func (c *Client) Next() packet.Packet {
	c.t.Helper()
	p, err := c.next()
	if err != nil {
		c.t.Fatalf("waiting for a packet: %v", err)
	}
	return p
}

func (c *Client) next() (packet.Packet, error) {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		c.mu.Lock()
		if len(c.packets) > 0 {
			p := c.packets[0]
			c.packets = c.packets[1:]
			c.mu.Unlock()
			return p, nil
		}
		err := c.err
		c.mu.Unlock()
		if err != nil {
			return nil, err
		}
		select {
		case <-c.news:
		case <-deadline.C:
			return nil, fmt.Errorf("nothing came within %v", patience)
		}
	}
}

// Expect fails the test unless the next packets are those given, byte for byte as they would be written.
func (c *Client) Expect(want ...packet.Packet) {
	c.t.Helper()
	for _, w := range want {
		if got := c.Next(); !bytes.Equal(got.Append(nil, c.version), w.Append(nil, c.version)) {
			c.t.Fatalf("got  %T %+v\nwant %T %+v", got, got, w, w)
		}
	}
}

// ExpectNothing fails the test if anything comes before the answer to a PINGREQ sent now.
func (c *Client) ExpectNothing() {
	c.t.Helper()
	c.Send(packet.Pingreq{})
	if got := c.Next(); got != (packet.Pingresp{}) {
		c.t.Fatalf("got %T %+v, want nothing", got, got)
	}
}

// ExpectClosed fails the test unless the server closes the connection without another packet.
func (c *Client) ExpectClosed() {
	c.t.Helper()
	p, err := c.next()
	if err == nil {
		c.t.Fatalf("got %T %+v, want the end of the connection", p, p)
	}
	if ne := net.Error(nil); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) && !errors.As(err, &ne) {
		c.t.Fatalf("got %v, want the end of the connection", err)
	}
}

// ExpectDisconnect fails the test unless the server ends the connection with this reason: in MQTT 5 it says so, in 3.1.1 it
// just closes.
func (c *Client) ExpectDisconnect(reason packet.Reason) {
	c.t.Helper()
	if c.version == packet.V5 {
		got, ok := c.Next().(*packet.Disconnect)
		if !ok || got.Reason != reason {
			c.t.Fatalf("got %T %+v, want DISCONNECT with %v", got, got, reason)
		}
	}
	c.ExpectClosed()
}

// StopReading makes the client stop reading; what was under way is still read. The returned function makes it go on.
func (c *Client) StopReading() (resume func()) {
	stopped := make(chan struct{})
	go func() { <-c.gate; close(stopped) }()
	var once sync.Once
	resume = func() { once.Do(func() { <-stopped; c.gate <- struct{}{} }) }
	return resume
}

// Connect connects and returns the server's CONNACK, whatever it says.
func (c *Client) Connect(p packet.Connect) *packet.Connack {
	c.t.Helper()
	p.Version = c.version
	c.Send(&p)
	ack, ok := c.Next().(*packet.Connack)
	if !ok {
		c.t.Fatalf("CONNECT was not answered with CONNACK")
	}
	return ack
}

// Subscribe subscribes to filters at a QoS and returns the reasons in the answer.
func (c *Client) Subscribe(qos byte, filters ...string) []packet.Reason {
	c.t.Helper()
	p := &packet.Subscribe{ID: 0x5B}
	for _, f := range filters {
		p.Subscriptions = append(p.Subscriptions, packet.Subscription{Filter: f, QoS: qos})
	}
	c.Send(p)
	ack, ok := c.Next().(*packet.Suback)
	if !ok || ack.ID != p.ID {
		c.t.Fatalf("SUBSCRIBE was answered with %+v", ack)
	}
	return ack.Reasons
}

// Publish publishes at QoS 1 and waits for the acknowledgement, which must be a good one and the next packet.
func (c *Client) Publish(topic, payload string) {
	c.t.Helper()
	c.Send(&packet.Publish{Topic: topic, Payload: []byte(payload), QoS: 1, ID: 0x50})
	c.Expect(&packet.Puback{ID: 0x50})
}

// ExpectMessage returns the next packet, which must be a PUBLISH of that topic and payload. At QoS 1 it is acknowledged.
func (c *Client) ExpectMessage(topic, payload string) *packet.Publish {
	c.t.Helper()
	p := c.ExpectUnacknowledged(topic, payload)
	if p.QoS == 1 {
		c.Send(&packet.Puback{ID: p.ID})
	}
	return p
}

// ExpectUnacknowledged is ExpectMessage without the acknowledgement.
func (c *Client) ExpectUnacknowledged(topic, payload string) *packet.Publish {
	c.t.Helper()
	got := c.Next()
	p, ok := got.(*packet.Publish)
	if !ok || p.Topic != topic || string(p.Payload) != payload {
		c.t.Fatalf("got %T %+v, want a PUBLISH of %q to %q", got, got, payload, topic)
	}
	return p
}
