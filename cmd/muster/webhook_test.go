package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-iot/muster/device"
	"github.com/muster-iot/muster/internal/teststore"
)

// hearer is an operator's own server: it verifies signatures and writes down
// what it is told.
type hearer struct {
	*httptest.Server
	t      *testing.T
	secret string

	mu      sync.Mutex
	refuse  func() int                 // a status to answer with; zero takes the request
	ids     map[string]map[string]bool // "type subject" and the ids that it came with
	arrived chan struct{}              // holds a token when something came
}

func newHearer(t *testing.T) *hearer {
	t.Helper()
	h := &hearer{t: t, secret: "0123456789abcdef0123", ids: map[string]map[string]bool{}, arrived: make(chan struct{}, 1)}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

// flags aim a server at h.
func (h *hearer) flags(more ...string) []string {
	h.t.Helper()
	file := filepath.Join(h.t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(h.secret+"\n"), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return append([]string{"--webhook-url", h.URL, "--webhook-secret-file", file}, more...)
}

func (h *hearer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return // the server was killed in the middle
	}
	mac := hmac.New(sha256.New, []byte(h.secret))
	seconds, signature, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Muster-Signature"), "t="), ",v1=")
	fmt.Fprintf(mac, "%s.%s", seconds, text)
	if signature != hex.EncodeToString(mac.Sum(nil)) {
		h.t.Errorf("a request has the wrong signature %q", r.Header.Get("Muster-Signature"))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refuse != nil {
		if status := h.refuse(); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	var event struct{ ID, Type, Subject string }
	if err := json.Unmarshal(text, &event); err != nil {
		h.t.Errorf("a request carries %q: %v", text, err)
	}
	what := strings.TrimPrefix(event.Type, "io.github.muster-iot.") + " " + event.Subject
	if h.ids[what] == nil {
		h.ids[what] = map[string]bool{}
	}
	h.ids[what][event.ID] = true
	select {
	case h.arrived <- struct{}{}:
	default:
	}
}

// await waits until all of what was heard.
func (h *hearer) await(what ...string) {
	h.t.Helper()
	patience := time.After(time.Minute)
	for {
		missing := ""
		h.mu.Lock()
		for _, w := range what {
			if h.ids[w] == nil {
				missing = w
			}
		}
		h.mu.Unlock()
		if missing == "" {
			return
		}
		select {
		case <-h.arrived:
		case <-patience:
			h.t.Fatalf("%q was never heard of", missing)
		}
	}
}

// TestNoEventIsLost kills a real server at random moments while devices finish
// jobs: an operator's server, which refuses some requests, hears of every end
// that was answered, however often by the same id.
func TestNoEventIsLost(t *testing.T) {
	h := newHearer(t)
	h.refuse = func() int {
		if rand.IntN(50) == 0 {
			return http.StatusServiceUnavailable
		}
		return 0
	}
	data, flags := filepath.Join(t.TempDir(), "data"), append(h.flags(), teststore.ServeFlags(t)...)
	var said sworn
	for round := range *crashRounds {
		s := startServer(t, data, flags...)
		working, stop := context.WithCancel(t.Context())
		var clients sync.WaitGroup
		for worker := range 4 {
			clients.Go(func() { said.work(working, s, fmt.Sprintf("r%d-w%d", round, worker), worker%2 == 0) })
		}
		time.Sleep(200*time.Millisecond + rand.N(400*time.Millisecond))
		s.kill(t)
		stop()
		clients.Wait()
	}
	s := startServer(t, data, flags...)
	defer s.kill(t)
	var ends []string
	for x, last := range said.executions {
		if last.status == device.Succeeded {
			ends = append(ends, fmt.Sprintf("jobExecution.succeeded thing/%s/job/%s", x.thing, x.job), "job.completed job/"+x.job)
		}
	}
	if len(ends) == 0 {
		t.Fatal("nothing was done; that proves nothing")
	}
	h.await(ends...)
	h.mu.Lock()
	defer h.mu.Unlock()
	for what, ids := range h.ids {
		if len(ids) != 1 {
			t.Errorf("%s came with %d ids", what, len(ids))
		}
	}
	t.Logf("%d rounds, %d ends, all heard of", *crashRounds, len(ends))
}

// ordered runs a command of the program and returns what it prints.
func ordered(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("muster", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("muster %q: %v\n%s", args, err, out)
	}
	return string(out)
}

func TestDeadLettersAreListedAndReplayed(t *testing.T) {
	h := newHearer(t)
	refused := make(chan struct{}, 10)
	h.refuse = func() int { refused <- struct{}{}; return http.StatusBadRequest }
	data := filepath.Join(t.TempDir(), "data")
	flags := h.flags("--webhook-events", "THING", "--webhook-attempts", "1")
	s := startServer(t, data, flags...)
	for _, thing := range []string{"lamp", "pump"} {
		if err := s.CreateThing(t.Context(), thing); err != nil {
			t.Fatal(err)
		}
		<-refused
	}
	// the second request came after the first event was given up
	if got := ordered(t, "admin", "dead-letters", data); !strings.Contains(got, "THING created") || !strings.Contains(got, "the server answers 400 Bad Request") {
		t.Errorf("while it is served the dead letters are\n%s", got)
	}
	s.kill(t)
	h.mu.Lock()
	h.refuse = nil
	h.mu.Unlock()
	if got := ordered(t, "admin", "dead-letters", "--replay", data); !strings.HasSuffix(got, "dead letters: replay\n") {
		t.Errorf("replay says %q", got)
	}
	if got := ordered(t, "admin", "dead-letters", "--json", data); got != "{\n  \"deadLetters\": []\n}\n" {
		t.Errorf("after the replay there are dead letters\n%s", got)
	}
	s = startServer(t, data, flags...)
	h.await("thing.created thing/lamp", "thing.created thing/pump")
	if got := ordered(t, "admin", "dead-letters", "--forget", data); got != "0 dead letters: forget\n" {
		t.Errorf("forget says %q", got)
	}
	s.kill(t)
}
