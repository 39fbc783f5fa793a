package audit

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/integrity"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/storetest"
)

// lamp is a record of the service, as far as these tests need one.
type lamp struct {
	Site   string
	Secret string
	Level  int
}

var lamps = store.Of[lamp]{Table: "lamp"}

func shownLamp(key string, l lamp) (string, []Field) {
	return "lamp/" + key, []Field{Is("site", l.Site), Is("level", l.Level)}
}

// office is a Log on a store of its own, with a clock that the test moves.
type office struct {
	*Log
	t       *testing.T
	now     atomic.Int64
	store   store.Store
	commits *commit.Committer
	n       int
}

func newOffice(t *testing.T, s Settings) *office {
	t.Helper()
	o := &office{t: t, store: storetest.Twice(memstore.New())}
	o.now.Store(int64(muster.At(time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))))
	o.commits = commit.New(commit.Options{Store: o.store, Now: func() muster.Instant { return muster.Instant(o.now.Load()) }})
	o.Log = New(Options{Settings: s, Store: o.store, Commits: o.commits, Pages: listing.NewPager(nil), Shown: []Shown{Show(lamps, shownLamp)}})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- o.commits.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return o
}

// pass moves the clock.
func (o *office) pass(d time.Duration) { o.now.Add(d.Milliseconds()) }

// attempt returns an attempt with a request id of its own.
func (o *office) attempt(operation string, resources ...string) Attempt {
	o.n++
	return Attempt{RequestID: fmt.Sprintf("request-%04d", o.n), AccessKeyID: "AKID", User: "ada", Address: "192.0.2.1", Service: "iot", Operation: operation, Resources: resources}
}

// do runs a command of a request of its own.
func (o *office) do(a Attempt, fn func(tx *commit.Tx) error) error {
	return o.commits.Do(o.Witnessed(o.t.Context(), &a), fn)
}

// put has a request of its own write a lamp.
func (o *office) put(name string, l lamp) {
	o.t.Helper()
	if err := o.do(o.attempt("PutLamp", "arn:lamp/"+name), func(tx *commit.Tx) error { lamps.Put(tx, name, l); return nil }); err != nil {
		o.t.Fatal(err)
	}
}

// work does all background work that is due.
func (o *office) work() {
	o.t.Helper()
	for range 1000 {
		agenda, err := o.commits.Work(o.t.Context(), nil, o.Log)
		if err != nil {
			o.t.Fatal(err)
		}
		if !agenda.More {
			return
		}
	}
	o.t.Fatal("the work has no end")
}

// all returns the records that a query chooses, page by page.
func (o *office) all(q Query) (all []Record) {
	o.t.Helper()
	for {
		page, err := o.Lookup(o.t.Context(), q)
		if err != nil {
			o.t.Fatal(err)
		}
		if all = append(all, page.Records...); page.Next == "" {
			return all
		}
		q.Token = page.Next
	}
}

// verify fails the test if the records do not agree.
func (o *office) verify() {
	o.t.Helper()
	err := o.store.View(o.t.Context(), func(r store.Reader) error {
		problems, err := integrity.Run(o.t.Context(), r, Verify)
		for _, p := range problems {
			o.t.Error(p)
		}
		return err
	})
	if err != nil {
		o.t.Error(err)
	}
}

