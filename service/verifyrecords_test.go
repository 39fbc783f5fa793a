package service

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

func TestVerifySeesWhatIsFiledWrongly(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(tx store.Tx)
		want   store.Invariant // empty: nothing is wrong
	}{
		{"nothing", func(store.Tx) {}, ""},
		{"a job that rolls out is not filed", func(tx store.Tx) { links("concurrent").Delete(tx, "slow") }, jobs.JobsAreFiled},
		{"one that does not is filed", func(tx store.Tx) { links("concurrent").Put(tx, "done", store.Link{}) }, jobs.JobsAreFiled},
		{"one waits that does not exist", func(tx store.Tx) {
			links("line").Put(tx, store.JoinKey(store.TimeKey(1), "none"), store.Link{})
		}, jobs.JobsAreFiled},
		{"one that ended is not filed", func(tx store.Tx) {
			for row := range links("ended").Scan(tx, "", "") {
				links("ended").Delete(tx, row.Key)
			}
		}, jobs.JobsAreFiled},
		{"active jobs are miscounted", func(tx store.Tx) { store.Tallies.Put(tx, activeJobs, 3) }, jobs.JobsAreFiled},
		{"an event is at no place", func(tx store.Tx) { records("webhookevent").Put(tx, "0000000000000001", fields{}) }, eventlog.LogIsOrdered},
		{"an event is of an origin that has not begun", func(tx store.Tx) {
			records("webhookevent").Put(tx, "000001a0c4875afb-00000002-000000000001", fields{})
		}, eventlog.LogIsOrdered},
		{"dead letters are miscounted", func(tx store.Tx) { store.Tallies.Put(tx, deadLetterTally, 1) }, eventlog.LogIsOrdered},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := memstore.New()
			env := newEnvOn(t, s, Options{Sinks: eventlog.Sinks{Webhook: map[muster.EventType]bool{muster.EventThing: true}}})
			for _, name := range []muster.ThingName{"a", "b", "c"} {
				env.createThing(muster.Thing{Name: name})
			}
			env.group("all", "a", "b", "c")
			env.job("done", "a")
			env.mustReport("a", "done", muster.Succeeded)
			noErr(t, "CreateJob", env.create("slow", muster.Snapshot, 1))
			env.settleDown()
			env.write(tt.damage)
			problems, err := Verify(t.Context(), s)
			noErr(t, "Verify", err)
			if tt.want == "" && len(problems) == 0 {
				return
			}
			if len(problems) != 1 || problems[0].Invariant != tt.want {
				t.Errorf("Verify finds %v, want one of %q", problems, tt.want)
			}
		})
	}
}

// TestVerifySeesExecutionsWithoutTheirOthers plants executions whose job or thing is
// not there.
func TestVerifySeesExecutionsWithoutTheirOthers(t *testing.T) {
	for name, plant := range map[string]func(tx store.Tx, j muster.Job){
		"ended, of a job that is gone": func(tx store.Tx, j muster.Job) {
			x := muster.NewExecution(&muster.Job{ID: "none"}, "a", 1, testEpoch)
			x.Status = muster.Succeeded
			tx.Change(nil, &x)
		},
		"pending, of a thing that is gone": func(tx store.Tx, j muster.Job) {
			x := muster.NewExecution(&j, "none", 1, testEpoch)
			tx.Change(nil, &x)
			tx.PutQueue(muster.Queue{Thing: "none"}.With(x))
		},
		"in another namespace than its job": func(tx store.Tx, j muster.Job) {
			x := muster.NewExecution(&muster.Job{ID: j.ID, Namespace: "other"}, "a", 2, testEpoch)
			x.Status = muster.Succeeded
			tx.Change(nil, &x)
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			env.thing("a")
			env.job("j", "a")
			env.mustReport("a", "j", muster.Succeeded)
			wantNoProblems(t, "before", env.store)
			j := env.described("j").Job
			env.write(func(tx store.Tx) { plant(tx, j) })
			problems, err := Verify(t.Context(), env.store)
			noErr(t, "Verify", err)
			if len(problems) != 1 || problems[0].Invariant != jobs.ExecutionsBelong {
				t.Errorf("Verify finds %v, want one of %q", problems, jobs.ExecutionsBelong)
			}
		})
	}
}

