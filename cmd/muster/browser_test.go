package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/internal/logtest"
	"github.com/muster-iot/muster/sigv4"
)

const (
	listedOrigin   = "https://fleet.example.com"
	unlistedOrigin = "https://elsewhere.example"
)

// doors is a server in this process with all its listeners, as a browser reaches
// them.
type doors struct {
	*server
	log *logtest.Log
	key sigv4.Credential
}

// openAllDoors runs a server until the test ends.
func openAllDoors(t *testing.T, origins ...string) *doors {
	t.Helper()
	c := defaultConfig()
	c.Data, c.Origins = t.TempDir(), origins
	for _, address := range []*string{&c.API, &c.MQTTS, &c.HTTPS, &c.ALPN, &c.Files.Address, &c.MQTTPlain, &c.Metrics} {
		*address = "127.0.0.1:0"
	}
	d := &doors{log: new(logtest.Log)}
	var err error
	if d.server, err = newServer(c, slog.New(slog.NewTextHandler(d.log, nil)), newResets()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended, up := make(chan error, 1), make(chan struct{})
	go func() { ended <- d.run(ctx, func(datafolder.Ready) { close(up) }) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		_ = d.close()
	})
	select {
	case <-up:
	case <-time.After(startTimeout):
		t.Fatal("the server does not start")
	}
	if d.key, err = identity.ReadProfile(d.data.Credentials()); err != nil {
		t.Fatal(err)
	}
	return d
}

// question is a request as a page would make it.
type question struct {
	door         string // api, alpn, https, files or watch
	method, path string
	service      string // that it is signed for; "" for no signature
	forged       bool   // signed with a wrong secret
	body         string
}

func (q question) String() string {
	return fmt.Sprintf("%s %s on %s for %q, forged %t", q.method, q.path, q.door, q.service, q.forged)
}