func TestAChangeHasItsRecord(t *testing.T) {
	o := newOffice(t, Settings{Days: 400})
	o.put("hall", lamp{Site: "north", Secret: "s3cret", Level: 1})
	o.pass(time.Second)
	o.put("hall", lamp{Site: "north", Secret: "other", Level: 2})
	o.pass(time.Second)
	if err := o.do(o.attempt("DeleteLamp", "arn:lamp/hall", "*", "arn:lamp/hall"), func(tx *commit.Tx) error { lamps.Delete(tx, "hall"); return nil }); err != nil {
		t.Fatal(err)
	}
	refusal := muster.Errorf(muster.Invalid, "no")
	if err := o.do(o.attempt("PutLamp"), func(tx *commit.Tx) error { lamps.Put(tx, "hall", lamp{}); return refusal }); !errors.Is(err, refusal) {
		t.Fatal(err)
	}
	if err := o.do(o.attempt("GetLamp"), func(tx *commit.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	noon := muster.At(time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))
	record := func(n int, operation string, changes ...Change) Record {
		return Record{
			At: noon.Add(time.Duration(n-1) * time.Second), RequestID: fmt.Sprintf("request-%04d", n), AccessKeyID: "AKID", User: "ada", Address: "192.0.2.1",
			Service: "iot", Operation: operation, Resources: []string{"arn:lamp/hall"}, Outcome: Done, Changes: changes,
		}
	}
	want := []Record{
		record(3, "DeleteLamp", Change{"lamp/hall", "site", "north", ""}, Change{"lamp/hall", "level", "2", ""}),
		record(2, "PutLamp", Change{"lamp/hall", "level", "1", "2"}),
		record(1, "PutLamp", Change{"lamp/hall", "site", "", "north"}, Change{"lamp/hall", "level", "", "1"}),
	}
	if got := o.all(Query{}); !reflect.DeepEqual(got, want) {
		t.Errorf("the records are\n%+v, want\n%+v", got, want)
	}
	o.verify()
}

func TestSeveralTransactionsOfARequestHaveOneRecord(t *testing.T) {
	o := newOffice(t, Settings{Days: 400})
	a := o.attempt("PutLamps", "arn:lamp/hall")
	ctx := o.Witnessed(t.Context(), &a)
	for i, name := range []string{"hall", "roof"} {
		if err := o.commits.Do(ctx, func(tx *commit.Tx) error { lamps.Put(tx, name, lamp{Level: i}); return nil }); err != nil {
			t.Fatal(err)
		}
		o.pass(time.Minute)
		o.work()
	}
	if err := store.Update(t.Context(), o.store, func(tx store.Tx) error { return Wrote(ctx, tx) }); err != nil {
		t.Fatal(err)
	}
	o.verify()
	o.Refused(ctx, a, Failed, "ConflictException", "no more")
	o.pass(time.Minute)
	o.work()
	o.verify()
	got := o.all(Query{})
	if len(got) != 1 || len(got[0].Changes) != 2 || got[0].Outcome != Done || got[0].Error != "ConflictException" {
		t.Errorf("the records are %+v, want one of two changes with the error of the third", got)
	}
}

func TestLookup(t *testing.T) {
	o := newOffice(t, Settings{Days: 400})
	var all []Record
	for i := range 40 {
		a := o.attempt([]string{"PutLamp", "CutLamp"}[i%2], fmt.Sprint("arn:lamp/", i%3), "arn:all")
		a.User, a.AccessKeyID = []string{"ada", "bob"}[i%4/2], fmt.Sprint("AKID", i%4)
		if err := o.do(a, func(tx *commit.Tx) error { lamps.Put(tx, "hall", lamp{Level: i + 1}); return nil }); err != nil {
			t.Fatal(err)
		}
		o.pass(time.Second)
	}
	all = o.all(Query{})
	if len(all) != 40 || !slices.IsSortedFunc(all, func(a, b Record) int { return int(b.At - a.At) }) {
		t.Fatalf("there are %d records, want 40, the newest first", len(all))
	}
	from, to := all[30].At, all[5].At
	for _, q := range []Query{
		{Resource: "arn:lamp/1"}, {Resource: "arn:all"}, {Resource: "arn:lamp"}, {Principal: "ada"}, {Principal: "AKID3"}, {Operation: "CutLamp"},
		{Resource: "arn:lamp/2", Principal: "bob", Operation: "PutLamp"}, {Principal: "AKID1", Operation: "PutLamp"},
		{From: from}, {To: to}, {From: from, To: to}, {From: to, To: from}, {Resource: "arn:all", From: from, To: to}, {Operation: "PutLamp", From: from}, {Principal: "bob", To: to},
	} {
		want := slices.DeleteFunc(slices.Clone(all), func(r Record) bool {
			return !(q.Resource == "" || slices.Contains(r.Resources, q.Resource)) || !(q.Principal == "" || q.Principal == r.User || q.Principal == r.AccessKeyID) ||
				!(q.Operation == "" || q.Operation == r.Operation) || r.At < q.From || q.To != 0 && r.At >= q.To
		})
		q.Limit = 3
		if got := o.all(q); len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("%+v finds %d records, want %d:\n%+v", q, len(got), len(want), got)
		}
	}
	page, err := o.Lookup(t.Context(), Query{Principal: "ada", Page: listing.Page{Limit: 3}})
	if err != nil || page.Next == "" {
		t.Fatalf("the page is %+v, %v", page, err)
	}
	if _, err := o.Lookup(t.Context(), Query{Principal: "bob", Page: listing.Page{Limit: 3, Token: page.Next}}); !errors.Is(err, listing.ErrToken) {
		t.Errorf("a token of another query gets %v", err)
	}
}

func TestRefusedAttemptsAreBounded(t *testing.T) {
	o := newOffice(t, Settings{Days: 400})
	for range 50 {
		o.Refused(t.Context(), o.attempt("DeleteLamp", "arn:lamp/hall"), Refused, "AccessDeniedException", "not you")
		o.pass(time.Second)
		o.work()
	}
	got := o.all(Query{})
	if len(got) != 1 || got[0].Count != 50 || got[0].Outcome != Refused || got[0].Message != "not you" {
		t.Fatalf("50 equal attempts have the records %+v", got)
	}
	o.pass(time.Minute)
	o.Refused(t.Context(), o.attempt("DeleteLamp", "arn:lamp/hall"), Refused, "AccessDeniedException", "not you")
	for i := range 2 * attemptsMax {
		o.Refused(t.Context(), o.attempt("DeleteLamp", fmt.Sprint("arn:lamp/", i, strings.Repeat("x", 1<<16))), Refused, "AccessDeniedException", strings.Repeat("y", 1<<16))
	}
	o.pass(time.Second)
	o.work()
	got = o.all(Query{})
	f, err := o.Figures(t.Context())
	if err != nil || f.Left < attemptsMax || int64(len(got))+f.Left != 2*attemptsMax+2 {
		t.Errorf("there are %d records and %d attempts were left out, %v; want %d together", len(got), f.Left, err, 2*attemptsMax+2)
	}
	for _, r := range got {
		if a := amountOf(r); a.Bytes > 8<<10 {
			t.Fatalf("a refused attempt takes %d bytes", a.Bytes)
		}
	}
	o.verify()
	o.pass(2 * time.Minute)
	o.Refused(t.Context(), o.attempt("DeleteLamp", "arn:lamp/new"), Refused, "AccessDeniedException", "not you")
	o.pass(time.Second)
	o.work()
	if got := o.all(Query{Resource: "arn:lamp/new"}); len(got) != 1 {
		t.Errorf("when there is room again, a new attempt has the records %+v", got)
	}
	o.verify()
}

