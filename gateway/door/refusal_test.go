package door

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/muster-iot/muster/internal/logtest"
)

// TestARefusedHandshakeIsExplained: the client gets the alert that fits, and the log has one line with what would help, at a level
// that is shown by default.
func TestARefusedHandshakeIsExplained(t *testing.T) {
	device := []tls.Certificate{newCertificate(t, ecdsaKey())}
	chain := newCertificate(t, ecdsaKey())
	for len(chain.Certificate)*len(chain.Certificate[0]) < 2*handshakeMax {
		chain.Certificate = append(chain.Certificate, chain.Certificate[0])
	}
	names := make([]string, namesMax+1)
	for i := range names {
		names[i] = fmt.Sprint("name", i)
	}
	rsaExchange := []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA}
	both := []uint16{tls.VersionTLS12, tls.VersionTLS13}
	for _, c := range []struct {
		name     string
		kind     Kind
		versions []uint16
		client   *tls.Config
		alert    map[uint16]string // by version; 0 for all
		hint     string
	}{
		{"ALPN of custom authorizers", Shared, both, &tls.Config{NextProtos: []string{"mqtt"}}, map[uint16]string{0: "no application protocol"}, "offer x-amzn-mqtt-ca for MQTT with a certificate, x-amzn-http-ca for HTTPS with one, http/1.1 or nothing"},
		{"it and one that is not known", Shared, both, &tls.Config{NextProtos: []string{"foo", "mqtt"}}, map[uint16]string{0: "no application protocol"}, "offer x-amzn-mqtt-ca"},
		{"too many ALPN names", Shared, both, &tls.Config{NextProtos: names}, map[uint16]string{0: "internal error"}, "may offer 32 ALPN names"},
		{"no certificate", MQTTS, both, &tls.Config{}, map[uint16]string{tls.VersionTLS12: "handshake failure", tls.VersionTLS13: "certificate required"}, "must show its certificate"},
		{"no certificate, HTTPS", HTTPS, both, &tls.Config{}, map[uint16]string{tls.VersionTLS12: "handshake failure", tls.VersionTLS13: "certificate required"}, "must show its certificate"},
		{"an old version", MQTTS, []uint16{tls.VersionTLS10, tls.VersionTLS11}, &tls.Config{Certificates: device}, map[uint16]string{0: "protocol version not supported"}, "TLS 1.2 or later"},
		{"RSA key exchange", Files, []uint16{tls.VersionTLS12}, &tls.Config{CipherSuites: rsaExchange}, map[uint16]string{0: "handshake failure"}, "--old-devices serves it"},
		{"RSA key exchange and what is broken", MQTTS, []uint16{tls.VersionTLS12}, &tls.Config{CipherSuites: append(rsaExchange, brokenSuites...), Certificates: device}, map[uint16]string{0: "handshake failure"}, "--old-devices serves it"},
		{"nothing but what is broken", MQTTS, []uint16{tls.VersionTLS12}, &tls.Config{CipherSuites: brokenSuites, Certificates: device}, map[uint16]string{0: "handshake failure"}, ""},
		{"a chain that is too long", MQTTS, both, &tls.Config{Certificates: []tls.Certificate{chain}}, map[uint16]string{tls.VersionTLS12: "illegal parameter"}, "less of its certificate's chain"},
	} {
		for _, version := range c.versions {
			t.Run(fmt.Sprint(c.name, ", ", tls.VersionName(version)), func(t *testing.T) {
				log := &logtest.Log{}
				d, addr, _ := open(t, c.kind, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(log, nil)) })
				client := c.client.Clone()
				client.MinVersion, client.MaxVersion = version, version
				const tries = 3
				for range tries {
					_, err := hello(addr, client)
					want := c.alert[0]
					if want == "" {
						want = c.alert[version]
					}
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("the client gets %v, want the alert %q", err, want)
					}
				}
				waitFor(t, "all handshakes have failed", func() bool { return d.Stats().Failed == tries })
				got := log.Lines()
				if len(got) != 1 || !strings.Contains(got[0], "level=WARN") || !strings.Contains(got[0], "listener="+c.kind.String()) ||
					!strings.Contains(got[0], "peer=127.0.0.1:") || !strings.Contains(got[0], c.hint) || strings.Contains(got[0], "hint=") != (c.hint != "") {
					t.Errorf("the log says %q; want one warning with %q", got, c.hint)
				}
			})
		}
	}
}

// A client that does not trust the server says so itself.
func TestAClientThatRefusesTheServerIsToldOf(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		log := &logtest.Log{}
		d, addr, _ := open(t, Shared, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(log, nil)) })
		if c, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: version, MaxVersion: version}); err == nil {
			c.Close()
			t.Fatal("the client trusts what it has no root for")
		}
		waitFor(t, "the handshake has failed", func() bool { return d.Stats().Failed == 1 })
		if got := log.Lines(); len(got) != 1 || !strings.Contains(got[0], "level=WARN") || !strings.Contains(got[0], "both roots in ca.pem") {
			t.Errorf("%s: the log says %q", tls.VersionName(version), got)
		}
	}
}

