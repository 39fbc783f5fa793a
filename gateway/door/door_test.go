package door

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-iot/muster/internal/logtest"
)

// newCertificate returns a self-signed certificate for key.
func newCertificate(t testing.TB, key crypto.Signer) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

var (
	ecdsaKey = sync.OnceValue(func() crypto.Signer {
		key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		return key
	})
	rsaKey = sync.OnceValue(func() crypto.Signer {
		key, _ := rsa.GenerateKey(rand.Reader, 2048)
		return key
	})
)

// served tells what became of a connection.
type served struct {
	to    purpose
	state tls.ConnectionState
}

// open serves a door of one kind on loopback and returns its address; what it serves goes to seen.
func open(t testing.TB, k Kind, change func(*Options)) (d *Door, addr string, seen chan served) {
	t.Helper()
	seen = make(chan served, 10)
	serve := func(to purpose) func(*tls.Conn) {
		return func(c *tls.Conn) {
			defer c.Close()
			seen <- served{to, c.ConnectionState()}
			io.WriteString(c, "hello")
		}
	}
	certificates := []tls.Certificate{newCertificate(t, ecdsaKey()), newCertificate(t, rsaKey())}
	o := Options{Certificates: func() []tls.Certificate { return certificates }, MQTT: serve(toMQTT), HTTPS: serve(toHTTPS), Files: serve(toFiles)}
	if change != nil {
		change(&o)
	}
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := d.Serve(ctx, l, k); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); serving.Wait() })
	return d, l.Addr().String(), seen
}

// hello connects, reads what the server says and returns the connection's state.
func hello(addr string, c *tls.Config) (tls.ConnectionState, error) {
	c.InsecureSkipVerify = true
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", addr, c)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	said, err := io.ReadAll(conn)
	if err == nil && string(said) != "hello" {
		err = fmt.Errorf("the server said %q", said)
	}
	return conn.ConnectionState(), err
}