// silent says of tables why no other record tells that a row of them is lost, or that
// there is one too many.
var silent = map[store.Table]struct{ lost, stray string }{
	"type":            {lost: "a type that no thing has is written nowhere else"},
	"packageversion":  {lost: "one that is not its package's default is written nowhere else"},
	"deferred":        {lost: "that a thing waits for a window is written nowhere else"},
	"joining":         {lost: "that a thing waits for the pace is written nowhere else"},
	"tag":             {lost: "a resource without tags has no row"},
	"inventory":       {lost: "a thing that carries nothing has no row"},
	"tally":           {lost: "a count that is missing is counted anew", stray: "it is never read"},
	"outbox":          {lost: "what a thing is owed is written nowhere else", stray: "a debt too many is a message twice, which is allowed"},
	"setting":         {lost: "a setting that is missing is made anew", stray: "it is never read"},
	"events":          {lost: "without a configuration there are defaults", stray: "it is never read"},
	"packageconfig":   {lost: "without a configuration there are defaults", stray: "it is never read"},
	"indexing":        {lost: "without a configuration there are defaults", stray: "it is never read"},
	"subscriberevent": {lost: "an event that was taken has no row"},
	"webhookevent":    {lost: "an event that was taken has no row"},
	"eventorigin":     {stray: "it is never read"},
	"absence":         {lost: "a process that has not begun to look has no row", stray: "it is of a process that has ended"},
	"diary":           {lost: "a thing of which nothing was seen has no row"},
	"keyuse":          {lost: "a key that was never used has no row", stray: "which keys there are is in a file"},
	"import":          {lost: "it says only that nothing is unfinished", stray: "it is never read"},
	"indexrevision":   {lost: "a server that is alone has no row", stray: "it is never read"},
	"rightschange":    {lost: "what was changed long ago has no row", stray: "rights that are looked up once too often are the same"},
	"migration":       {lost: "it is empty but for the time of a migration", stray: "it is never read"},
}

// TestVerifySeesEveryRow takes rows of a folder with something of everything away, one
// at a time, and puts one too many into each table.
func TestVerifySeesEveryRow(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long, and one goroutine")
	}
	s := inMemory(t, formerStore(t, 1))
	defer s.Close()
	noErr(t, "View", s.View(t.Context(), func(r store.Reader) error {
		rare := store.NewOverlay(r)
		plantRareRows(t, rare)
		for _, table := range tableNames(t) {
			below := r
			rows := firstAndLast(t, r, table)
			if len(rows) == 0 {
				below, rows = rare, firstAndLast(t, rare, table)
			}
			if len(rows) == 0 {
				t.Errorf("there is no row of table %s, so nothing is proved of it", table)
				continue
			}
			var without, with []store.Reader
			for _, row := range rows {
				o := store.NewOverlay(below)
				o.Delete(table, row.Key)
				without = append(without, o)
			}
			for _, key := range strayKeys(rows[0].Key) {
				o := store.NewOverlay(below)
				o.Put(table, key, rows[0].Value)
				with = append(with, o)
			}
			wantSeen(t, without, silent[table].lost, "without a row of table "+string(table))
			wantSeen(t, with, silent[table].stray, "with a stray row of table "+string(table))
		}
		return nil
	}))
}

// inMemory returns what is in a folder of a former format, in memory and in the present
// one: reading it over and over is faster there.
func inMemory(t *testing.T, dir string) *memstore.Store {
	t.Helper()
	from, s := openPebble(t, dir), memstore.New()
	defer from.Close()
	noErr(t, "Migrate", Migrate(t.Context(), from, nil))
	noErr(t, "View", from.View(t.Context(), func(r store.Reader) error {
		return store.Update(t.Context(), s, func(tx store.Tx) error {
			for _, table := range tableNames(t) {
				for row, err := range r.Scan(table, "", "") {
					noErr(t, "Scan", err)
					tx.Put(table, row.Key, row.Value)
				}
			}
			for x, err := range r.AllExecutions() {
				noErr(t, "AllExecutions", err)
				tx.Change(nil, &x)
			}
			for q, err := range r.AllQueues() {
				noErr(t, "AllQueues", err)
				tx.PutQueue(q)
			}
			return nil
		})
	}))
	return s
}

// wantSeen fails the test unless Verify finds something in all, or has a reason not to
// and does not.
func wantSeen(t *testing.T, all []store.Reader, unless, when string) {
	t.Helper()
	missed := 0
	for i, r := range all {
		problems, err := verify(t.Context(), r)
		noErr(t, "verify", err)
		if len(problems) > 0 {
			continue
		}
		if missed++; unless == "" {
			t.Errorf("%s (%d) Verify finds nothing", when, i)
		}
	}
	if missed == 0 && unless != "" {
		t.Errorf("%s Verify always finds something; the reason why it does not is wrong: %s", when, unless)
	}
}

