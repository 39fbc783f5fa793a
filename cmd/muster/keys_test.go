package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/internal/apiclient"
	"github.com/muster-iot/muster/internal/former"
	"github.com/muster-iot/muster/operator"
	"github.com/muster-iot/muster/sigv4"
)

// addKey makes an access key with the command, with a policy of one statement or,
// when that is empty, with all rights.
func addKey(t *testing.T, data, statement string, flags ...string) sigv4.Credential {
	t.Helper()
	args := append([]string{"admin", "keys", "add", data, "--user", "ann"}, flags...)
	if statement == "" {
		args = append(args, "--admin")
	} else {
		policy := filepath.Join(t.TempDir(), "policy.json")
		if err := os.WriteFile(policy, []byte(`{"Version":"2012-10-17","Statement":`+statement+`}`), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--policy", policy)
	}
	out, err := exec.Command("muster", args...).Output()
	if err != nil {
		t.Fatalf("muster admin keys add: %v %s", err, out)
	}
	profile := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(profile, out, 0o600); err != nil {
		t.Fatal(err)
	}
	credential, err := identity.ReadProfile(profile)
	if err != nil {
		t.Fatal(err)
	}
	return credential
}

// as returns a client of s with another key.
func (s *running) as(credential sigv4.Credential) *apiclient.Client {
	c := *s.Client
	c.Credential = credential
	return &c
}

// dialWebSocket connects an MQTT client by WebSocket, with a URL that credential
// presigned.
func (s *running) dialWebSocket(t *testing.T, credential sigv4.Credential) net.Conn {
	t.Helper()
	return s.dialWebSocketFor(t, credential, "iotdevicegateway")
}

// dialWebSocketFor is dialWebSocket with a URL that is signed for another service.
func (s *running) dialWebSocketFor(t *testing.T, credential sigv4.Credential, service string) net.Conn {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.ready.APIURL+websocketPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	sigv4.Presign(r, credential, s.Region, service, time.Minute, time.Now())
	r.Header = http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Protocol": {"mqtt"}}
	conn, err := net.Dial("tcp", r.URL.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(startTimeout))
	if err := r.Write(conn); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the WebSocket: %v, %v", response, err)
	}
	hello := (&packet.Connect{Version: packet.V5, ClientID: credential.AccessKeyID, Clean: true}).Append(nil, packet.V5)
	if _, err := conn.Write(append([]byte{0x82, 0x80 | byte(len(hello)), 0, 0, 0, 0}, hello...)); err != nil {
		t.Fatal(err)
	}
	var connack [4]byte // of a frame
	if _, err := io.ReadFull(conn, connack[:]); err != nil || connack[0] != 0x82 || connack[2] != 0x20 {
		t.Fatalf("the answer to CONNECT is %x, %v", connack, err)
	}
	return conn
}

// A key that is removed, or comes to its end, loses what it has opened within
// seconds, and other keys nothing.
func TestWhatAKeyOpenedEndsWithIt(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := startServer(t, data)
	if err := s.CreateThing(t.Context(), "lamp"); err != nil {
		t.Fatal(err)
	}
	kept := s.dialWebSocket(t, addKey(t, data, ""))
	for name, end := range map[string]struct {
		flags []string
		end   func(sigv4.Credential)
	}{
		"removed": {nil, func(c sigv4.Credential) {
			if out, err := exec.Command("muster", "admin", "keys", "remove", data, c.AccessKeyID).CombinedOutput(); err != nil {
				t.Fatalf("muster admin keys remove: %v %s", err, out)
			}
		}},
		"expired": {[]string{"--expires", "8s"}, func(sigv4.Credential) {}},
	} {
		t.Run(name, func(t *testing.T) {
			key := addKey(t, data, "", end.flags...)
			conn := s.dialWebSocket(t, key)
			poll, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.ready.APIURL+"/things/lamp/jobs", nil)
			if err != nil {
				t.Fatal(err)
			}
			poll.Header.Set("Prefer", "wait=300")
			sigv4.Sign(poll, nil, key, s.Region, "iot-jobs-data", time.Now())
			var both sync.WaitGroup
			both.Go(func() {
				response, err := (&http.Client{Timeout: startTimeout}).Do(poll)
				if err != nil {
					t.Errorf("the long poll: %v", err)
					return
				}
				response.Body.Close()
				if response.StatusCode != http.StatusForbidden {
					t.Errorf("the long poll = %s, want 403", response.Status)
				}
			})
			both.Go(func() {
				if _, err := io.Copy(io.Discard, conn); err != nil { // EOF after DISCONNECT
					t.Errorf("the WebSocket goes on: %v", err)
				}
			})
			s.awaitMetric(t, "muster_http_requests_in_flight", "1")
			end.end(key)
			both.Wait()
			if err := s.as(key).Call(t.Context(), http.MethodGet, "/things", nil, nil); err == nil {
				t.Error("the key still works")
			}
		})
	}
	_ = kept.SetReadDeadline(time.Now().Add(2 * followedWithin))
	if _, err := io.Copy(io.Discard, kept); err == nil {
		t.Error("the WebSocket of another key ended too")
	}
}

// followedWithin is how soon a server knows that a key changed.
const followedWithin = time.Second

