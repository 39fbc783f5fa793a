package nodes_test

import (
	"crypto/hmac"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/muster-iot/muster/device"
	"github.com/muster-iot/muster/operator"
	"github.com/muster-iot/muster/webhook"
)

// hook is the server that the events of a site are posted to. It refuses what is not signed, and is slow, so that a node that ends
// has events in its hands.
type hook struct {
	site   *site
	secret webhook.Secret

	mu     sync.Mutex // guards what follows
	events []event    // in the order in which they came first
	shown  map[string]bool
	again  int // posts of events that had come before
	faults []string
}

// event is what a hook reads of one.
type event struct{ ID, Type, Subject, Sequence string }

// ending is the end of an execution, of which there may be more with retries.
type ending struct {
	thing, job string
	status     device.Status
}

// newHook opens the server. It returns the flags with which nodes post to it.
func (s *site) newHook() (*hook, []string) {
	s.Helper()
	file := filepath.Join(s.TempDir(), "hook-secret")
	text := []byte("sixteen bytes and some more")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		s.Fatal(err)
	}
	secret, err := webhook.NewSecret(text)
	if err != nil {
		s.Fatal(err)
	}
	h := &hook{site: s, secret: secret, shown: map[string]bool{}}
	server := httptest.NewServer(h)
	s.Cleanup(server.Close)
	return h, []string{"--webhook-url", server.URL, "--webhook-secret-file", file, "--webhook-batch", "20"}
}

// ServeHTTP takes events.
func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return // its sender has ended
	}
	time.Sleep(50 * time.Millisecond)
	h.mu.Lock()
	defer h.mu.Unlock()
	signature := r.Header.Get(webhook.SignatureHeader)
	seconds, _, _ := strings.Cut(strings.TrimPrefix(signature, "t="), ",")
	at, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || !hmac.Equal([]byte(signature), []byte(h.secret.Sign(time.Unix(at, 0), text))) {
		h.faults = append(h.faults, fmt.Sprintf("a post has the signature %q, which is not that of its body", signature))
		w.WriteHeader(http.StatusForbidden)
		return
	}
	var events []event
	if err := json.Unmarshal(text, &events); err != nil {
		h.faults = append(h.faults, fmt.Sprintf("a post cannot be read: %v", err))
	}
	for _, e := range events {
		if h.shown[e.ID] {
			h.again++
			continue
		}
		h.shown[e.ID] = true
		h.events = append(h.events, e)
	}
}

// count returns how many events have come.
func (h *hook) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.events)
}

// about returns the thing of an event, or else its job, and the end that it tells of, if it does.
func (e event) about() (name string, x ending) {
	part := strings.Split(e.Subject, "/")
	if part[0] != "thing" || len(part) < 4 {
		return e.Subject, x
	}
	operation := e.Type[strings.LastIndex(e.Type, ".")+1:]
	return "thing/" + part[1], ending{part[1], part[3], device.Status(strings.ToUpper(operation))}
}

// judge waits until all ends of executions that were answered have come, and finds what came in the wrong order. Nothing may
// happen any more.
func (h *hook) judge(ends []ending) {
	h.site.Helper()
	wanted := map[ending]int{}
	for _, x := range ends {
		wanted[x]++
	}
	missing := func() (missing []string) {
		h.mu.Lock()
		defer h.mu.Unlock()
		came := map[ending]int{}
		for _, e := range h.events {
			_, x := e.about()
			came[x]++
		}
		for x, n := range wanted {
			if came[x] < n {
				missing = append(missing, fmt.Sprintf("of the %d answered ends %v have come %d", n, x, came[x]))
			}
		}
		return missing
	}
	var lost []string
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if lost = missing(); len(lost) == 0 || time.Now().After(end) {
			break
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	faults := append(append(lost, h.faults...), h.disorder(ends)...)
	for _, fault := range faults[:min(len(faults), faultsShown)] {
		h.site.Error(fault)
	}
	h.site.Logf("%d events have come, %d ends of executions among them were answered, %d posts were repeated, %d faults", len(h.events), len(ends), h.again, len(faults))
}

// disorder returns which events of a thing or a job came before an earlier one. The log says which is earlier; for ends that occur only
// once, so do the answers.
func (h *hook) disorder(ends []ending) (faults []string) {
	last := map[string]event{}
	came := map[ending]int{}  // how many
	place := map[ending]int{} // of the last that came
	for i, e := range h.events {
		name, x := e.about()
		if before := last[name]; e.Sequence <= before.Sequence {
			faults = append(faults, fmt.Sprintf("%v came after %v", e, before))
		}
		last[name] = e
		came[x]++
		place[x] = i
	}
	answered := map[ending]int{}
	for _, x := range ends {
		answered[x]++
	}
	latest := map[string]ending{}
	for _, x := range ends {
		if came[x] != 1 || answered[x] != 1 {
			continue
		}
		if before, ok := latest[x.thing]; ok && place[x] < place[before] {
			faults = append(faults, fmt.Sprintf("%v came before %v, which was answered earlier", x, before))
		}
		latest[x.thing] = x
	}
	return faults
}

// hookMoves takes the webhook away from the node that has it, in every way, while events come.
func (l *load) hookMoves() {
	l.Helper()
	lease := "sink/webhook"
	for _, way := range []struct {
		name string
		take func(n *node) (restore func())
	}{
		{"killed", func(n *node) func() {
			n.kill()
			return n.start
		}},
		{"stopped", func(n *node) func() {
			n.signal(syscall.SIGSTOP)
			return func() {
				n.signal(syscall.SIGCONT) // it may have events in its hands
				n.exited(10 * time.Second)
				n.start()
			}
		}},
		{"drained", func(n *node) func() {
			order := func(more ...string) {
				l.muster(append([]string{"nodes", "drain", fmt.Sprintf("n%d", n.number), "--ready-file", n.readyFile()}, more...)...)
			}
			order()
			return func() { order("--undo") }
		}},
		{"ended", func(n *node) func() {
			n.signal(syscall.SIGTERM)
			<-n.ended
			return n.start
		}},
		{"cut from the database", func(n *node) func() {
			n.database.Stall()
			return func() {
				n.database.Mend()
				n.exited(15 * time.Second)
				n.start()
			}
		}},
	} {
		var holder *node
		l.await("a node has the webhook", 20*time.Second, func() bool { holder = l.holder(lease, nil); return holder != nil })
		restore := way.take(holder)
		l.await("another node has the webhook of the one that is "+way.name, 20*time.Second, func() bool { return l.holder(lease, holder) != nil })
		came := l.hook.count()
		l.await("events come", 20*time.Second, func() bool { return l.hook.count() > came })
		restore()
		l.settle()
	}
}

// holder returns the node other than one that has a lease, as another node says.
func (s *site) holder(lease string, other *node) *node {
	for _, n := range s.nodes {
		if n == other || !n.well.Load() {
			continue
		}
		list, err := operator.Client{API: n.api()}.ListNodes(s.Context())
		if err != nil {
			return nil
		}
		for _, row := range list.Nodes {
			number, _ := strconv.Atoi(strings.TrimPrefix(row.Name, "n")) // they have such names
			if slices.Contains(row.Leases, lease) && row.State != operator.NodeDead && s.nodes[number] != other {
				return s.nodes[number]
			}
		}
		return nil
	}
	return nil
}