// plantRareRows adds rows of tables that are empty in the folder. Things are not
// indexed then, so that one may be connected.
func plantRareRows(t *testing.T, o *store.Overlay) {
	t.Helper()
	store.Of[indexState]{Table: "indexing"}.Put(o, "things", indexState{Stage: indexComplete})
	store.Of[muster.Connectivity]{Table: "connection"}.Put(o, "lamp1", muster.Connectivity{Connected: true, Reason: "NONE"})
	links("connectivity").Put(o, "true\x00NONE\x008000000000000000\x00lamp1", store.Link{})
	g, err := groups.Get(o, "strong")
	noErr(t, "Get", err)
	m := *g.Dynamic
	m.Building, g.Dynamic = true, &m
	groups.Put(o, "strong", *g)
	records("building").Put(o, "strong", fields{"GroupID": g.ID})
	store.Of[muster.Certificate]{Table: "certificate"}.Put(o, "c1", muster.Certificate{ID: "c1", CA: "ca1"})
	for _, ascending := range []bool{true, false} {
		links("certificatedate").Put(o, listing.DatedKey(ascending, 0, "c1", nil), store.Link{})
		links("certificateca").Put(o, listing.DatedKey(ascending, 0, "c1", []string{"ca1"}), store.Link{})
	}
	migrations.Put(o, theMigration, migration{})
	records("keyuse").Put(o, "AKIA", fields{"Last": 1})
	records("import").Put(o, "import", fields{"Done": true})
	records("absence").Put(o, "a process", fields{})
	store.Of[int64]{Table: "indexrevision"}.Put(o, "things", 1)
	records("rightschange").Put(o, store.JoinKey("00035d013b39713d", "a"), fields{"All": true})
	records("eventorigin").Put(o, "log", fields{"Last": 1})
	records("webhookevent").Put(o, "000001a0c4875afb-00000001-000000000001", fields{})
	store.Of[[]string]{Table: "diary"}.Put(o, "lamp1", []string{""})
	hash := sha256.Sum256([]byte("c1\x00iot:Connect\x00client/lamp1"))
	refusal := hex.EncodeToString(hash[:16])
	records("refusal").Put(o, refusal, fields{"At": 1, "Principal": "c1", "Action": "iot:Connect", "Resource": "client/lamp1"})
	links("refused").Put(o, store.JoinKey(store.LatestKey(1), refusal, "known", "", "lamp1", "c1"), store.Link{})
	store.Tallies.Put(o, "refusals", 1)
	plantAuditRecords(t, o)
	problems, err := verify(t.Context(), o)
	noErr(t, "verify", err)
	for _, p := range problems {
		t.Fatalf("with rare rows: %s", p)
	}
}

// plantAuditRecords adds audit records, of which one is not counted yet.
func plantAuditRecords(t *testing.T, o *store.Overlay) {
	t.Helper()
	env := newEnvOnJust(t, memstore.New(), Options{Audit: audit.Settings{Days: 1}})
	for _, id := range []string{"r1", "r2", "r3"} {
		ctx := env.Audit.Witnessed(t.Context(), &audit.Attempt{RequestID: id, AccessKeyID: "AKIA" + id, Operation: "TagResource" + id, Resources: []string{"arn:" + id}})
		noErr(t, "Do", env.Commits.Do(ctx, func(tx *commit.Tx) error { records("setting").Put(tx, "s", fields{}); return nil }))
		if id == "r2" {
			env.pass(60_000)
			env.settleDown()
		}
	}
	noErr(t, "View", env.store.View(t.Context(), func(r store.Reader) error {
		for _, table := range audit.Tables() {
			for row, err := range r.Scan(table.Name(), "", "") {
				noErr(t, "Scan", err)
				o.Put(table.Name(), row.Key, row.Value)
			}
		}
		return nil
	}))
}

// tableNames returns the names of Tables.
func tableNames(t *testing.T) []store.Table {
	t.Helper()
	var names []store.Table
	for _, s := range shapes(t) {
		names = append(names, s.table)
	}
	if len(names) < 50 {
		t.Fatalf("there are only the tables %v", names)
	}
	return names
}

func firstAndLast(t *testing.T, r store.Reader, table store.Table) []store.Record {
	t.Helper()
	var rows []store.Record
	for row, err := range r.Scan(table, "", "") {
		noErr(t, "Scan", err)
		rows = append(rows[:min(len(rows), 1)], row)
	}
	return rows
}

// strayKeys returns a key like another one, of something that is not there, and one
// that is no key at all.
func strayKeys(key string) []string {
	parts := store.SplitKey(key)
	parts[0] = "zz"
	return []string{store.JoinKey(parts...), store.JoinKey("zz", "zz", "zz", "zz")}
}

// While things leave a deleted group, and another one has its name already, nothing is
// wrong: each membership is of the group whose id it has.
func TestVerifyDuringADeparture(t *testing.T) {
	env := newEnv(t)
	names := env.fleet("crowd", 2*departMax)
	env.settleDown()
	noErr(t, "DeleteThingGroup", env.DeleteThingGroup(t.Context(), "crowd", nil))
	env.group("crowd", names[0])
	noErr(t, "View", env.store.View(t.Context(), func(r store.Reader) error {
		if leaving, err := records("leaving").Full(r, 1); err != nil || !leaving {
			t.Errorf("no thing is left that leaves the deleted group: %v", err)
		}
		return nil
	}))
	wantNoProblems(t, "with two groups of a name", env.store)
}
