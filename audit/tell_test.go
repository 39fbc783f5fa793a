package audit

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
)

// listener is told of records, in transactions that may run twice.
type listener struct {
	unwanted bool
	heard    []string // of transactions that are durable
}

func (l *listener) Wanted(*commit.Tx) (bool, error) { return !l.unwanted, nil }

func (l *listener) Tell(tx *commit.Tx, requestID string, text []byte) error {
	var entry Entry
	if err := json.Unmarshal(text, &entry); err != nil || requestID != entry.RequestID {
		return fmt.Errorf("of %s: %s: %w", requestID, text, err)
	}
	tx.Ahead(func() {
		l.heard = append(l.heard, fmt.Sprintf("%s %s %s %d", entry.At, entry.Operation, entry.Outcome, len(entry.Changes)))
	})
	return nil
}

func TestEventsAreToldOfEachRecord(t *testing.T) {
	o := newOffice(t, Settings{Days: 400})
	heard := &listener{}
	o.events = heard
	tell := func(want ...string) {
		t.Helper()
		o.pass(countedAfter)
		o.work()
		if !slices.Equal(heard.heard, want) {
			t.Errorf("told were %q, want %q", heard.heard, want)
		}
		heard.heard = nil
	}
	a := o.attempt("PutLamps", "arn:lamp/hall")
	ctx := o.Witnessed(t.Context(), &a)
	put := func(name string) {
		t.Helper()
		if err := o.commits.Do(ctx, func(tx *commit.Tx) error { lamps.Put(tx, name, lamp{Level: 1}); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	put("hall")
	put("roof")
	o.pass(time.Second)
	intent, err := o.Begin(t.Context(), o.attempt("Backup"))
	if err != nil {
		t.Fatal(err)
	}
	tell("2026-11-30T12:00:00.000Z PutLamps done 2", "2026-11-30T12:00:01.000Z Backup unknown 0")
	tell()
	put("yard") // of the same request
	if err := intent.End(t.Context(), Done, "", ""); err != nil {
		t.Fatal(err)
	}
	tell("2026-11-30T12:00:00.000Z PutLamps done 3", "2026-11-30T12:00:01.000Z Backup done 0")
	o.Refused(t.Context(), o.attempt("PutLamp"), Refused, "AccessDeniedException", "no")
	o.pass(time.Second)
	o.work()
	tell("2026-11-30T12:00:16.000Z PutLamp refused 0")
	heard.unwanted = true
	o.put("hall", lamp{Level: 2})
	tell()
	o.verify()
}

func TestAFilterBindsItsTokens(t *testing.T) {
	o := newOffice(t, Settings{Days: 400})
	for i := range 10 {
		o.put(fmt.Sprint("lamp", i%2), lamp{Level: i})
	}
	of := func(name string) Query {
		return Query{Filter: Filter{name, func(r Record) bool { return slices.Contains(r.Resources, "arn:lamp/"+name) }}}
	}
	q := of("lamp1")
	q.Limit = 2
	page, err := o.Lookup(t.Context(), q)
	if err != nil || len(page.Records) != 2 || page.Next == "" {
		t.Fatalf("the first page is %+v, %v", page, err)
	}
	if got := o.all(q); len(got) != 5 {
		t.Errorf("%d records were found, want 5", len(got))
	}
	other := of("lamp0")
	other.Token = page.Next
	if _, err := o.Lookup(t.Context(), other); !muster.IsKind(err, muster.Invalid) {
		t.Errorf("a token of another filter: %v, want Invalid", err)
	}
}