// ask sends a question with an Origin, as a preflight when it has a method to ask
// for, and returns the answer with its body read.
func (d *doors) ask(t *testing.T, q question, origin, wanted string) *http.Response {
	t.Helper()
	l, scheme, client := d.doors.api, "http", &http.Client{Timeout: startTimeout}
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	client.Transport = transport
	switch q.door {
	case "alpn":
		l, scheme = d.doors.alpn, "https"
	case "https":
		l, scheme = d.doors.https, "https"
		transport.TLSClientConfig.Certificates = []tls.Certificate{selfMade(t)}
	case "files":
		l, scheme = d.doors.files, "https"
	case "watch":
		l = d.doors.watch
	}
	r, err := http.NewRequestWithContext(t.Context(), q.method, scheme+"://"+l.Addr().String()+q.path, strings.NewReader(q.body))
	if err != nil {
		t.Fatal(err)
	}
	if key := d.key; q.service != "" {
		if q.forged {
			key.Secret = "wrong"
		}
		sigv4.Sign(r, []byte(q.body), key, d.c.Region, q.service, time.Now())
	}
	if len(q.body) > 1<<20 { // it is refused before it is read, and may not be in the way of the answer
		r.Header.Set("Expect", "100-continue")
		transport.ExpectContinueTimeout = startTimeout
	}
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	if wanted != "" {
		r.Header.Set("Access-Control-Request-Method", wanted)
		r.Header.Set("Access-Control-Request-Headers", "authorization,x-amz-date")
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatalf("%v: %v", q, err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	return response
}

// outline returns what two servers must answer alike.
func outline(r *http.Response) string {
	var lines []string
	for name, values := range r.Header {
		if name != "X-Amzn-Requestid" && name != "Date" && name != "X-Amz-Request-Id" {
			lines = append(lines, fmt.Sprintf("%s: %s", name, strings.Join(values, " | ")))
		}
	}
	slices.Sort(lines)
	return r.Status + "\n" + strings.Join(lines, "\n")
}

func TestPagesOfListedOriginsSeeAnswersAndErrors(t *testing.T) {
	d := openAllDoors(t, listedOrigin, "http://localhost:5173")
	for want, q := range map[string]question{
		"200 ":                                    {method: "GET", path: "/things", service: "iot"},
		"200  ":                                   {method: "POST", path: "/topics/hall", service: "iotdata", body: "x"},
		"404 ResourceNotFoundException":           {method: "GET", path: "/things/none", service: "iot"},
		"404 ResourceNotFoundException of it":     {method: "GET", path: "/things/none/jobs/x", service: "iot-jobs-data"},
		"400 InvalidRequestException":             {method: "POST", path: "/things/a%20b", service: "iot"},
		"403 InvalidSignatureException":           {method: "GET", path: "/things", service: "iot", forged: true},
		"403 MissingAuthenticationTokenException": {method: "GET", path: "/things"},
		"405 MethodNotAllowedException":           {method: "DELETE", path: "/things", service: "iot"},
		"413 RequestEntityTooLargeException":      {method: "POST", path: "/things/lamp", service: "iot", body: strings.Repeat(" ", 3<<20)},
		"501 NotImplementedException":             {method: "GET", path: "/billing-groups", service: "iot"},
	} {
		for _, q.door = range []string{"api", "alpn"} {
			got := d.ask(t, q, listedOrigin, "")
			status, kind, _ := strings.Cut(strings.TrimSuffix(want, " of it"), " ")
			if !strings.HasPrefix(got.Status, status) || got.Header.Get("X-Amzn-Errortype") != strings.TrimSpace(kind) {
				t.Errorf("%v: %s, want %s", q, outline(got), want)
			}
			exposed := strings.ToLower(got.Header.Get("Access-Control-Expose-Headers"))
			if got.Header.Get("Access-Control-Allow-Origin") != listedOrigin || got.Header.Get("Vary") != "Origin" ||
				!strings.Contains(exposed, "x-amzn-requestid") || !strings.Contains(exposed, "x-amzn-errortype") {
				t.Errorf("%v: a page cannot read the answer\n%s", q, outline(got))
			}
			asked := q
			asked.method, asked.service, asked.body = "OPTIONS", "", ""
			answer := d.ask(t, asked, listedOrigin, q.method)
			if answer.StatusCode != http.StatusNoContent || answer.Header.Get("Access-Control-Allow-Origin") != listedOrigin ||
				answer.Header.Get("Access-Control-Allow-Headers") != "authorization, x-amz-date" ||
				status != "405" && !strings.Contains(answer.Header.Get("Access-Control-Allow-Methods"), q.method) {
				t.Errorf("preflight of %v: %s", q, outline(answer))
			}
			for _, h := range []http.Header{got.Header, answer.Header} {
				if h.Get("Access-Control-Allow-Credentials") != "" {
					t.Errorf("%v: browsers may send credentials", q)
				}
			}
		}
	}
	if lines := d.log.With("--cors-origin"); len(lines) > 0 {
		t.Errorf("the log complains of a listed origin: %q", lines)
	}
	for _, door := range []string{"api", "alpn"} { // of operations that are a POST to the root
		answer := d.ask(t, question{door: door, method: "OPTIONS", path: "/"}, listedOrigin, "POST")
		if answer.StatusCode != http.StatusNoContent || answer.Header.Get("Access-Control-Allow-Methods") != "POST" {
			t.Errorf("preflight of / on %s: %s", door, outline(answer))
		}
	}
}

// Beside the contract's paths, for other origins and without an origin, a server
// with --cors-origin answers as one without, and that one as if browsers were not
// there.
func TestElsewhereNothingChanges(t *testing.T) {
	on, off := openAllDoors(t, listedOrigin), openAllDoors(t)
	var beside, contract []question
	for _, door := range []string{"api", "alpn"} {
		for _, path := range []string{"/muster/v1/jobs/x/options", "/metrics", "/console/", "/healthz", "/readyz", "/mqtt", "/favicon.ico"} {
			beside = append(beside, question{door: door, method: "GET", path: path}, question{door: door, method: "GET", path: path, service: "iot"})
		}
		beside = append(beside, question{door: door, method: "GET", path: "/bucket/key", service: "s3"})
		contract = append(contract,
			question{door: door, method: "GET", path: "/things", service: "iot"},
			question{door: door, method: "GET", path: "/things/none", service: "iot"},
			question{door: door, method: "GET", path: "/things/none/jobs", service: "iot-jobs-data"},
			question{door: door, method: "GET", path: "/things"})
	}
	beside = append(beside,
		question{door: "https", method: "GET", path: "/things/lamp/jobs"}, question{door: "files", method: "GET", path: "/bucket/key", service: "s3"},
		question{door: "watch", method: "GET", path: "/metrics-elsewhere"}, question{door: "watch", method: "GET", path: "/healthz"})
	same := func(q question, origin string) {
		t.Helper()
		asked := q
		asked.method, asked.service = "OPTIONS", ""
		for wanted, q := range map[string]question{"": q, q.method: asked} {
			without := off.ask(t, q, "", wanted)
			for name, d := range map[string]*doors{"with": on, "without": off} {
				got := d.ask(t, q, origin, wanted)
				if outline(got) != outline(without) {
					t.Errorf("%v, origin %q, preflight for %q, %s --cors-origin:\n%s\nwant\n%s", q, origin, wanted, name, outline(got), outline(without))
				}
			}
		}
	}
	for _, q := range beside {
		same(q, listedOrigin)
		same(q, unlistedOrigin)
	}
	for _, d := range []*doors{on, off} {
		if lines := d.log.With("--cors-origin"); len(lines) > 0 {
			t.Errorf("the log complains of paths that are not the contract's: %q", lines)
		}
	}
	for _, q := range contract {
		same(q, unlistedOrigin)
		same(q, "")
	}
	for name, d := range map[string]*doors{"with": on, "without": off} {
		if lines := d.log.With("--cors-origin"); len(lines) != 1 || !strings.Contains(lines[0], "origin="+unlistedOrigin) {
			t.Errorf("%s --cors-origin the log does not say once that %s is not listed: %q", name, unlistedOrigin, lines)
		}
	}
}

// A look at the root says what this is, on every listener that takes signed
// requests, and on that of scrapers what there is for them.
func TestALookAtTheRoot(t *testing.T) {
	d := openAllDoors(t)
	for q, want := range map[question]string{
		{door: "api", method: "GET", path: "/"}:                 "200 text/plain; charset=utf-8",
		{door: "api", method: "HEAD", path: "/"}:                "200 text/plain; charset=utf-8",
		{door: "alpn", method: "GET", path: "/"}:                "200 text/plain; charset=utf-8",
		{door: "watch", method: "GET", path: "/"}:               "200 text/plain; charset=utf-8",
		{door: "api", method: "GET", path: "/", service: "iot"}: "404 application/json",
		{door: "api", method: "POST", path: "/"}:                "404 application/json",
		{door: "api", method: "OPTIONS", path: "/"}:             "404 application/json",
		{door: "api", method: "GET", path: "/?x", service: ""}:  "404 application/json",
		{door: "api", method: "GET", path: "/", service: "s3"}:  "200 application/xml",
		{door: "files", method: "GET", path: "/"}:               "403 application/xml",
		{door: "https", method: "GET", path: "/"}:               "403 application/json",
	} {
		got := d.ask(t, q, "", "")
		if line := fmt.Sprintf("%d %s", got.StatusCode, got.Header.Get("Content-Type")); line != want {
			t.Errorf("%v = %s, want %s", q, line, want)
		}
	}
	response, err := http.Get("http://" + d.doors.api.Addr().String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	r := d.doors.ready()
	open := map[string]string{"--api": r.APIURL, "--mqtt-plain": r.MQTTAddr, "--metrics": r.MetricsURL}
	for flag, l := range map[string]string{"--mqtts": r.MQTTSAddr, "--https": r.HTTPSURL, "--alpn": r.ALPNAddr, "--files": d.doors.files.Addr().String()} {
		open[flag] = "localhost" + l[strings.LastIndex(l, ":"):]
	}
	for _, flag := range slices.Sorted(maps.Keys(open)) {
		if !strings.Contains(string(text), " "+open[flag]+" ") || !strings.Contains(string(text), " "+flag+"\n") {
			t.Errorf("%s is not at %s in\n%s", flag, open[flag], text)
		}
	}
	if strings.Contains(string(text), d.key.AccessKeyID) || strings.Contains(string(text), string(d.data)) {
		t.Errorf("the text tells of keys or folders:\n%s", text)
	}
}