func TestTheListenerAndALPNDecide(t *testing.T) {
	device := newCertificate(t, ecdsaKey())
	for _, c := range []struct {
		name    string
		kind    Kind
		offered []string
		to      purpose
		cert    bool   // the server asks for one
		answer  string // ALPN
		refused bool
	}{
		{"8883 without ALPN", MQTTS, nil, toMQTT, true, "", false},
		{"8883 with the MQTT name", MQTTS, []string{"x-amzn-mqtt-ca"}, toMQTT, true, "x-amzn-mqtt-ca", false},
		{"8883 with a strange name", MQTTS, []string{"http/0.9"}, toMQTT, true, "", false},
		{"8443 without ALPN", HTTPS, nil, toHTTPS, true, "", false},
		{"8443 with browsers' names", HTTPS, []string{"h2", "http/1.1"}, toHTTPS, true, "http/1.1", false},
		{"8443 with a strange name", HTTPS, []string{"foo"}, toHTTPS, true, "", false},
		{"443 for MQTT", Shared, []string{"x-amzn-mqtt-ca"}, toMQTT, true, "x-amzn-mqtt-ca", false},
		{"443 for HTTPS with a certificate", Shared, []string{"x-amzn-http-ca"}, toHTTPS, true, "x-amzn-http-ca", false},
		{"443 for HTTPS", Shared, []string{"h2", "http/1.1"}, toHTTPS, false, "http/1.1", false},
		{"443 without ALPN", Shared, nil, toHTTPS, false, "", false},
		{"443 with a strange name", Shared, []string{"foo"}, toHTTPS, false, "", false},
		{"443 with several, MQTT wins", Shared, []string{"http/1.1", "x-amzn-http-ca", "x-amzn-mqtt-ca"}, toMQTT, true, "x-amzn-mqtt-ca", false},
		{"files with browsers' names", Files, []string{"h2", "http/1.1"}, toFiles, false, "http/1.1", false},
		{"files without ALPN", Files, nil, toFiles, false, "", false},
		{"files with the MQTT name", Files, []string{"x-amzn-mqtt-ca"}, toFiles, false, "", false},
		{"443 for a custom authoriser", Shared, []string{"mqtt"}, 0, false, "", true},
		{"443 for a custom authoriser or MQTT", Shared, []string{"mqtt", "x-amzn-mqtt-ca"}, toMQTT, true, "x-amzn-mqtt-ca", false},
		{"8883 with the name for custom authorisers", MQTTS, []string{"mqtt"}, toMQTT, true, "", false},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(fmt.Sprint(c.name, ", ", tls.VersionName(version)), func(t *testing.T) {
				_, addr, seen := open(t, c.kind, nil)
				asked := false
				state, err := hello(addr, &tls.Config{NextProtos: c.offered, MinVersion: version, MaxVersion: version,
					GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { asked = true; return &device, nil }})
				if c.refused {
					if err == nil {
						t.Error("the handshake succeeded")
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				got := <-seen
				if got.to != c.to || asked != c.cert || state.NegotiatedProtocol != c.answer || (len(got.state.PeerCertificates) > 0) != c.cert {
					t.Errorf("to %d, certificate asked %v, ALPN %q; want %d, %v, %q", got.to, asked, state.NegotiatedProtocol, c.to, c.cert, c.answer)
				}
			})
		}
	}
}

func TestAUTH12AClientCertificateIsNeededButAnyWillDo(t *testing.T) {
	_, addr, seen := open(t, MQTTS, nil)
	if _, err := hello(addr, &tls.Config{}); err == nil {
		t.Error("a client without certificate was served")
	}
	for _, key := range []crypto.Signer{ecdsaKey(), rsaKey()} {
		device := newCertificate(t, key)
		if _, err := hello(addr, &tls.Config{Certificates: []tls.Certificate{device}}); err != nil {
			t.Fatal(err)
		}
		if got := (<-seen).state.PeerCertificates[0].Raw; !slices.Equal(got, device.Certificate[0]) {
			t.Error("the certificate seen is not the one shown")
		}
	}
}

func TestAUTH16NoTicketsWithClientCertificates(t *testing.T) {
	for kind, want := range map[Kind]bool{MQTTS: false, HTTPS: false, Shared: true} {
		_, addr, _ := open(t, kind, nil)
		c := &tls.Config{ClientSessionCache: tls.NewLRUClientSessionCache(4), Certificates: []tls.Certificate{newCertificate(t, ecdsaKey())}}
		var last tls.ConnectionState
		for range 2 {
			var err error
			if last, err = hello(addr, c); err != nil {
				t.Fatal(err)
			}
		}
		if last.DidResume != want {
			t.Errorf("kind %d: the second connection resumed: %v, want %v", kind, last.DidResume, want)
		}
	}
}

func TestAUTH11And14TheCertificateFitsTheClient(t *testing.T) {
	_, addr, _ := open(t, Shared, nil)
	for name, c := range map[string]struct {
		config *tls.Config
		want   x509.PublicKeyAlgorithm
	}{
		"a modern client":       {&tls.Config{}, x509.ECDSA},
		"a client with any SNI": {&tls.Config{ServerName: "unknown.example"}, x509.ECDSA},
		"a client that knows RSA only": {&tls.Config{MaxVersion: tls.VersionTLS12,
			CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}, x509.RSA},
	} {
		state, err := hello(addr, c.config)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := state.PeerCertificates[0].PublicKeyAlgorithm; got != c.want {
			t.Errorf("%s got a certificate with %v, want %v", name, got, c.want)
		}
	}
}

func TestAUTH10OldDevices(t *testing.T) {
	for old := range map[bool]bool{false: true, true: true} {
		_, addr, _ := open(t, Shared, func(o *Options) { o.OldDevices = old })
		_, err := hello(addr, &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}})
		if (err == nil) != old {
			t.Errorf("OldDevices %v: RSA key exchange gives %v", old, err)
		}
		if _, err := hello(addr, &tls.Config{MaxVersion: tls.VersionTLS11}); err == nil {
			t.Error("TLS 1.1 was accepted")
		}
	}
}

