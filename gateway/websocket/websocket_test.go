package websocket

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// frame is a client's frame.
func frame(first byte, payload string) []byte {
	mask := []byte{1, 2, 3, 4}
	b := []byte{first}
	switch n := len(payload); {
	case n <= 125:
		b = append(b, masked|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, masked|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, masked|127), uint64(n))
	}
	b = append(b, mask...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i&3])
	}
	return b
}

// lines takes text for messages of one line each, the last one without its end.
func lines(p []byte) int {
	if i := bytes.IndexByte(p, '\n'); i >= 0 {
		return i + 1
	}
	return len(p)
}

// echo upgrades and sends back what it reads; serverErr gets what ended it.
func echo(t *testing.T, serverErr chan<- error) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := Upgrade(w, r, lines)
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			_, err := io.Copy(onlyWriter{c}, onlyReader{c})
			serverErr <- err
		}()
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

type onlyReader struct{ io.Reader }
type onlyWriter struct{ io.Writer }

const handshake = "GET /mqtt HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: foo, mqtt\r\n\r\n"

func dial(t *testing.T, addr, request string) (net.Conn, *bufio.Reader, *http.Response) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(c, request)
	r := bufio.NewReader(c)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, r, res
}

func TestMQ85Upgrade(t *testing.T) {
	addr := echo(t, make(chan error, 10))
	for name, c := range map[string]struct {
		request  string
		status   int
		protocol string
	}{
		"mqtt is chosen":             {handshake, 101, "mqtt"},
		"mqttv3.1 is accepted":       {strings.Replace(handshake, "foo, mqtt", "mqttv3.1", 1), 101, "mqttv3.1"},
		"no subprotocol is accepted": {strings.Replace(handshake, "Sec-WebSocket-Protocol: foo, mqtt\r\n", "", 1), 101, ""},
		"any origin is accepted":     {strings.Replace(handshake, "Host: x", "Host: x\r\nOrigin: http://elsewhere", 1), 101, "mqtt"},
		"an ordinary GET is refused": {"GET /mqtt HTTP/1.1\r\nHost: x\r\n\r\n", 426, ""},
		"POST is refused":            {strings.Replace(handshake, "GET", "POST", 1), 405, ""},
		"another version is refused": {strings.Replace(handshake, "13", "8", 1), 426, ""},
		"a key that is too short":    {withKey(strings.Repeat("A", 20)), 400, ""},
		"a key that is too long":     {withKey(strings.Repeat("A", 260)), 400, ""},
		"a key that is not base64":   {withKey("dGhlIHNhbXBsZSBub25jZQ"), 400, ""},
		"no key":                     {withKey(""), 400, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, res := dial(t, addr, c.request)
			if res.StatusCode != c.status || res.Header.Get("Sec-WebSocket-Protocol") != c.protocol {
				t.Errorf("status %d, protocol %q; want %d, %q", res.StatusCode, res.Header.Get("Sec-WebSocket-Protocol"), c.status, c.protocol)
			}
			if got := res.Header.Get("Sec-WebSocket-Accept"); c.status == 101 && got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
				t.Errorf("Sec-WebSocket-Accept %q", got)
			}
		})
	}
}

// withKey is a handshake with another key.
func withKey(key string) string {
	return strings.Replace(handshake, "dGhlIHNhbXBsZSBub25jZQ==", key, 1)
}

// The AWS IoT Device SDK for Python v1 sends a key of 128 bytes and looks for the answer's header names in lower case.
func TestAnUpgradeThatTheOldPythonSDKTakes(t *testing.T) {
	for _, size := range []int{keyMin, 128, keyMax} {
		key := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, size))
		c, err := net.Dial("tcp", echo(t, make(chan error, 1)))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(c, withKey(key))
		accept := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		want := "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: " +
			base64.StdEncoding.EncodeToString(accept[:]) + "\r\nsec-websocket-protocol: mqtt\r\n\r\n"
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
			t.Errorf("a key of %d bytes is answered with %q, %v; want %q", size, got, err, want)
		}
	}
}

// countedWrites is a connection that nothing comes from.
type countedWrites struct {
	net.Conn
	written bytes.Buffer
	writes  int
}

func (c *countedWrites) Write(p []byte) (int, error) {
	c.writes++
	return c.written.Write(p)
}

