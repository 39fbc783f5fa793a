package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/internal/former"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/pebblestore"
)

// formerStore unpacks the folder of a former format and returns where its store is.
func formerStore(t *testing.T, format int) string {
	t.Helper()
	dir := t.TempDir()
	noErr(t, "Unpack", former.Unpack(format, dir))
	return filepath.Join(dir, "db")
}

func openPebble(t *testing.T, dir string) *pebblestore.Store {
	t.Helper()
	s, err := pebblestore.Open(dir, pebblestore.Options{})
	noErr(t, "Open", err)
	return s
}

// formerFormats are the formats of which there are folders: all but the present one.
var formerFormats = []int{1, 2, 3, 4, 5}

// migratedTables are the tables that migrations change or read, and the place of the
// migration itself.
var migratedTables = []store.Table{
	"group", "leaving", "job", "target", "standing", "rolling", "migration", "thing",
	"event", "eventmark", "deadletter", "subscriberevent", "webhookevent", "eventorigin",
	"connection", "present", "connectivity", "entry", "number",
}

// contents returns all records of those tables.
func contents(t *testing.T, r store.Reader) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, table := range migratedTables {
		for row, err := range r.Scan(table, "", "") {
			noErr(t, "Scan", err)
			all[string(table)+" "+row.Key] = string(row.Value)
		}
	}
	return all
}

func contentsOf(t *testing.T, s store.Store) (all map[string]string) {
	t.Helper()
	noErr(t, "View", s.View(t.Context(), func(r store.Reader) error { all = contents(t, r); return nil }))
	return all
}

func wantContents(t *testing.T, when string, got, want map[string]string) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got[key] != want[key] {
			t.Errorf("%s: %q is %q, want %q", when, key, got[key], want[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[key]; !ok {
			t.Errorf("%s: there is %q, want none", when, key)
		}
	}
}

func wantNoProblems(t *testing.T, when string, s store.Store) {
	t.Helper()
	problems, err := Verify(t.Context(), s)
	noErr(t, "Verify", err)
	for _, p := range problems {
		t.Errorf("%s: %s", when, p)
	}
}

// errCut is the end of a process in the midst of a migration.
var errCut = errors.New("cut off")

// cutting is a store whose process ends at its first write after so many: before the
// write is made, or after it and before the call returns.
type cutting struct {
	*pebblestore.Store
	writes int
	after  bool
}

func (c *cutting) cut(write func() error) error {
	if c.writes--; c.writes >= 0 {
		return write()
	}
	if c.after {
		return errors.Join(write(), errCut)
	}
	return errCut
}

func (c *cutting) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	err := c.cut(func() error { return store.Update(ctx, c.Store, fn) })
	return func() error { return err }, err
}

func (c *cutting) SetFormat(ctx context.Context, format int) error {
	return c.cut(func() error { return c.Store.SetFormat(ctx, format) })
}

// TestAMigrationGoesOnWhereItWasCutOff ends the process at every single write of it.
func TestAMigrationGoesOnWhereItWasCutOff(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long, and one goroutine")
	}
	for _, format := range formerFormats {
		t.Run(fmt.Sprint("format ", format), func(t *testing.T) { cutOff(t, format) })
	}
}