// Every path of the operator asks a key for its action, whatever --auth says, holds
// it to its conditions, and is in the guide.
func TestEveryOperatorRouteAsksForItsAction(t *testing.T) {
	guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "operator-guide.md"))
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "data")
	s := startServer(t, data, "--log-level", "info", "--auth", "none")
	weak := s.as(addKey(t, data, `{"Effect":"Allow","Action":["iot:*","s3:*"],"Resource":"*"}`))
	elsewhere := s.as(addKey(t, data, `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}`))
	for _, route := range operator.Routes(operator.Parts{}) {
		path := strings.NewReplacer("{job}", "fw", "{thing}", "pump").Replace(route.Path)
		r, err := http.NewRequestWithContext(t.Context(), route.Method, s.ready.APIURL+path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusForbidden {
			t.Errorf("%s %s without a key = %s, want 403", route.Method, path, response.Status)
		}
		for name, c := range map[string]*apiclient.Client{"that may do all but this": weak, "that may do it elsewhere": elsewhere} {
			if err := c.Call(t.Context(), route.Method, path, nil, nil); err == nil || !strings.Contains(err.Error(), "not authorized to perform: "+route.Action) {
				t.Errorf("%s %s with a key %s = %v, want it refused for %s", route.Method, path, name, err, route.Action)
			}
		}
		for _, text := range []string{"`" + route.Action + "`", "`" + route.Method + " " + route.Path} {
			if !bytes.Contains(guide, []byte(text)) {
				t.Errorf("docs/operator-guide.md does not say %s", text)
			}
		}
	}
}

// Scrapers and probes have a listener of their own. Elsewhere metrics want a key,
// and TLS listeners answer nothing to those who have none.
func TestMetricsAndProbes(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := startServer(t, data, "--alpn", "127.0.0.1:0")
	pem, err := os.ReadFile(s.ready.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	overTLS := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost"}}}
	defer overTLS.CloseIdleConnections()
	for _, tt := range []struct {
		client *http.Client
		base   string
		want   string // statuses of /healthz, /readyz and /metrics
	}{
		{http.DefaultClient, s.ready.MetricsURL, "200 200 200"},
		{http.DefaultClient, s.ready.APIURL, "200 200 403"},
		{overTLS, "https://" + s.ready.ALPNAddr, "404 404 403"},
	} {
		var got []string
		for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
			response, err := tt.client.Get(tt.base + path)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			got = append(got, fmt.Sprint(response.StatusCode))
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s answers /healthz, /readyz and /metrics without a key with %v, want %s", tt.base, got, tt.want)
		}
	}
	for _, path := range []string{"/things", "/jobs", "/nothing"} {
		if response, err := http.Get(s.ready.MetricsURL + path); err != nil || response.StatusCode != http.StatusNotFound {
			t.Errorf("the metrics listener answers %s with %v, %v; want 404", path, response, err)
		}
	}
	scraper := addKey(t, data, `{"Effect":"Allow","Action":"muster:ReadMetrics","Resource":"*"}`)
	for name, target := range map[string]struct {
		client *http.Client
		base   string
	}{"the API listener": {http.DefaultClient, s.ready.APIURL}, "the ALPN listener": {overTLS, "https://" + s.ready.ALPNAddr}} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target.base+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		sigv4.Sign(r, nil, scraper, s.Region, "iot", time.Now())
		response, err := target.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || !strings.Contains(string(body), "muster_http_requests_in_flight") {
			t.Errorf("%s answers a key with muster:ReadMetrics with %s %.100s (%v)", name, response.Status, body, err)
		}
	}
	without := startServer(t, filepath.Join(t.TempDir(), "data"), "--metrics", "")
	if without.ready.MetricsURL != "" {
		t.Errorf("with --metrics '' metrics are at %s", without.ready.MetricsURL)
	}
}

// lastUses returns the column "last used" of admin keys list, by principal.
func lastUses(t *testing.T, data string, flags ...string) map[string]string {
	t.Helper()
	cmd := exec.Command("muster", append([]string{"admin", "keys", "list", data}, flags...)...)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("muster admin keys list: %v", err)
	}
	uses := map[string]string{}
	for line := range strings.Lines(string(out)) {
		columns := regexp.MustCompile(`\s{2,}`).Split(strings.TrimSpace(line), -1)
		uses[columns[1]] = columns[4]
	}
	delete(uses, "principal")
	return uses
}

// The last use of keys is listed before, while and after a folder is served, and what a former
// release noted of it is not lost.
func TestLastUsesAreListed(t *testing.T) {
	const admin, reader = "arn:aws:iam::000000000000:user/admin", "arn:aws:iam::000000000000:user/reader"
	data := filepath.Join(t.TempDir(), "data")
	if err := former.Unpack(4, data); err != nil {
		t.Fatal(err)
	}
	noted := lastUses(t, data)
	if noted[admin] == "-" || noted[reader] != "-" || len(noted) != 2 {
		t.Fatalf("before the folder is served, the last uses are %v", noted)
	}
	s := startServer(t, data, "--test-clock")
	if uses := lastUses(t, data); uses[admin] < noted[admin] || uses[reader] != "-" {
		t.Errorf("while the folder is served, the last uses are %v, want at least %v", uses, noted)
	}
	if err := s.CreateThing(t.Context(), "lamp"); err != nil {
		t.Fatal(err)
	}
	uses := lastUses(t, data)
	if at, err := time.Parse("2006-01-02T15:04Z", uses[admin]); err != nil || time.Since(at) > time.Hour {
		t.Errorf("after a request the last uses are %v", uses)
	}
	s.stop(t)
	if _, err := os.Stat(filepath.Join(data, "keys-used.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file of the former release: %v, want it gone", err)
	}
	if after := lastUses(t, data); after[admin] < uses[admin] || after[reader] != "-" {
		t.Errorf("after the server has stopped, the last uses are %v, want at least %v", after, uses)
	}
}
