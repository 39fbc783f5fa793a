package gateway

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
)

// masked is the client's end of a WebSocket connection, as far as a test needs it: what is written becomes masked frames (with an
// empty mask), and frames of the server lose their headers.
type masked struct {
	net.Conn
	r      *bufio.Reader
	left   int
	frames []int // their lengths
}

func (m *masked) Write(p []byte) (int, error) {
	for i := range p { // many frames per packet
		if _, err := m.Conn.Write([]byte{0x82, 0x81, 0, 0, 0, 0, p[i]}); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

func (m *masked) Read(p []byte) (int, error) {
	if m.left == 0 {
		var head [2]byte
		if _, err := io.ReadFull(m.r, head[:]); err != nil {
			return 0, err
		}
		if head[0] == 0x88 {
			return 0, io.EOF
		}
		m.left = int(head[1])
		m.frames = append(m.frames, m.left)
	}
	n, err := m.r.Read(p[:min(len(p), m.left)])
	m.left -= n
	return n, err
}

// webClient returns a client over WebSocket, which has not sent CONNECT.
func webClient(t *testing.T, b *bench, v byte) (*mqtttest.Client, *masked) {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.ServeWebSocket(w, r, Peer{Addr: r.RemoteAddr, Transport: "wss", Principal: "AKIDEXAMPLE"})
	}))
	t.Cleanup(web.Close)
	raw, err := net.Dial("tcp", web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(raw, "GET /mqtt HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n")
	r := bufio.NewReader(raw)
	if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %v, %v", res, err)
	}
	end := &masked{Conn: raw, r: r}
	return mqtttest.New(t, end, v), end
}

func TestMQTTOverWebSocket(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{Reserved: echo{}})
		c, _ := webClient(t, b, v)
		c.Connect(packet.Connect{ClientID: "browser", Clean: true})
		c.Subscribe(1, "a")
		c.Send(&packet.Publish{Topic: "$aws/things/t/jobs/get", Payload: []byte("q")})
		c.ExpectMessage("$aws/things/t/jobs/get/accepted", "q")
		if n := b.DisconnectPrincipal("AKIDEXAMPLE", AuthError); n != 1 {
			t.Errorf("DisconnectPrincipal ended %d connections, want 1", n)
		}
		c.ExpectDisconnect(packet.NotAuthorized)
	})
}

// The AWS IoT Device SDK for Python v1 does not look at a second packet in a frame (mqtt-broker.md section 9): an answer and the
// PUBACK that goes out with it are two.
func TestAFrameHoldsOnePacket(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{Reserved: echo{}})
		c, end := webClient(t, b, v)
		c.Connect(packet.Connect{ClientID: "browser", Clean: true})
		answer := &packet.Publish{Topic: "$aws/things/t/jobs/get/accepted", Payload: []byte("q")}
		puback := &packet.Puback{ID: 7}
		c.Send(&packet.Publish{Topic: "$aws/things/t/jobs/get", Payload: []byte("q"), QoS: 1, ID: 7})
		c.ExpectMessage(answer.Topic, "q")
		c.Expect(puback)
		if want := []int{len(answer.Append(nil, v)), len(puback.Append(nil, v))}; len(end.frames) != 3 || !slices.Equal(end.frames[1:], want) {
			t.Errorf("after CONNACK frames of %d bytes, want %d", end.frames[1:], want)
		}
	})
}