// OpenSSL's TLS 1.3 sends the alert in the clear, which crypto/tls takes for damage.
func TestAnAlertInTheClearIsUnderstood(t *testing.T) {
	log := &logtest.Log{}
	d, addr, _ := open(t, Shared, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(log, nil)) })
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	front := tls.Client(c, &tls.Config{ServerName: "localhost", MinVersion: tls.VersionTLS13, InsecureSkipVerify: true,
		VerifyConnection: func(tls.ConnectionState) error {
			_, err := c.Write([]byte{21, 3, 3, 0, 2, 2, 48})
			return err
		}})
	_ = front.Handshake() // which the server ends
	waitFor(t, "the handshake has failed", func() bool { return d.Stats().Failed == 1 })
	if got := log.Lines(); len(got) != 1 || !strings.Contains(got[0], "unknown certificate authority") || !strings.Contains(got[0], "both roots in ca.pem") {
		t.Errorf("the log says %q", got)
	}
}

func TestWhatIsNotTLSIsToldOfAndWhoSaysNothingIsNot(t *testing.T) {
	for bytes, want := range map[string]string{
		"GET / HTTP/1.1\r\n\r\n":                       "does not speak TLS",
		"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00": "does not speak TLS",
		"PROXY TCP4 203.0.113.9 198.51.100.1 1 1\r\n":  "--proxy-protocol",
		"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00":       "--proxy-protocol",
		"":                                             "",
		"\x16\x03\x01\x02\x00\x01\x00":                 "",
	} {
		log := &logtest.Log{}
		d, addr, _ := open(t, MQTTS, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(log, nil)) })
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, bytes); err != nil {
			t.Fatal(err)
		}
		if want == "" {
			c.Close()
		} else {
			defer c.Close()
		}
		waitFor(t, "the handshake has failed", func() bool { return d.Stats().Failed == 1 })
		if got := log.Lines(); want == "" && got != nil || want != "" && (len(got) != 1 || !strings.Contains(got[0], want)) {
			t.Errorf("after %q the log says %q, want %q", bytes, got, want)
		}
	}
}

// Strangers cannot fill the log, whatever they send, and what is left out is counted.
func TestLinesAboutHandshakesAreBounded(t *testing.T) {
	log := &logtest.Log{}
	d, err := New(Options{Certificates: func() []tls.Certificate { return nil }, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	long := tls.RecordHeaderError{Msg: strings.Repeat("a long name ", 1000)}
	for n := range 300 {
		for range 2 {
			addr := &net.TCPAddr{IP: net.IPv4(203, 0, 113, byte(n)), Port: 4711}
			(&handshake{door: d, kind: Shared, raw: addressed{addr: addr}}).tell(long)
		}
	}
	lines := log.Lines()
	if len(lines) != failedLinesAll {
		t.Errorf("600 handshakes from 256 addresses left %d lines, want %d", len(lines), failedLinesAll)
	}
	for _, line := range lines {
		if len(line) > 2*errLongest {
			t.Errorf("a line has %d bytes", len(line))
		}
	}
}

// addressed is a connection that has an address.
type addressed struct {
	net.Conn
	addr net.Addr
}

func (a addressed) RemoteAddr() net.Addr { return a.addr }

// TestAUTH10OldDevicesAreServed: with the switch on, key exchange with RSA is served on each listener, and nothing that is broken.
func TestAUTH10OldDevicesAreServed(t *testing.T) {
	device := []tls.Certificate{newCertificate(t, rsaKey())}
	for _, kind := range []Kind{MQTTS, HTTPS, Shared, Files} {
		_, addr, seen := open(t, kind, func(o *Options) { o.OldDevices = true })
		for _, suite := range tls.InsecureCipherSuites() {
			broken := strings.Contains(suite.Name, "RC4") || strings.Contains(suite.Name, "3DES")
			state, err := hello(addr, &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}, Certificates: device})
			if (err != nil) != broken {
				t.Errorf("%v, %s: %v", kind, suite.Name, err)
			}
			if err != nil {
				continue
			}
			<-seen
			if wantRSA := strings.HasPrefix(suite.Name, "TLS_RSA"); wantRSA && state.PeerCertificates[0].PublicKeyAlgorithm != x509.RSA {
				t.Errorf("%v, %s: the certificate has a key of %v", kind, suite.Name, state.PeerCertificates[0].PublicKeyAlgorithm)
			}
		}
		for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
			if _, err := hello(addr, &tls.Config{MinVersion: version, MaxVersion: version, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}}); err == nil {
				t.Errorf("%v: %s was accepted", kind, tls.VersionName(version))
			}
		}
		state, err := hello(addr, &tls.Config{Certificates: device})
		if err != nil || state.Version != tls.VersionTLS13 || state.PeerCertificates[0].PublicKeyAlgorithm != x509.ECDSA {
			t.Errorf("%v: a modern client has %s, %v; want TLS 1.3 with ECDSA", kind, tls.VersionName(state.Version), err)
		}
	}
}
