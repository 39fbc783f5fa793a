package natsbus_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/muster-iot/muster/cluster"
	"github.com/muster-iot/muster/cluster/clustertest"
	"github.com/muster-iot/muster/cluster/natsbus"
	"github.com/muster-iot/muster/internal/nats"
)

func join(t *testing.T, o natsbus.Options) *natsbus.Bus {
	t.Helper()
	if o.Deployment == "" {
		o.Deployment = "deployment"
	}
	b, err := natsbus.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func TestTheContract(t *testing.T) {
	s := nats.Start(t, nats.Options{})
	clustertest.RunBus(t, func(t *testing.T) cluster.Bus { return join(t, natsbus.Options{Servers: s.URL()}) })
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("after ten seconds still not: ", what)
		}
	}
}

// A server that goes away is no end: the bus says that it is down, loses what is published, and
// comes back by itself with all subscriptions.
func TestAServerThatRestarts(t *testing.T) {
	s := nats.Start(t, nats.Options{})
	a, b := join(t, natsbus.Options{Servers: s.URL()}), join(t, natsbus.Options{Servers: s.URL()})
	got, lost := make(chan string, 10), make(chan struct{}, 10)
	b.Subscribe("news", "", func(m cluster.Delivered) { got <- string(m.Data) })
	b.Lost(func() { lost <- struct{}{} })
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the bus is down", func() bool { return !a.Up() && !b.Up() })
	a.Publish("news", []byte("old"))
	if _, err := a.Ask(t.Context(), "news", nil); !errors.Is(err, cluster.ErrDown) {
		t.Errorf("Ask = %v, want ErrDown", err)
	}
	if err := a.Flush(t.Context()); !errors.Is(err, cluster.ErrDown) {
		t.Errorf("Flush = %v, want ErrDown", err)
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the bus is up", func() bool { return a.Up() && b.Up() })
	eventually(t, "it is said that news were lost", func() bool { return len(lost) > 0 })
	if err := b.Flush(t.Context()); err != nil { // until then the server may not know of the subscription
		t.Fatal(err)
	}
	a.Publish("news", []byte("new"))
	select {
	case m := <-got:
		if m != "new" {
			t.Errorf("got %q, want what was published after the restart", m)
		}
	case <-time.After(10 * time.Second):
		t.Error("what was published after the restart did not come in ten seconds")
	}
}

// A node that starts while no server is there goes on trying.
func TestAStartWithoutAServer(t *testing.T) {
	s := nats.Start(t, nats.Options{})
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	b := join(t, natsbus.Options{Servers: s.URL()})
	got, lost := make(chan string, 1), make(chan struct{}, 10)
	b.Subscribe("news", "", func(m cluster.Delivered) { got <- string(m.Data) })
	b.Lost(func() { lost <- struct{}{} })
	if b.Up() {
		t.Error("the bus is up without a server")
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the bus is up", b.Up)
	<-lost
	b.Publish("news", []byte("x"))
	<-got
}

func TestDeploymentsDoNotMeet(t *testing.T) {
	s := nats.Start(t, nats.Options{})
	a, b := join(t, natsbus.Options{Servers: s.URL(), Deployment: "one"}), join(t, natsbus.Options{Servers: s.URL(), Deployment: "two"})
	got := make(chan string, 10)
	a.Subscribe(">", "", func(m cluster.Delivered) { got <- string(m.Data) })
	if err := a.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Publish("news", []byte("theirs"))
	if err := b.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.Publish("news", []byte("ours"))
	if m := <-got; m != "ours" {
		t.Errorf("got %q", m)
	}
}

func secret(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCredentials(t *testing.T) {
	key, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := key.Seed()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ config, file, wrong string }{
		"a user":  {"authorization { user: muster, password: \"it is one\" }", "muster\nit is one\n", "muster\nanother\n"},
		"a token": {"authorization { token: \"word\" }", "word\n", "other"},
		"a key":   {"authorization { users: [ { nkey: " + public + " } ] }", string(seed), "word"},
	} {
		t.Run(name, func(t *testing.T) {
			s := nats.Start(t, nats.Options{Config: test.config})
			file := secret(t, test.file)
			b := join(t, natsbus.Options{Servers: s.URL(), Credentials: file})
			if !b.Up() {
				t.Error("the bus is not up")
			}
			for _, wrong := range []string{"", secret(t, test.wrong)} {
				if b, err := natsbus.New(natsbus.Options{Servers: s.URL(), Deployment: "d", Credentials: wrong}); err == nil {
					b.Close()
					t.Errorf("a node with the wrong credentials is let in")
				} else if !strings.Contains(err.Error(), "refuses the credentials") {
					t.Errorf("the refusal is %q", err)
				}
			}
		})
	}
}

func TestFilesThatAreNoCredentials(t *testing.T) {
	open := secret(t, "word")
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(t.TempDir(), "none"): "no such file",
		secret(t, "\n"):                    "is empty",
		secret(t, "a\nb\nc\n"):             "is neither",
		secret(t, "SUSPECT"):               "is none",
		open:                               "chmod 600",
	} {
		if b, err := natsbus.New(natsbus.Options{Servers: "nats://127.0.0.1:1", Deployment: "d", Credentials: path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v, want %q", err, want)
			if b != nil {
				b.Close()
			}
		}
	}
}

func TestServers(t *testing.T) {
	for list, want := range map[string]string{
		"nats://127.0.0.1":                    "nats://127.0.0.1:4222",
		"nats://a:1, tls://b.example:2":       "nats://a:1 tls://b.example:2",
		"nats://[::1]:4222":                   "nats://[::1]:4222",
		"":                                    "is no address",
		"127.0.0.1:4222":                      "is no address",
		"http://127.0.0.1:4222":               "is no address",
		"nats://127.0.0.1:4222/path":          "is no address",
		"nats://127.0.0.1:99999":              "no valid port",
		"nats://user:password@127.0.0.1:4222": "--bus-credentials",
		"nats://token@127.0.0.1:4222":         "--bus-credentials",
	} {
		servers, err := natsbus.CheckServers(list)
		got := strings.Join(servers, " ")
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) || strings.Contains(got, "password@") {
			t.Errorf("CheckServers(%q) = %q, want %q", list, got, want)
		}
	}
}

// An answer takes as long as a context says, also when a server is frozen.
func TestAnAnswerIsNotWaitedForTooLong(t *testing.T) {
	s := nats.Start(t, nats.Options{})
	b := join(t, natsbus.Options{Servers: s.URL()})
	b.Subscribe("silence", "", func(cluster.Delivered) {})
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if _, err := b.Ask(ctx, "silence", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Ask = %v", err)
	}
}

// certify writes a certificate for 127.0.0.1 and its key, made by an authority of the test, and
// returns the three files.
func certify(t *testing.T) (authority, certificate, key string) {
	t.Helper()
	dir := t.TempDir()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, bytes []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	certificate = write("certificate.pem", "CERTIFICATE", der)
	return certificate, certificate, write("key.pem", "PRIVATE KEY", pkcs8)
}

func TestTLS(t *testing.T) {
	authority, certificate, key := certify(t)
	s := nats.Start(t, nats.Options{Config: fmt.Sprintf("tls { cert_file: %q, key_file: %q, ca_file: %q, verify: true }", certificate, key, authority)})
	address := "tls://" + s.Address()
	if b := join(t, natsbus.Options{Servers: address, CA: authority, Certificate: certificate, Key: key}); !b.Up() {
		t.Error("the bus is not up")
	}
	b, err := natsbus.New(natsbus.Options{Servers: address, Deployment: "d"})
	if err == nil {
		b.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "is not trusted") {
		t.Errorf("with a server of a foreign authority New = %v", err)
	}
}