func cutOff(t *testing.T, format int) {
	untouched := os.DirFS(formerStore(t, format))
	whole := openPebble(t, formerStore(t, format))
	defer whole.Close()
	noErr(t, "Migrate", Migrate(t.Context(), whole, nil))
	want := contentsOf(t, whole)

	cuts := 0
	for _, after := range []bool{false, true} {
		for writes := 0; ; writes++ {
			when := fmt.Sprintf("cut off at write %d, made: %v", writes, after)
			dir := t.TempDir()
			noErr(t, "CopyFS", os.CopyFS(dir, untouched))
			s := openPebble(t, dir)
			err := migrate(t.Context(), &cutting{s, writes, after}, 40, slog.New(slog.DiscardHandler))
			if err != nil && !errors.Is(err, errCut) || cuts > 1000 {
				t.Fatalf("%s: %v", when, err)
			}
			noErr(t, "Close", s.Close())
			s = openPebble(t, dir)
			wantNoProblems(t, when, s)
			noErr(t, "Migrate", Migrate(t.Context(), s, nil))
			wantContents(t, when, contentsOf(t, s), want)
			if s.Format() != store.Format {
				t.Errorf("%s: the folder has format %d in the end", when, s.Format())
			}
			noErr(t, "Close", s.Close())
			if err == nil {
				break // nothing was left to be cut off
			}
			cuts++
		}
	}
	least := 12
	if len(migrationSteps(format)) == 0 { // then it only begins and ends
		least = 6
	}
	if cuts < least {
		t.Errorf("the migration was cut off at %d places: that proves little", cuts)
	}
}

// TestAFolderIsRaisedBeforeItIsChanged holds that no former release opens a folder
// that is half migrated.
func TestAFolderIsRaisedBeforeItIsChanged(t *testing.T) {
	for _, format := range formerFormats {
		t.Run(fmt.Sprint("format ", format), func(t *testing.T) { raised(t, format) })
	}
}

func raised(t *testing.T, format int) {
	dir := formerStore(t, format)
	cuts := 4
	if len(migrationSteps(format)) == 0 { // then it only begins and ends
		cuts = 3
	}
	for writes := range cuts {
		s := &cutting{Store: openPebble(t, dir), writes: writes}
		before := contentsOf(t, s.Store)
		if err := migrate(t.Context(), s, 1, slog.New(slog.DiscardHandler)); !errors.Is(err, errCut) {
			t.Fatalf("after %d writes: %v", writes, err)
		}
		after := contentsOf(t, s.Store)
		delete(before, "migration "+theMigration)
		delete(after, "migration "+theMigration)
		if changed := !maps.Equal(before, after); changed && s.Format() != store.Format {
			t.Errorf("after %d writes the folder is changed and has format %d", writes, s.Format())
		}
		e := New(Options{Store: s.Store, Now: func() muster.Instant { return testEpoch }})
		if err := e.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "not in format") {
			t.Errorf("after %d writes a service runs on the folder and ends with %v", writes, err)
		}
		noErr(t, "Close", s.Close())
	}
}

// TestVerifyLooksAtAFormerFolderAsItWillBe holds that what Verify sees of a former
// format is what Migrate makes of it, and that it changes nothing.
func TestVerifyLooksAtAFormerFolderAsItWillBe(t *testing.T) {
	for _, format := range formerFormats {
		t.Run(fmt.Sprint("format ", format), func(t *testing.T) { seenAsItWillBe(t, format) })
	}
}

func seenAsItWillBe(t *testing.T, format int) {
	dir := formerStore(t, format)
	s, err := pebblestore.Open(dir, pebblestore.Options{ReadOnly: true})
	noErr(t, "Open", err)
	wantNoProblems(t, "as it is", s)
	var seen map[string]string
	noErr(t, "View", s.View(t.Context(), func(r store.Reader) error {
		before := contents(t, r)
		m, err := migrated(r, s.Format())
		noErr(t, "migrated", err)
		seen = contents(t, m)
		wantContents(t, "below the migration", contents(t, r), before)
		return nil
	}))
	noErr(t, "Close", s.Close())
	s = openPebble(t, dir)
	defer s.Close()
	noErr(t, "Migrate", Migrate(t.Context(), s, nil))
	wantContents(t, "in memory", seen, contentsOf(t, s))
}

