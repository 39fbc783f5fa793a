package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

var settings = store.Of[int]{Table: "setting"}

// audited is a server whose changes are recorded.
type audited struct {
	*env
	log     *audit.Log
	commits *commit.Committer
	ahead   atomic.Int64 // of the clock of records, in milliseconds
}

func newAudited(t *testing.T) *audited {
	t.Helper()
	e := &audited{env: &env{t: t}}
	var err error
	e.keys, err = identity.OpenKeys(identity.KeysOptions{Path: filepath.Join(t.TempDir(), "keys.json"), Account: account, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	e.admin = e.keys.List()[0]
	s := memstore.New()
	e.commits = commit.New(commit.Options{Store: s, Now: func() muster.Instant { return muster.At(time.Now()) + muster.Instant(e.ahead.Load()) }})
	e.log = audit.New(audit.Options{
		Settings: audit.Settings{Days: 1}, Store: s, Commits: e.commits, Pages: listing.NewPager(nil),
		Shown: []audit.Shown{audit.Show(settings, func(key string, v int) (string, []audit.Field) {
			return "setting/" + key, []audit.Field{audit.Is("value", v)}
		})},
	})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- e.commits.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	p := Parts{Account: muster.Account{ID: account, Region: region}, Audit: e.log}
	job := func(how Change, run func(context.Context, *Call) (any, error)) Route {
		return Route{Method: "POST", Path: Prefix + "jobs/{job}/" + fmt.Sprint(how), Action: "muster:UpdateJobOptions", Change: how, Serve: run}.on(p.jobARN)
	}
	change := func(ctx context.Context, c *Call) (any, error) {
		var v int
		if len(c.Body) > 0 {
			if err := json.Unmarshal(c.Body, &v); err != nil {
				return nil, muster.Errorf(muster.Invalid, "no number")
			}
		}
		c.Changes = []audit.Change{{Field: "value", New: fmt.Sprint(v)}}
		return v, e.commits.Do(ctx, func(tx *commit.Tx) error { settings.Put(tx, c.Names["job"], v); return nil })
	}
	e.server = New(Options{
		Keys: e.keys, Region: region, Now: time.Now, Audit: e.log, Log: slog.New(slog.DiscardHandler),
		Routes: []Route{
			job(NoChange, func(context.Context, *Call) (any, error) { return nil, muster.Errorf(muster.NotFound, "no") }),
			job(InStore, change), job(Outside, change), serve(lookupAudit, empty, p.lookupAudit),
		},
	})
	return e
}

// records asks for records by the API.
func (e *audited) records(query string) (all []audit.Entry) {
	e.t.Helper()
	for token := ""; ; {
		w := e.send(e.admin, "GET", Prefix+"audit?"+strings.TrimPrefix(query+token, "&"), "")
		var page AuditPage
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != http.StatusOK {
			e.t.Fatalf("GET audit?%s = %d %s", query+token, w.Code, w.Body)
		}
		all = append(all, page.Records...)
		if page.Next == "" {
			return all
		}
		token = "&nextToken=" + strings.ReplaceAll(page.Next, "+", "%2B")
	}
}

func TestActionsAreAudited(t *testing.T) {
	e := newAudited(t)
	other := e.key(`{"Effect":"Allow","Action":"muster:UpdateJobOptions","Resource":"arn:aws:iot:eu-west-1:111122223333:job/fw"}`)
	for _, r := range []struct {
		key    identity.Key
		target string
		body   string
		status int
	}{
		{e.admin, "jobs/fw/1", "5", 200},
		{other, "jobs/fw/2", "6", 200},
		{other, "jobs/other/1", "7", 403},
		{other, "jobs/other/0", "7", 403},
		{e.admin, "jobs/fw/0", "", 404}, // changes nothing
		{e.admin, "jobs/fw/1", "x", 400},
		{e.admin, "jobs/fw/2", "x", 400},
		{identity.Key{}, "jobs/fw/1", "5", 403}, // nobody
	} {
		if w := e.send(r.key, "POST", Prefix+r.target, r.body); w.Code != r.status {
			t.Fatalf("%s = %d %s, want %d", r.target, w.Code, w.Body, r.status)
		}
	}
	e.ahead.Store(2000) // refused ones are written after a second
	for range 3 {
		if _, err := e.commits.Work(t.Context(), nil, e.log); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, r := range e.records("") {
		if _, err := time.Parse(time.RFC3339, r.At); err != nil || r.Service != "muster" || r.Address != "192.0.2.1" || r.Operation != "UpdateJobOptions" || len(r.Resources) != 1 {
			t.Errorf("the record %+v is not that of a job's options", r)
		}
		var changes []string
		for _, c := range r.Changes {
			changes = append(changes, c.Resource+c.Field+"="+c.New)
		}
		got = append(got, fmt.Sprint(r.User, " ", strings.TrimPrefix(r.Resources[0], "arn:aws:iot:eu-west-1:111122223333:"), " ", r.Outcome, " ", r.Error, changes))
	}
	slices.Sort(got)
	want := []string{
		"admin job/fw done [setting/fwvalue=5]",
		"admin job/fw failed InvalidRequestException[]",
		"admin job/fw failed InvalidRequestException[]",
		"ann job/fw done [value=6]",
		"ann job/other refused AccessDeniedException[]",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the records are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for query, want := range map[string]int{
		"resource=job/fw": 4, "resource=arn:aws:iot:eu-west-1:111122223333:job/other": 1, "principal=ann": 2, "principal=" + e.admin.AccessKeyID: 3, "operation=UpdateJobOptions&maxResults=2": 5,
		"from=2020-01-01T00:00:00Z&to=2021-01-01T00:00:00Z": 0, "from=2020-01-01T00:00:00Z&maxResults=1": 5, "operation=Backup": 0,
	} {
		if got := e.records("&" + query); len(got) != want {
			t.Errorf("%s finds %d records, want %d", query, len(got), want)
		}
	}
	for _, query := range []string{"resource=", "maxResults=0", "maxResults=251", "maxResults=x", "from=yesterday", "nextToken=AAAA", "thing=lamp", "from=2020-01-01T00:00:00Z&from=2020-01-01T00:00:00Z", "%zz"} {
		if w := e.send(e.admin, "GET", Prefix+"audit?"+query, ""); w.Code != http.StatusBadRequest || w.Header().Get("X-Amzn-Errortype") != "InvalidRequestException" {
			t.Errorf("%s is answered %d %s, want 400", query, w.Code, w.Body)
		}
	}
	if w := e.send(other, "GET", Prefix+"audit", ""); w.Code != http.StatusForbidden {
		t.Errorf("who may not look gets %d %s", w.Code, w.Body)
	}
}
