package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
)

// client is a minimal MQTT 3.1.1 client: a connection and a read buffer, no
// goroutine.
type client struct {
	net.Conn
	in   *bufio.Reader
	held int  // bytes of in that the last packet points into
	acks bool // it acknowledges what it gets with QoS 1
}

// endpoint is where clients connect.
type endpoint struct {
	addr    string
	devices *fleet // whose certificates clients show; nil for plain TCP
}

// sources are the loopback addresses that clients come from, since one has no
// more than some 28,000 ports.
const sources = 16

// Bounds of one client. An answer takes at most patience, even after 10,000
// handshakes on one core.
const (
	readBuffer = 2048
	patience   = time.Minute
)

// transport opens the TCP connection of client i.
func (e endpoint) transport(ctx context.Context, i int) (net.Conn, error) {
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i%sources))}, Timeout: patience}
	conn, err := from.DialContext(ctx, "tcp", e.addr)
	if err != nil {
		return nil, err
	}
	_ = conn.(*net.TCPConn).SetLinger(0) // its port is free again after Close
	return conn, nil
}

// dial opens the transport of client i, with TLS if the endpoint has it.
func (e endpoint) dial(ctx context.Context, i int) (*client, error) {
	conn, err := e.transport(ctx, i)
	if err != nil {
		return nil, err
	}
	if e.devices != nil {
		conn = tls.Client(conn, e.devices.tlsConfig(i))
	}
	return newClient(conn), nil
}

func newClient(conn net.Conn) *client {
	return &client{Conn: conn, in: bufio.NewReaderSize(conn, readBuffer)}
}

// connect dials, and connects as client id with a clean session or a persistent
// one. It reports whether the server had kept a session.
func (e endpoint) connect(ctx context.Context, i int, id string, clean bool) (c *client, kept bool, err error) {
	if c, err = e.dial(ctx, i); err != nil {
		return nil, false, err
	}
	c.SetDeadline(time.Now().Add(patience))
	defer c.SetDeadline(time.Time{})
	if kept, err = c.greet(id, clean); err != nil {
		c.Close()
		return nil, false, err
	}
	return c, kept, nil
}

// greet sends CONNECT and waits for its answer.
func (c *client) greet(id string, clean bool) (kept bool, err error) {
	if err = c.send(&packet.Connect{Version: packet.V311, ClientID: id, Clean: clean, KeepAlive: 1200}); err == nil {
		kept, err = c.connack()
	}
	if err != nil {
		return false, fmt.Errorf("connect as %s: %w", id, err)
	}
	return kept, nil
}

func (c *client) connack() (kept bool, err error) {
	f, err := c.next()
	if err != nil {
		return false, err
	}
	if f.Type() != packet.CONNACK || len(f.Body) != 2 || f.Body[1] != 0 {
		return false, fmt.Errorf("CONNECT was answered with packet %d %v", f.Type(), f.Body)
	}
	return f.Body[0] == 1, nil
}

func (c *client) send(p packet.Packet) error {
	_, err := c.Write(p.Append(nil, packet.V311))
	return err
}

// next returns the next packet. Its body is valid until the next call.
func (c *client) next() (packet.Frame, error) {
	_, _ = c.in.Discard(c.held) // they are there
	c.held = 0
	header, err := c.in.ReadByte()
	if err != nil {
		return packet.Frame{}, err
	}
	n, err := binary.ReadUvarint(c.in)
	if err != nil || n > readBuffer {
		return packet.Frame{}, fmt.Errorf("a packet of %d bytes: %w", n, err)
	}
	body, err := c.in.Peek(int(n))
	c.held = len(body)
	f := packet.Frame{Header: header, Body: body}
	if err == nil && c.acks && f.Type() == packet.PUBLISH && header>>1&3 == 1 {
		after := 2 + len(topicOf(f))
		err = c.send(&packet.Puback{ID: binary.BigEndian.Uint16(body[after:])})
	}
	return f, err
}

// subscribe subscribes to filters. It drops what a kept session still had for the client.
func (c *client) subscribe(qos byte, filters ...string) error {
	p := &packet.Subscribe{ID: 1}
	for _, filter := range filters {
		p.Subscriptions = append(p.Subscriptions, packet.Subscription{Filter: filter, QoS: qos})
	}
	if err := c.send(p); err != nil {
		return err
	}
	f, err := c.next()
	for err == nil && f.Type() == packet.PUBLISH {
		f, err = c.next()
	}
	if err != nil {
		return err
	}
	if f.Type() != packet.SUBACK || bytes.IndexByte(f.Body[2:], 0x80) >= 0 {
		return fmt.Errorf("SUBSCRIBE was answered with packet %d %v", f.Type(), f.Body)
	}
	return nil
}

var errRejected = errors.New("the request was rejected")

// request publishes a request with QoS 1 and waits for its answer and the
// acknowledgement. wire is from requestPacket.
func (c *client) request(wire []byte) error {
	if _, err := c.Write(wire); err != nil {
		return err
	}
	for answered, acknowledged := false, false; !answered || !acknowledged; {
		f, err := c.next()
		if err != nil {
			return err
		}
		switch f.Type() {
		case packet.PUBLISH:
			topic := topicOf(f)
			if bytes.HasSuffix(topic, []byte("/rejected")) {
				return fmt.Errorf("%w: %s", errRejected, f.Body)
			}
			answered = answered || bytes.HasSuffix(topic, []byte("/accepted")) // else it is a notification
		case packet.PUBACK:
			acknowledged = true
		}
	}
	return nil
}

// topicOf returns the topic of a PUBLISH.
func topicOf(f packet.Frame) []byte {
	n := binary.BigEndian.Uint16(f.Body)
	return f.Body[2 : 2+n]
}

// requestPacket is a jobs request: what follows $aws/things/<thing>/jobs/, and
// the payload.
func requestPacket(thing, operation, payload string) []byte {
	p := packet.Publish{Topic: jobsTopic(thing, operation), Payload: []byte(payload), QoS: 1, ID: 1}
	return p.Append(nil, packet.V311)
}

func jobsTopic(thing, rest string) string { return "$aws/things/" + thing + "/jobs/" + rest }

// deviceFilters are what a device of the AWS SDKs listens to.
func deviceFilters(thing string) []string {
	return []string{jobsTopic(thing, "notify-next"), jobsTopic(thing, "start-next/+"), jobsTopic(thing, "+/update/+")}
}

// connecting is how many clients connect at once where that is not measured.
const connecting = 64

// crowd is many connected clients.
type crowd []*client

// gather connects n clients, each with the client id that name gives it, and
// lets prepare do the rest.
func (e endpoint) gather(ctx context.Context, n int, name func(i int) string, prepare func(c *client, i int) error) (crowd, error) {
	all := make(crowd, n)
	err := inParallel(connecting, n, func(_, i int) error {
		c, _, err := e.connect(ctx, i, name(i), true)
		if err != nil {
			return err
		}
		all[i] = c
		if prepare == nil {
			return nil
		}
		return prepare(c, i)
	})
	if err != nil {
		all.close()
	}
	return all, err
}

func (all crowd) close() {
	for _, c := range all {
		if c != nil {
			c.Close()
		}
	}
}