func TestAnIntentIsShownUntilItsOutcome(t *testing.T) {
	o := newOffice(t, Settings{Days: 400})
	i, err := o.Begin(t.Context(), o.attempt("Backup"))
	if err != nil {
		t.Fatal(err)
	}
	if got := o.all(Query{}); len(got) != 1 || got[0].Outcome != Begun {
		t.Errorf("before the outcome the records are %+v", got)
	}
	o.verify()
	o.pass(time.Hour)
	o.work()
	if err := i.End(t.Context(), Done, "", "", Change{Field: "path", New: "/backups/1"}); err != nil {
		t.Fatal(err)
	}
	if got := o.all(Query{}); len(got) != 1 || got[0].Outcome != Done || len(got[0].Changes) != 1 {
		t.Errorf("after it they are %+v", got)
	}
	o.verify()
	o.pass(time.Hour)
	o.work()
	o.verify()
}

func TestRetention(t *testing.T) {
	o := newOffice(t, Settings{Days: 2, HideAddresses: true})
	for i := range 300 {
		o.put("hall", lamp{Level: i + 1})
		o.pass(20 * time.Minute) // 100 hours in all
		if i%7 == 0 {
			o.work()
			o.verify()
		}
	}
	o.pass(time.Minute)
	o.work()
	o.verify()
	got := o.all(Query{})
	oldest := muster.Instant(o.now.Load()) - got[len(got)-1].At
	if days := muster.Instant((48 * time.Hour).Milliseconds()); oldest < days-muster.Instant(time.Hour.Milliseconds()) || oldest > days+2*muster.Instant(time.Hour.Milliseconds()) {
		t.Errorf("of %d records the oldest is %s old, want two days", len(got), time.Duration(oldest)*time.Millisecond)
	}
	if got[0].Address != "" {
		t.Errorf("the address %s is kept", got[0].Address)
	}

	newest := got[0]
	f, err := o.Figures(t.Context())
	if err != nil || f.Records != int64(len(got)) {
		t.Fatalf("the figures are %+v, %v; want %d records", f, err, len(got))
	}
	o.settings.Max = f.Bytes / 3
	o.work()
	o.verify()
	after := o.all(Query{})
	if f, err = o.Figures(t.Context()); err != nil || f.Bytes > o.settings.Max || len(after) < len(got)/3-removeStep || after[0].RequestID != newest.RequestID || !reflect.DeepEqual(after, got[:len(after)]) {
		t.Errorf("of %d records %d are left, of %d bytes; want the newest of at most %d", len(got), len(after), f.Bytes, o.settings.Max)
	}

	o.settings.Days, o.settings.Max = 0, 0
	o.work()
	o.pass(time.Hour)
	o.work()
	if left := o.all(Query{}); len(left) != 0 {
		t.Errorf("with no days %d records are left", len(left))
	}
	o.put("hall", lamp{Level: 1})
	o.work()
	o.verify()
	if left := o.all(Query{}); len(left) != 0 {
		t.Errorf("with no days there are records: %+v", left)
	}
}

// The bound holds for many records of one second too, and the oldest go.
func TestTheOldestOfAnHourGoFirst(t *testing.T) {
	o := newOffice(t, Settings{Days: 400})
	err := store.Update(t.Context(), o.store, func(tx store.Tx) error {
		for i := range 3 * lookMax {
			a := o.attempt("PutLamp")
			if err := put(tx, nil, o.record(a, muster.Instant(o.now.Load())+muster.Instant(i/8), Done)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	o.pass(time.Minute)
	o.work()
	f, err := o.Figures(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o.settings.Max = f.Bytes * 2 / 3
	o.work()
	o.verify()
	got := o.all(Query{Page: listing.Page{Limit: listing.Max}})
	begin := muster.At(time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))
	if oldest := got[len(got)-1].At - begin; len(got) < lookMax || oldest < lookMax/8-lookMax/16 {
		t.Errorf("%d records are left, the oldest of millisecond %d", len(got), oldest)
	}
}
