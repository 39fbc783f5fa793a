package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/sigv4"
)

var updateTranscript = flag.Bool("update", false, "rewrite testdata/operator with what was answered")

// dialogue is a server in this process and what was said to it on the paths of
// the operator, with what each request left in the log.
type dialogue struct {
	t     *testing.T
	ready datafolder.Ready
	log   chan map[string]string // the lines of the operator's requests
	said  strings.Builder
	hide  *strings.Replacer // of what differs from run to run
}

// serveHere runs a server until stop is called.
func serveHere(t *testing.T, c Config) (d *dialogue, stop func()) {
	t.Helper()
	d = &dialogue{t: t, log: make(chan map[string]string, 100), hide: strings.NewReplacer()}
	ctx, cancel := context.WithCancel(t.Context())
	up, ended := make(chan datafolder.Ready, 1), make(chan error, 1)
	go func() { ended <- serve(ctx, c, slog.New(operatorLines{d.log}), func(r datafolder.Ready) { up <- r }) }()
	select {
	case d.ready = <-up:
	case err := <-ended:
		t.Fatal(err)
	}
	return d, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// operatorLines hands on those lines of a log that are of the operator's requests.
type operatorLines struct{ to chan<- map[string]string }

func (operatorLines) Enabled(context.Context, slog.Level) bool { return true }
func (o operatorLines) WithAttrs([]slog.Attr) slog.Handler     { return o }
func (o operatorLines) WithGroup(string) slog.Handler          { return o }

func (o operatorLines) Handle(_ context.Context, r slog.Record) error {
	line := map[string]string{"level": r.Level.String()}
	r.Attrs(func(a slog.Attr) bool { line[a.Key] = a.Value.String(); return true })
	if r.Message == "request" && line["plane"] == "operator" {
		o.to <- line
	}
	return nil
}

// limited are the errors before it is known who asks: the log may leave such
// requests out, when there are many.
var limited = map[string]bool{
	"MissingAuthenticationTokenException": true, "UnrecognizedClientException": true, "InvalidSignatureException": true, "IncompleteSignatureException": true,
	"UnknownOperationException": true, "MethodNotAllowedException": true, "RequestEntityTooLargeException": true,
}

// ask sends a request, and writes it down with its answer and its line in the log.
// shown names a body that is too long to be written down, or differs each time.
func (d *dialogue) ask(as sigv4.Credential, method, target, body, shown string) string {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, d.ready.APIURL+target, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if as.AccessKeyID != "" {
		sigv4.Sign(r, []byte(body), as, d.ready.Region, "iot", time.Now())
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	got := string(text)
	if strings.HasPrefix(target, "/metrics") && answer.StatusCode == http.StatusOK {
		got = got[:len("# HELP ")] + "…\n"
	}
	if shown == "" {
		shown = body
	}
	fmt.Fprintf(&d.said, "> %s %s %s\n< %d %s %s\n", method, target, d.hide.Replace(shown), answer.StatusCode, answer.Header.Get("Content-Type"), answer.Header.Get("X-Amzn-Errortype"))
	if allow := answer.Header.Values("Allow"); allow != nil {
		fmt.Fprintf(&d.said, "  Allow: %q\n", allow)
	}
	fmt.Fprintf(&d.said, "  %s", d.hide.Replace(got))
	if limited[answer.Header.Get("X-Amzn-Errortype")] {
		d.said.WriteString("\n")
		return string(text)
	}
	id := answer.Header.Get("X-Amzn-Requestid")
	line := <-d.log
	for id != "" && line["request_id"] != id {
		line = <-d.log
	}
	fmt.Fprintf(&d.said, "# %s %s %s status=%s path=%s resource=%s key=%t", line["level"], line["operation"], line["code"], line["status"], line["path"], line["resource"], line["access_key"] != "")
	if line["error"] != "" {
		fmt.Fprintf(&d.said, " error=%s", d.hide.Replace(line["error"]))
	}
	d.said.WriteString("\n\n")
	return string(text)
}

// compare holds what was said against a file, or writes that.
func (d *dialogue) compare(file string) {
	d.t.Helper()
	file = filepath.Join("testdata", "operator", file)
	if *updateTranscript {
		if err := os.WriteFile(file, []byte(d.said.String()), 0o644); err != nil {
			d.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		d.t.Fatal(err)
	}
	got, wanted := strings.SplitAfter(d.said.String(), "\n\n"), strings.SplitAfter(string(want), "\n\n")
	for i := range max(len(got), len(wanted)) {
		if i >= len(got) || i >= len(wanted) || got[i] != wanted[i] {
			d.t.Errorf("%s, exchange %d:\n%s\nwant:\n%s", file, i+1, strings.Join(got[min(i, len(got)):min(i+1, len(got))], ""), strings.Join(wanted[min(i, len(wanted)):min(i+1, len(wanted))], ""))
		}
	}
}

// operatorPaths are the paths of the table, each with the methods that it has.
var operatorPaths = []struct{ method, path string }{
	{"GET", "/metrics"},
	{"POST", "/muster/v1/backup"},
	{"POST", "/muster/v1/explain-policy"},
	{"GET", "/muster/v1/dead-letters"},
	{"POST", "/muster/v1/dead-letters"},
	{"GET", "/muster/v1/keys"},
	{"GET", "/muster/v1/jobs/fw/options"},
	{"PUT", "/muster/v1/jobs/fw/options"},
	{"GET", "/muster/v1/clock"},
	{"POST", "/muster/v1/clock"},
	{"POST", "/muster/v1/reset"},
}

// badBodies are refused, or mean nothing, on every path that takes a body.
var badBodies = []string{"", "{", "{} {}", "[]", "null", `{"x":1}`, `{"do":"replay","do":"forget"}`, `{"to":1}`, `{"paceJoiners":"yes"}`, `{"set":"tomorrow"}`, "{}"}

// TestTheOperatorIsAnsweredAsBefore pins every byte of the paths below /muster/v1:
// bodies, statuses, errors, and the log.
func TestTheOperatorIsAnsweredAsBefore(t *testing.T) {
	refused := make(chan struct{}, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refused <- struct{}{}
		w.WriteHeader(http.StatusBadRequest)
	}))
	defer hook.Close()
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("0123456789abcdef0123"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := defaultConfig()
	c.Data = filepath.Join(dir, "data")
	c.API, c.MQTTS, c.HTTPS, c.Files.Address, c.Metrics = "127.0.0.1:0", "", "", "", ""
	c.Webhook.URL, c.Webhook.SecretFile, c.Webhook.Events, c.Webhook.Attempts = hook.URL, secret, "THING", 1

	d, stop := serveHere(t, c)
	weak := addKey(t, c.Data, `{"Effect":"Allow","Action":["iot:*","muster:UpdateJobOptions"],"Resource":["arn:aws:iot:us-east-1:000000000000:job/other"]}`)
	admin, err := identity.ReadProfile(d.ready.CredentialsFile)
	if err != nil {
		t.Fatal(err)
	}
	d.hide = strings.NewReplacer(admin.AccessKeyID, "ADMIN", weak.AccessKeyID, "WEAK", dir, "DIR")
	t.Run("real time", func(t *testing.T) {
		d.t = t
		for _, body := range []string{"", "{", `{"advance":"1m"}`} {
			d.ask(admin, http.MethodPost, "/muster/v1/clock", body, "")
			d.ask(admin, http.MethodPost, "/muster/v1/reset", body, "")
		}
		d.ask(admin, http.MethodGet, "/muster/v1/clock", "", "")
		d.compare("realtime")
	})
	stop()

	c.TestClock = true
	d, stop = serveHere(t, c)
	defer func() { stop() }()
	d.hide = strings.NewReplacer(admin.AccessKeyID, "ADMIN", weak.AccessKeyID, "WEAK", dir, "DIR")
	api, err := clientOf(d.ready)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("refused", func(t *testing.T) {
		d.t = t
		for _, at := range operatorPaths {
			d.ask(sigv4.Credential{}, at.method, at.path, "{}", "")
			d.ask(sigv4.Credential{AccessKeyID: "AKIANOBODY", Secret: "x"}, at.method, at.path, "{}", "")
			d.ask(sigv4.Credential{AccessKeyID: admin.AccessKeyID, Secret: "x"}, at.method, at.path, "{}", "")
			d.ask(weak, at.method, at.path, "{", "")
			long := strings.Repeat(" ", 1<<20+1)
			d.ask(admin, at.method, at.path, long, "2^20+1 spaces")
			d.ask(admin, http.MethodDelete, at.path, "", "")
		}
		for _, path := range []string{"", "nothing", "jobs/fw", "jobs//options", "jobs/fw/options/", "clock/", "Clock"} {
			d.ask(admin, http.MethodGet, "/muster/v1/"+path, "", "")
		}
		d.compare("refused")
	})
	t.Run("clock", func(t *testing.T) {
		d.t = t
		d.ask(admin, "POST", "/muster/v1/clock", `{"set":"2030-01-01T00:00:00Z"}`, "")
		for _, body := range append(badBodies, `{"advance":"90m"}`, `{"advance":"1.5s","set":null}`, `{"set":"2030-02-01T00:00:00.123456789+02:00"}`,
			`{"advance":"soon"}`, `{"advance":"-1m"}`, `{"set":"2029-01-01T00:00:00Z"}`, `{"set":"2050-01-01T00:00:00Z"}`, `{"advance":"1m","set":"2031-01-01T00:00:00Z"}`, `{"ADVANCE":"1m"}`) {
			d.ask(admin, "POST", "/muster/v1/clock", body, "")
		}
		d.ask(admin, "GET", "/muster/v1/clock", "ignored", "")
		d.compare("clock")
	})
	t.Run("job options", func(t *testing.T) {
		d.t = t
		d.ask(admin, "GET", "/muster/v1/jobs/fw/options", "", "")
		for _, body := range []string{"", "{", `{"paceJoiners":true}`} {
			d.ask(admin, "PUT", "/muster/v1/jobs/none/options", body, "")
		}
		arn, err := api.CreateGroup(t.Context(), "lamps")
		if err != nil {
			t.Fatal(err)
		}
		job := object{"targets": []string{arn}, "document": "{}", "targetSelection": "CONTINUOUS", "jobExecutionsRolloutConfig": object{"maximumPerMinute": 1}}
		for _, id := range []string{"fw", "other", "snapshot"} {
			if id == "snapshot" {
				delete(job, "targetSelection")
			}
			if err := api.Call(t.Context(), "PUT", "/jobs/"+id, job, nil); err != nil {
				t.Fatal(err)
			}
		}
		for _, body := range append(badBodies, `{"paceJoiners":true}`, "{}", `{"paceJoiners":null}`, `{"paceJoiners":false,"x":1}`) {
			d.ask(admin, "PUT", "/muster/v1/jobs/fw/options", body, "")
		}
		d.ask(admin, "GET", "/muster/v1/jobs/fw/options", "ignored", "")
		d.ask(admin, "PUT", "/muster/v1/jobs/fw/options", `{"paceJoiners":false}`, "")
		d.ask(admin, "PUT", "/muster/v1/jobs/f%77/options", `{"paceJoiners":true}`, "")
		d.ask(admin, "PUT", "/muster/v1/jobs/snapshot/options", `{"paceJoiners":true}`, "")
		d.ask(admin, "PUT", "/muster/v1/jobs/a%2Fb/options", `{"paceJoiners":true}`, "")
		d.ask(weak, "PUT", "/muster/v1/jobs/other/options", `{"paceJoiners":true}`, "")
		d.ask(weak, "PUT", "/muster/v1/jobs/fw/options", `{"paceJoiners":true}`, "")
		d.compare("joboptions")
	})
	t.Run("dead letters", func(t *testing.T) {
		d.t = t
		d.ask(admin, "GET", "/muster/v1/dead-letters", "", "")
		for _, thing := range []string{"lamp", "pump"} {
			if err := api.CreateThing(t.Context(), thing); err != nil {
				t.Fatal(err)
			}
			<-refused
		}
		said := d.said.Len()
		var page struct{ DeadLetters []struct{ EventID string } }
		for len(page.DeadLetters) < 2 {
			text := d.said.String()[:said]
			d.said.Reset()
			d.said.WriteString(text)
			if err := json.Unmarshal([]byte(d.ask(admin, "GET", "/muster/v1/dead-letters", "", "")), &page); err != nil {
				t.Fatal(err)
			}
		}
		first := page.DeadLetters[0].EventID
		d.said.Reset() // the log has the event ids, which were not hidden until here
		d.hide = strings.NewReplacer(first, "FIRST", page.DeadLetters[1].EventID, "SECOND")
		for _, query := range []string{"", "?after=", "?after=0", "?after=1", "?after=1000", "?after=x", "?after=-1", "?other=1"} {
			d.ask(admin, "GET", "/muster/v1/dead-letters"+query, "", "")
		}
		for _, body := range append(badBodies, `{"do":"Replay"}`, `{"do":"replay","ids":["none"]}`, `{"do":"forget","ids":["`+first+`","`+first+`"]}`, `{"do":"forget","ids":"x"}`) {
			d.ask(admin, "POST", "/muster/v1/dead-letters", body, "")
		}
		d.ask(admin, "GET", "/muster/v1/dead-letters", "", "")
		d.ask(admin, "POST", "/muster/v1/dead-letters", `{"do":"forget"}`, "")
		d.ask(admin, "POST", "/muster/v1/dead-letters", `{"do":"forget","ids":[]}`, "")
		d.ask(admin, "POST", "/muster/v1/dead-letters", `{"do":"replay"}`, "")
		d.compare("deadletters")
	})
	t.Run("explain policy", func(t *testing.T) {
		d.t, d.hide = t, strings.NewReplacer(admin.AccessKeyID, "ADMIN", weak.AccessKeyID, "WEAK")
		d.said.Reset()
		for _, body := range append(badBodies,
			`{"who":"nobody","action":"iot:Publish","resource":"topic/a"}`,
			`{"who":"`+weak.AccessKeyID+`","action":"iot:CreateJob","resource":"job/other"}`,
			`{"who":"`+weak.AccessKeyID+`","action":"iot:CreateJob","resource":"job/<b>&"}`,
			`{"who":"`+admin.AccessKeyID+`","clientId":"lamp","action":"iot:Publish","resource":"*"}`,
		) {
			d.ask(admin, "POST", "/muster/v1/explain-policy", body, "")
		}
		d.compare("explain")
	})
	t.Run("backup", func(t *testing.T) {
		d.t, d.hide = t, strings.NewReplacer(dir, "DIR")
		d.said.Reset()
		to, _ := json.Marshal(object{"to": filepath.Join(dir, "backup")})
		for _, body := range append(badBodies, `{"to":"backup"}`, string(to), string(to), `{"to":"`+filepath.ToSlash(secret)+`/x"}`) {
			d.ask(admin, "POST", "/muster/v1/backup", body, "")
		}
		d.compare("backup")
	})
	t.Run("metrics and reset", func(t *testing.T) {
		d.t, d.hide = t, strings.NewReplacer(admin.AccessKeyID, "ADMIN", weak.AccessKeyID, "WEAK")
		d.said.Reset()
		d.ask(admin, "GET", "/muster/v1/keys", "", "")
		d.ask(admin, "GET", "/metrics", "ignored", "")
		d.ask(admin, "GET", "/metrics"+"?x=1", "", "")
		now := instantShown.FindString(d.ask(admin, "POST", "/muster/v1/reset", "{", ""))
		if at, err := time.Parse(time.RFC3339Nano, now); err != nil || time.Since(at).Abs() > time.Hour {
			t.Errorf("after a reset it is %q, want the present", now)
		}
		text := instantShown.ReplaceAllString(d.said.String(), "NOW")
		d.said.Reset()
		d.said.WriteString(text)
		d.compare("others")
	})
}

var instantShown = regexp.MustCompile(`20\d\d-[0-9T:.-]+Z`)