func TestEachMessageHasAFrameAndAllOfThemOneWrite(t *testing.T) {
	conn := &countedWrites{}
	s := &stream{Conn: conn, first: lines}
	long := strings.Repeat("x", 299) + "\n"
	in := "a\nbc\n" + long + "d"
	if n, err := s.Write([]byte(in)); n != len(in) || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
	if got, want := conn.written.String(), "\x82\x02a\n\x82\x03bc\n\x82\x7e\x01\x2c"+long+"\x82\x01d"; got != want || conn.writes != 1 {
		t.Errorf("%d writes of %q, want one of %q", conn.writes, got, want)
	}
}

func TestMQ87Frames(t *testing.T) {
	long, longer := strings.Repeat("x", 300), strings.Repeat("y", 70_000)
	for name, c := range map[string]struct{ in, out string }{
		"one frame":                    {string(frame(fin|opBinary, "hello")), "\x82\x05hello"},
		"a frame of 300 bytes":         {string(frame(fin|opBinary, long)), "\x82\x7e\x01\x2c" + long},
		"fragments with a ping inside": {string(frame(opBinary, "a")) + string(frame(fin|opPing, "are you there")) + string(frame(fin|opContinuation, "b")), "\x8a\x0dare you there\x82\x02ab"},
		"an empty frame":               {string(frame(fin|opBinary, "")) + string(frame(fin|opBinary, "z")), "\x82\x01z"},
		"a pong is ignored":            {string(frame(fin|opPong, "x")) + string(frame(fin|opBinary, "z")), "\x82\x01z"},
		"text is refused":              {string(frame(fin|opText, "x")), "\x88\x02\x03\xeb"},
		"no mask is refused":           {"\x82\x01x", "\x88\x02\x03\xea"},
		"reserved bits are refused":    {string(frame(fin|0x40|opBinary, "x")), "\x88\x02\x03\xea"},
		"a stray continuation":         {string(frame(fin|opContinuation, "x")), "\x88\x02\x03\xea"},
		"a message in a message":       {string(frame(opBinary, "")) + string(frame(fin|opBinary, "")), "\x88\x02\x03\xea"},
		"a long ping":                  {string(frame(fin|opPing, strings.Repeat("p", 126))), "\x88\x02\x03\xea"},
		"a ping in pieces":             {string(frame(opPing, "p")), "\x88\x02\x03\xea"},
		"an unknown opcode":            {string(frame(fin|0x3, "")), "\x88\x02\x03\xea"},
		"close is answered":            {string(frame(fin|opClose, "\x03\xe8")), "\x88\x02\x03\xe8"},
	} {
		t.Run(name, func(t *testing.T) {
			addr := echo(t, make(chan error, 1))
			conn, r, _ := dial(t, addr, handshake+c.in) // with the request: nothing that came early is lost
			got := make([]byte, len(c.out))
			if _, err := io.ReadFull(r, got); err != nil || string(got) != c.out {
				t.Errorf("got %q, %v; want %q", got, err, c.out)
			}
			if c.out[0] == 0x88 {
				if n, err := r.Read(got); err == nil {
					t.Errorf("%d bytes after the close frame", n)
				}
			}
			_ = conn
		})
	}
	t.Run("a frame of 70,000 bytes comes through", func(t *testing.T) {
		ours, theirs := net.Pipe()
		s := &stream{Conn: ours, first: lines}
		go theirs.Write(frame(fin|opBinary, longer))
		got := make([]byte, len(longer))
		if _, err := io.ReadFull(s, got); err != nil || string(got) != longer {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
	})
}

// FuzzDecoder compares decoding at one go with decoding byte by byte.
func FuzzDecoder(f *testing.F) {
	f.Add(append(frame(fin|opPing, "p"), frame(opBinary, "hello")...))
	f.Add(frame(fin|opBinary, strings.Repeat("x", 200)))
	f.Add(frame(fin|opClose, "\x03\xe8"))
	decode := func(pieces [][]byte) (data []byte, events []event, err error) {
		var d decoder
		for _, raw := range pieces {
			for len(raw) > 0 && err == nil {
				var part []byte
				var e event
				part, e, raw, err = d.next(raw)
				data = append(data, part...)
				if e != nothing {
					events = append(events, e)
				}
			}
		}
		return data, events, err
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		whole, events, err := decode([][]byte{bytes.Clone(in)})
		var pieces [][]byte
		for _, one := range in {
			pieces = append(pieces, []byte{one})
		}
		single, events2, err2 := decode(pieces)
		if !bytes.Equal(whole, single) || !bytes.Equal(asBytes(events), asBytes(events2)) || !errors.Is(err2, err) {
			t.Errorf("at once %q %v %v, byte by byte %q %v %v", whole, events, err, single, events2, err2)
		}
	})
}

func asBytes(events []event) (b []byte) {
	for _, e := range events {
		b = append(b, byte(e))
	}
	return b
}
