package operator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/internal/apiclient"
	"github.com/muster-iot/muster/iotpolicy"
)

// parts are fakes of what the actions act on.
type parts struct {
	backups []string
	letters []DeadLetter
	options map[muster.JobID]JobOptions
	now     muster.Instant
}

func (p *parts) Backup(_ context.Context, to string) error {
	p.backups = append(p.backups, to)
	if len(p.backups) > 1 {
		return errors.New("the disk is on fire")
	}
	return nil
}

func (p *parts) Explain(_ context.Context, q iotpolicy.Question) (iotpolicy.Explanation, error) {
	return iotpolicy.Explanation{Principal: q.Who, Allowed: q.Action == "iot:Publish", Missing: []string{q.ClientID}}, nil
}

func (p *parts) DeadLetters(_ context.Context, after string, limit int) ([]DeadLetter, error) {
	i := slices.IndexFunc(p.letters, func(l DeadLetter) bool { return l.Place > after })
	if i < 0 {
		return nil, nil
	}
	return p.letters[i:min(i+limit, len(p.letters))], nil
}

func (p *parts) Replay(_ context.Context, ids []string) (int, error) { return 1000 + len(ids), nil }
func (p *parts) Forget(_ context.Context, ids []string) (int, error) { return 2000 + len(ids), nil }

func (p *parts) JobOptions(_ context.Context, job muster.JobID) (JobOptions, error) {
	o, there := p.options[job]
	if !there {
		return o, muster.Errorf(muster.NotFound, "Job %s not found", job)
	}
	return o, nil
}

func (p *parts) SetJobOptions(_ context.Context, job muster.JobID, o JobOptions) error {
	p.options[job] = o
	return nil
}

func (p *parts) Now() muster.Instant { return p.now }

func (p *parts) Move(_ context.Context, to muster.Instant) error {
	p.now = to
	return nil
}

func (p *parts) Begin(context.Context) error { return nil }

func (p *parts) Ask(conn net.Conn) {
	fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
	conn.Close()
}

// serveParts returns a client of a server with fakes.
func serveParts(t *testing.T, p *parts) Client {
	t.Helper()
	keys, err := identity.OpenKeys(identity.KeysOptions{Path: filepath.Join(t.TempDir(), "keys.json"), Account: account, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(New(Options{Keys: keys, Region: region, Now: time.Now, Routes: Routes(Parts{
		Account: muster.Account{ID: account, Region: region},
		Backups: p, Policies: p, DeadLetters: p, Jobs: p, Clock: p, Resets: p,
	})}))
	t.Cleanup(server.Close)
	return Client{&apiclient.Client{URL: server.URL, Region: region, Credential: keys.List()[0].Credential, HTTP: server.Client()}}
}

func TestTheClientCallsWhatTheServerServes(t *testing.T) {
	p := &parts{now: muster.At(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))}
	c, ctx := serveParts(t, p), t.Context()

	if err := c.Backup(ctx, "/to"); err != nil || !slices.Equal(p.backups, []string{"/to"}) {
		t.Errorf("Backup: %v, %q", err, p.backups)
	}
	err := c.Backup(ctx, "/to")
	if e, ok := errors.AsType[*apiclient.Error](err); !ok || e.Type != "ServiceUnavailableException" || e.Message != "the backup failed: the disk is on fire" {
		t.Errorf("Backup with a disk on fire: %v", err)
	}
	e, err := c.ExplainPolicy(ctx, iotpolicy.Question{Who: "lamp", ClientID: "lamp1", Action: "iot:Publish", Resource: "*"})
	if err != nil || e.Principal != "lamp" || !e.Allowed || !slices.Equal(e.Missing, []string{"lamp1"}) {
		t.Errorf("ExplainPolicy: %+v, %v", e, err)
	}
	clock, err := c.MoveClock(ctx, ClockOrder{Advance: "90m"})
	if err != nil || !clock.Now.Time().Equal(time.Date(2030, 1, 1, 1, 30, 0, 0, time.UTC)) {
		t.Errorf("MoveClock: %v, %v", clock, err)
	}
	if clock, err = c.ReadClock(ctx); err != nil || clock.Now.Time().Hour() != 1 {
		t.Errorf("ReadClock: %v, %v", clock, err)
	}
	for do, want := range map[string]int{Replay: 1002, Forget: 2002} {
		if n, err := c.ClearDeadLetters(ctx, DeadLetterOrder{Do: do, IDs: []string{"a", "b"}}); err != nil || n.Count != want {
			t.Errorf("ClearDeadLetters to %s: %v, %v, want %d", do, n, err, want)
		}
	}
	var answer struct{}
	if err := c.API.Call(ctx, "POST", "/muster/v1/reset", nil, &answer); err != nil {
		t.Errorf("reset: %v", err)
	}
}

// A page that is full names the next, until the last.
func TestDeadLettersComeInPages(t *testing.T) {
	p := &parts{}
	for i := range 2*deadLetterPageMax + 1 {
		p.letters = append(p.letters, DeadLetter{Place: fmt.Sprintf("%04d", 3*i+1), ID: fmt.Sprint(i)})
	}
	c := serveParts(t, p)
	var ids []string
	pages := 0
	for after, more := "", true; more && pages < 10; pages++ {
		page, err := c.ListDeadLetters(t.Context(), after)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range page.Letters {
			ids = append(ids, l.ID)
		}
		after, more = page.Next, page.Next != ""
	}
	if pages != 3 || len(ids) != len(p.letters) || ids[deadLetterPageMax] != fmt.Sprint(deadLetterPageMax) {
		t.Errorf("%d dead letters came in %d pages, want %d in 3", len(ids), pages, len(p.letters))
	}
}

// Job options are the body of an update over what there was.
func TestAnUpdateOfJobOptionsKeepsWhatItLeavesOut(t *testing.T) {
	p := &parts{options: map[muster.JobID]JobOptions{"fw": {}}}
	c := serveParts(t, p)
	for _, tt := range []struct {
		body map[string]any
		want bool
	}{
		{map[string]any{"paceJoiners": true}, true},
		{map[string]any{}, true},
		{map[string]any{"paceJoiners": nil}, true},
		{map[string]any{"paceJoiners": false}, false},
	} {
		var got JobOptions
		if err := c.API.Call(t.Context(), "PUT", "/muster/v1/jobs/fw/options", tt.body, &got); err != nil || got.PaceJoiners != tt.want || p.options["fw"] != got {
			t.Errorf("PUT %v: %+v, %v, and %+v is kept; want paceJoiners %t", tt.body, got, err, p.options["fw"], tt.want)
		}
	}
	err := c.API.Call(t.Context(), "PUT", "/muster/v1/jobs/none/options", []int{}, nil)
	if err == nil || !strings.Contains(err.Error(), "Job none not found") {
		t.Errorf("PUT for a job that is not there: %v, want that said before its body is looked at", err)
	}
}

func TestActionsAreNamedOnce(t *testing.T) {
	actions := Actions()
	for _, r := range Routes(Parts{}) {
		if !slices.Contains(actions, r.Action) {
			t.Errorf("Actions() = %q, without the %s of a route", actions, r.Action)
		}
	}
	if !slices.IsSorted(actions) || len(slices.Compact(slices.Clone(actions))) != len(actions) || actions[0] != "muster:Backup" {
		t.Errorf("Actions() = %q, want each once, sorted", actions)
	}
}