func TestSlowAndSilentClientsAreClosedInTime(t *testing.T) {
	d, addr, _ := open(t, MQTTS, func(o *Options) { o.HandshakeTimeout = 50 * time.Millisecond })
	for name, bytes := range map[string]string{"silent": "", "half a record": "\x16\x03\x01\x02\x00\x01", "no TLS at all": "GET / HTTP/1.1\r\n\r\n"} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, bytes)
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.Copy(io.Discard, c); err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				t.Errorf("%s: the connection stays open", name)
			}
		}
	}
	waitFor(t, "three handshakes have failed", func() bool { return d.Stats().Failed == 3 })
}

func TestSilentClientsDoNotKeepOthersOut(t *testing.T) {
	_, addr, _ := open(t, Shared, func(o *Options) { o.AtOnce = 1 })
	for range 50 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if _, err := hello(addr, &tls.Config{}); err != nil {
		t.Errorf("after 50 silent clients: %v", err)
	}
}

func TestWhenTooManyWaitTheOldestMakesRoom(t *testing.T) {
	log := &logtest.Log{}
	d, addr, _ := open(t, Shared, func(o *Options) { o.Waiting, o.Log = 3, slog.New(slog.NewTextHandler(log, nil)) })
	var silent []net.Conn
	for i := range 3 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		silent = append(silent, c)
		waitFor(t, "it waits", func() bool { return d.Stats().Waiting == int64(i+1) })
	}
	if _, err := hello(addr, &tls.Config{}); err != nil {
		t.Errorf("the fourth was not served: %v", err)
	}
	silent[0].SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := silent[0].Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the one that waited longest is still there")
	}
	waitFor(t, "one was shed and two wait", func() bool { got := d.Stats(); return got.Shed == 1 && got.Waiting == 2 })
	if got := log.Lines(); len(got) != 1 || !strings.Contains(got[0], "level=WARN") || !strings.Contains(got[0], "too many wait") {
		t.Errorf("the log says %q, want one warning that too many wait", got)
	}
}

// waitFor waits until what is true.
func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came true that %s", what)
		}
	}
}

func TestAStormIsServedWhole(t *testing.T) {
	d, addr, seen := open(t, Shared, func(o *Options) { o.AtOnce = 2 })
	var clients sync.WaitGroup
	go func() {
		for range seen {
		}
	}()
	for range 100 {
		clients.Go(func() {
			if _, err := hello(addr, &tls.Config{}); err != nil {
				t.Error(err)
			}
		})
	}
	clients.Wait()
	if got := d.Stats(); got.Handshakes != 100 || got.Failed != 0 {
		t.Errorf("%d handshakes, %d failed; want 100, 0", got.Handshakes, got.Failed)
	}
}

func TestTooManyNamesAreRefused(t *testing.T) {
	_, addr, _ := open(t, MQTTS, nil)
	names := make([]string, namesMax+1)
	for i := range names {
		names[i] = fmt.Sprint("name", i)
	}
	if _, err := hello(addr, &tls.Config{NextProtos: names, Certificates: []tls.Certificate{newCertificate(t, ecdsaKey())}}); err == nil {
		t.Error("a client with too many ALPN names was served")
	}
	if _, err := hello(addr, &tls.Config{NextProtos: names[1:], Certificates: []tls.Certificate{newCertificate(t, ecdsaKey())}}); err != nil {
		t.Errorf("a client with as many as may be: %v", err)
	}
}

func TestQueueFeedsAnHTTPServer(t *testing.T) {
	q := NewQueue(&net.TCPAddr{})
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, len(r.TLS.PeerCertificates), " certificate")
	})}
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(q) })
	defer serving.Wait()
	defer server.Close()
	_, addr, _ := open(t, HTTPS, func(o *Options) { o.HTTPS = q.Put })
	conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{newCertificate(t, rsaKey())}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(res.Body); string(body) != "1 certificate" {
		t.Errorf("answered %q", body)
	}
	q.Close()
	if _, err := q.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
}