// TestAFormerMigrationGoesOn ends the release of format 2 at every single write of its
// migration from format 1.
func TestAFormerMigrationGoesOn(t *testing.T) {
	const itsSteps = 3
	untouched := os.DirFS(formerStore(t, 1))
	whole := openPebble(t, formerStore(t, 1))
	defer whole.Close()
	noErr(t, "Migrate", Migrate(t.Context(), whole, nil))
	want := contentsOf(t, whole)
	for writes, done := 0, false; !done; writes++ {
		when := fmt.Sprintf("ended at write %d", writes)
		dir := t.TempDir()
		noErr(t, "CopyFS", os.CopyFS(dir, untouched))
		s := openPebble(t, dir)
		noErr(t, "Update", store.Update(t.Context(), s, func(tx store.Tx) error {
			migrations.Put(tx, theMigration, migration{From: 1})
			return nil
		}))
		noErr(t, "SetFormat", s.SetFormat(t.Context(), 2))
		for range writes {
			noErr(t, "Update", store.Update(t.Context(), s, func(tx store.Tx) error {
				_, err := migrateSome(tx, 40, func(string) {})
				noErr(t, "migrateSome", err)
				m, err := migrations.Get(tx, theMigration)
				done = m.Step == itsSteps
				return err
			}))
		}
		wantNoProblems(t, when, s)
		noErr(t, "View", s.View(t.Context(), func(r store.Reader) error {
			m, err := migrated(r, s.Format())
			noErr(t, "migrated", err)
			wantContents(t, when+", in memory", contents(t, m), want)
			return nil
		}))
		noErr(t, "Migrate", Migrate(t.Context(), s, nil))
		wantContents(t, when, contentsOf(t, s), want)
		noErr(t, "Close", s.Close())
	}
}

// TestTargetsOfAFormerFolderAreThoseThatExisted looks at what the migration makes of
// targets that were deleted, made again, and added later.
func TestTargetsOfAFormerFolderAreThoseThatExisted(t *testing.T) {
	s := openPebble(t, formerStore(t, 1))
	log := &strings.Builder{}
	noErr(t, "Migrate", Migrate(t.Context(), s, slog.New(slog.NewTextHandler(log, nil))))
	env := newEnvOn(t, s, Options{})
	env.now = muster.At(former.Clock)
	for job, want := range map[muster.JobID][]bool{ // whether each target is there
		"for-lost":   {false},
		"for-again":  {false},
		"for-reborn": {false},
		"for-sensor": {true, true},
		"joinable":   {true, true},
		"crowded":    {false},
		"aborted":    {true, true},
	} {
		j := env.described(string(job))
		var got []bool
		noErr(t, "View", s.View(t.Context(), func(r store.Reader) error {
			for _, target := range j.Targets {
				there, err := registry.Lookup{}.IsThere(r, target)
				noErr(t, "IsThere", err)
				got = append(got, there)
			}
			return nil
		}))
		if !slices.Equal(got, want) {
			t.Errorf("job %s has the targets %+v; that they are there: %v, want %v", job, j.Targets, got, want)
		}
	}
	if said := log.String(); strings.Count(said, "is taken to have been added") != 1 || !strings.Contains(said, "job for-sensor has the target later") {
		t.Errorf("the migration says\n%s", said)
	}

	// Who joins the later group of the name gets nothing, and all others what they should.
	env.settleDown()
	counts := func() [3]int64 {
		return [3]int64{env.counts("for-again").Total(), env.counts("joinable").Total(), env.counts("for-sensor").Total()}
	}
	before := counts()
	for _, group := range []muster.GroupName{"again", "kitchen", "later"} {
		thing := muster.ThingName("new-in-" + group)
		env.createThing(muster.Thing{Name: thing})
		noErr(t, "AddThingToThingGroup", env.AddThingToThingGroup(t.Context(), thing, group))
	}
	env.settleDown()
	if after := counts(); after != [3]int64{before[0], before[1] + 1, before[2] + 1} {
		t.Errorf("executions of for-again, joinable and for-sensor were %v and are %v", before, after)
	}
	wantNoProblems(t, "in the end", s)
}

// TestAMigrationKnowsGroupsThatAreBeingLeft has a group deleted, then the one above
// it, which was a target, while its things are still leaving.
func TestAMigrationKnowsGroupsThatAreBeingLeft(t *testing.T) {
	s := memstore.New()
	defer s.Close()
	noErr(t, "Update", store.Update(t.Context(), s, func(tx store.Tx) error {
		tx.Put("leaving", "id-of-floor", []byte("\x01"+`{"Lineage":["floor","house"],"After":"lamp7"}`))
		jobRecords.Put(tx, "j", muster.Job{ID: "j", Selection: muster.Continuous, Targets: []muster.Target{{Group: true, Name: "house"}, {Group: true, Name: "floor"}}})
		return nil
	}))
	noErr(t, "View", s.View(t.Context(), func(r store.Reader) error {
		m, err := migrated(r, 1)
		noErr(t, "migrated", err)
		type departure struct {
			Group muster.GroupName
			IDs   []string
			After string
		}
		d, err := store.Of[departure]{Table: "leaving"}.Get(m, "id-of-floor")
		noErr(t, "leaving", err)
		j, err := jobRecords.Get(m, "j")
		noErr(t, "jobs", err)
		want := []string{"id-of-floor", j.Targets[0].ID}
		if d.Group != "floor" || d.After != "lamp7" || !slices.Equal(d.IDs, want) || j.Targets[1].ID != "id-of-floor" {
			t.Errorf("the departure is %+v and the targets are %+v", d, j.Targets)
		}
		return nil
	}))
}

// TestEventsOfAFormerFolderGoOn holds that each sink gets what it had not taken, in the
// order of the log, and that no dead letter is lost.
func TestEventsOfAFormerFolderGoOn(t *testing.T) {
	for _, format := range []int{1, 2} { // the later ones have the log of today
		t.Run(fmt.Sprint("format ", format), func(t *testing.T) {
			s := openPebble(t, formerStore(t, format))
			want := eventsOfFormat2(t, s)
			noErr(t, "Migrate", Migrate(t.Context(), s, nil))
			env := newEnvOn(t, s, Options{Sinks: bothSinks})
			for sink, want := range want {
				all, err := env.Log.Events(t.Context(), eventlog.Sink(sink), 1000)
				noErr(t, "Events", err)
				var got []string
				for _, e := range all {
					got = append(got, e.ID)
				}
				if len(want) < 100 || !slices.Equal(got, want) {
					t.Errorf("sink %d gets %d events\n%q, want %d\n%q", sink, len(got), got, len(want), want)
				}
			}
			letters, err := env.DeadLetters(t.Context(), "", 1000)
			noErr(t, "DeadLetters", err)
			if _, n, err := env.WebhookBacklog(t.Context()); len(letters) != 3 || n != 3 || err != nil {
				t.Errorf("there are %d dead letters and %d are counted, %v; want 3", len(letters), n, err)
			}
			if n, err := env.Replay(t.Context(), nil); n != 3 || err != nil {
				t.Errorf("Replay = %d, %v; want 3", n, err)
			}
		})
	}
}

// eventsOfFormat2 returns the ids of the events in a log of format 2, or 1, that each
// sink has not taken.
func eventsOfFormat2(t *testing.T, s store.Store) (ids [2][]string) {
	t.Helper()
	type event struct {
		For int
		ID  string
	}
	noErr(t, "View", s.View(t.Context(), func(r store.Reader) error {
		m, err := store.Of[struct{ Taken [2]uint64 }]{Table: "eventmark"}.Get(r, "log")
		noErr(t, "Get", err)
		for row, err := range (store.Of[event]{Table: "event"}).Scan(r, "", "") {
			noErr(t, "Scan", err)
			place, err := strconv.ParseUint(row.Key, 16, 64)
			noErr(t, "ParseUint", err)
			for sink := range ids {
				if row.Value.For>>sink&1 == 1 && place > m.Taken[sink] {
					ids[sink] = append(ids[sink], row.Value.ID)
				}
			}
		}
		return nil
	}))
	return ids
}
