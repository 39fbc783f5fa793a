package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pgstore"
)

// expire makes a node look dead.
func expire(t *testing.T, server *postgres.Server, database string, s *pgstore.Store) {
	t.Helper()
	query(t, server, database, fmt.Sprintf("UPDATE muster.node SET expires = now() - interval '1 second' WHERE incarnation = %d; UPDATE muster.node SET steady = steady - interval '10 seconds'", s.Me()))
}

// beats calls Beat once, after which the store does not renew its row by itself.
func beats(t *testing.T, s *pgstore.Store, b store.Beat) store.Roll {
	t.Helper()
	roll, err := s.Beat(t.Context(), b)
	if err != nil {
		t.Fatalf("Beat() = %v", err)
	}
	return roll
}

// Who may work beside whom is said in a sentence, and nothing is changed.
func TestWhoMayWorkBesideWhom(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	for name, test := range map[string]struct {
		first, second pgstore.Options
		want          string // empty: it may
	}{
		"several nodes":                   {pgstore.Options{Node: "a", Shared: true}, pgstore.Options{Node: "b", Shared: true}, ""},
		"several nodes of one name":       {pgstore.Options{Node: "a", Shared: true}, pgstore.Options{Node: "a", Shared: true}, "a node of the same name, a, on host"},
		"one alone, then one of them":     {pgstore.Options{Node: "a"}, pgstore.Options{Node: "b", Shared: true}, "node a on host"},
		"one alone, of the same name":     {pgstore.Options{Node: "a"}, pgstore.Options{Node: "a", Shared: true}, "which works alone"},
		"one of them, then one alone":     {pgstore.Options{Node: "a", Shared: true}, pgstore.Options{Node: "b"}, "which is one of several"},
		"one of them, the same alone":     {pgstore.Options{Node: "a", Shared: true}, pgstore.Options{Node: "a"}, "which is one of several"},
		"more lanes than a node can have": {pgstore.Options{Node: "a", Shared: true}, pgstore.Options{Node: "b", Shared: true, Lanes: 300}, "300 lanes are too many"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := spoilable(t, server)
			test.first.Database, test.second.Database = database, database
			first, err := pgstore.Open(t.Context(), test.first)
			if err != nil {
				t.Fatal(err)
			}
			defer first.Close() // nothing was written
			const rows = "SELECT last_value FROM muster.incarnation; SELECT name, incarnation FROM muster.node ORDER BY 1; SELECT * FROM muster.lane ORDER BY 1, 2; SELECT * FROM muster.version"
			before := query(t, server, database, rows)
			second, err := pgstore.Open(t.Context(), test.second)
			if err == nil {
				defer second.Close() // likewise
			}
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Fatalf("Open() = %v, want %q", err, test.want)
			}
			if after := query(t, server, database, rows); (after == before) != (test.want != "") {
				t.Errorf("the database has changed from\n%s\nto\n%s", before, after)
			}
			if err := store.Update(t.Context(), first, put("k", "v")); err != nil {
				t.Errorf("the first one afterwards: %v", err)
			}
		})
	}
}

// A node of another user would not see how long the transactions of the first have run.
func TestNodesMustBeTheSameUser(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	database := spoilable(t, server)
	node(t, database, "first")
	query(t, server, database, `DO $$ BEGIN CREATE ROLE another LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$; GRANT muster TO another`)
	_, err := pgstore.Open(t.Context(), pgstore.Options{Database: strings.Replace(database, "muster@", "another@", 1), Node: "second", Shared: true})
	if err == nil || !strings.Contains(err.Error(), "must be the same user") {
		t.Errorf("Open() as another user = %v, want an error that says so", err)
	}
	blind := spoilable(t, server)
	query(t, server, blind, fmt.Sprintf("ALTER DATABASE %s SET track_activities = off", nameOf(blind)))
	_, err = pgstore.Open(t.Context(), pgstore.Options{Database: blind, Node: "node", Shared: true})
	if err == nil || !strings.Contains(err.Error(), "track_activities") {
		t.Errorf("Open() of a database that does not track activities = %v, want an error that says so", err)
	}
}

// A node that is started again after a kill waits until its former run is dead, fences it, and
// takes its place.
func TestANodeThatWasKilledComesAgain(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	database := server.Database(t)
	p, address := newProxy(t, database)
	former := node(t, address, "node")
	beats(t, former, store.Beat{Take: []string{"a"}})
	p.sever(true)
	began := time.Now()
	next := node(t, database, "node")
	if took := time.Since(began); took < store.TermTime/2 || took > 3*store.TermTime {
		t.Errorf("Open() took %v, want about %v", took, store.TermTime)
	}
	p.sever(false)
	if _, err := former.Apply(t.Context(), put("k", "zombie")); !errors.Is(err, store.ErrFenced) {
		t.Errorf("Apply() of the former run = %v, want ErrFenced", err)
	}
	roll := beats(t, next, store.Beat{Take: []string{"a"}})
	if roll.Leases["a"] != next.Me() || !roll.Gone(former.Me()) {
		t.Errorf("the roll is %+v, want the lease at %d and %d gone", roll, next.Me(), former.Me())
	}
}

// While the database is away a Beat says so soon, and afterwards each node lives, however late
// it comes.
func TestNodesSurviveAnOutage(t *testing.T) {
	t.Parallel()
	server := postgres.Start(t, postgres.Options{NoSync: true})
	database := server.Database(t)
	first, second := node(t, database, "first"), node(t, database, "second")
	beats(t, first, store.Beat{Take: []string{"a"}})
	beats(t, second, store.Beat{})
	if err := server.Stop(postgres.Immediate); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := first.Beat(t.Context(), store.Beat{}); !errors.Is(err, store.ErrUnavailable) || time.Since(began) > store.BeatTime {
		t.Errorf("Beat() during an outage = %v after %v, want ErrUnavailable soon", err, time.Since(began))
	}
	time.Sleep(store.TermTime + time.Second)
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		roll := beats(t, first, store.Beat{Fence: []store.Incarnation{second.Me()}})
		if roll.Gone(second.Me()) || roll.Leases["a"] != first.Me() {
			t.Errorf("after an outage the roll is %+v, want both nodes and the lease", roll)
		}
		time.Sleep(store.BeatTime / 2)
	}
	beats(t, second, store.Beat{})
	for _, s := range []*pgstore.Store{first, second} {
		if err := store.Update(t.Context(), s, put("k", "v")); err != nil {
			t.Errorf("Update() after the outage = %v", err)
		}
	}
}

// Before its first Beat, while a server starts, a node lives anyhow.
func TestANodeLivesUntilItsFirstBeat(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	database := server.Database(t)
	s := node(t, database, "node")
	time.Sleep(store.TermTime + 2*store.BeatTime)
	if alive := query(t, server, database, "SELECT alive FROM muster.view_node"); alive != "t" {
		t.Errorf("alive is %s, want t", alive)
	}
	beats(t, s, store.Beat{})
	time.Sleep(store.TermTime + store.BeatTime)
	if alive := query(t, server, database, "SELECT alive FROM muster.view_node"); alive != "f" {
		t.Errorf("long after its last Beat: alive is %s, want f", alive)
	}
	beats(t, s, store.Beat{}) // nobody has fenced it
}

// A commit that is on its way when its node is fenced has taken place before that, or does not.
func TestACommitOnItsWayDoesNotOvertakeAFence(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	database := server.Database(t)
	p, address := newProxy(t, database)
	said := make(chan error, 2)
	dead, err := pgstore.Open(t.Context(), pgstore.Options{Database: address, Node: "dead", Shared: true, Fatal: func(err error) { said <- err }})
	if err != nil {
		t.Fatal(err)
	}
	defer dead.Close() // it was fenced
	live := node(t, database, "live")
	beats(t, dead, store.Beat{})
	if _, err := dead.Apply(t.Context(), put("a", "")); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := dead.Apply(t.Context(), func(tx store.Tx) error {
			p.next(hold)
			tx.Put(table, marker, nil)
			return nil
		})
		done <- err
	}()
	for p.holding() == 0 {
		time.Sleep(time.Millisecond)
	}
	expire(t, server, database, dead)
	if roll := beats(t, live, store.Beat{Fence: []store.Incarnation{dead.Me()}}); !roll.Gone(dead.Me()) {
		t.Errorf("Gone() of a node that was fenced = false: %+v", roll)
	}
	before := keys(t, live)
	p.release()
	if err := <-done; !errors.Is(err, store.ErrFenced) || !errors.Is(err, store.ErrStopped) {
		t.Errorf("Apply() = %v, want ErrFenced and ErrStopped", err)
	}
	if err := <-said; !errors.Is(err, store.ErrFenced) || !strings.Contains(err.Error(), "this node was taken to be dead, and others do its work") {
		t.Errorf("Fatal is told %v, want a sentence that says what happened", err)
	}
	time.Sleep(50 * time.Millisecond) // what was held back must do nothing, which nothing tells
	if after := keys(t, live); len(after) != len(before) || len(after) != 1 {
		t.Errorf("the keys are %q, before %q, want a only", after, before)
	}
	for name, call := range map[string]func() error{
		"Beat": func() error { _, err := dead.Beat(t.Context(), store.Beat{}); return err },
		"View": func() error { return dead.View(t.Context(), func(store.Reader) error { return nil }) },
		"ApplyIn": func() error {
			_, err := dead.ApplyIn(t.Context(), 0, put("k", ""))
			return err
		},
		"ApplyAlone": func() error { _, err := dead.ApplyAlone(t.Context(), put("k", "")); return err },
		"Settled":    func() error { _, err := dead.Settled(t.Context()); return err },
		"SetFormat":  func() error { return dead.SetFormat(t.Context(), store.Format) },
	} {
		if err := call(); !errors.Is(err, store.ErrFenced) {
			t.Errorf("%s() of a node that was fenced = %v, want ErrFenced", name, err)
		}
	}
	if len(said) > 0 {
		t.Errorf("Fatal is told again: %v", <-said)
	}
}

// A commit that is held up in the database while its node is fenced is ended, so that the fence
// need not wait for it.
func TestAFenceEndsACommitThatIsHeldUp(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	database := spoilable(t, server)
	dead, live := node(t, database, "dead"), node(t, database, "live")
	beats(t, dead, store.Beat{})
	query(t, server, database, `CREATE FUNCTION public.late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;
		CREATE CONSTRAINT TRIGGER late AFTER INSERT ON muster.record DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.key = 'slow') EXECUTE FUNCTION public.late()`)
	done := make(chan error, 1)
	go func() {
		_, err := dead.ApplyIn(t.Context(), 0, put("slow", ""))
		done <- err
	}()
	for query(t, server, database, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query = 'COMMIT' AND wait_event = 'PgSleep'") != "1" {
		time.Sleep(10 * time.Millisecond)
	}
	expire(t, server, database, dead)
	roll := beats(t, live, store.Beat{Fence: []store.Incarnation{dead.Me()}})
	if !roll.Gone(dead.Me()) {
		t.Errorf("Gone() of a node that was fenced = false: %+v", roll)
	}
	if err := <-done; !errors.Is(err, store.ErrFenced) {
		t.Errorf("ApplyIn() = %v, want ErrFenced", err)
	}
	if got := keys(t, live); len(got) != 0 {
		t.Errorf("the keys are %q, want none", got)
	}
}

// What becomes of a commit is known in lanes of a shared store too, wherever the connection is lost.
func TestALostCommitOfANode(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	database := server.Database(t)
	p, address := newProxy(t, database)
	s, other := node(t, address, "node"), node(t, database, "other")
	for mode, runs := range map[mode]int{loseAnswer: 1, loseRequest: 2, hold: 2} {
		ran := 0
		_, err := s.ApplyIn(t.Context(), 1, func(tx store.Tx) error {
			ran++
			if _, err := tx.Get(table, "a"); err != nil {
				return err
			}
			tx.Put(table, fmt.Sprintf("%d, %s, run %d", mode, marker, ran), nil)
			if ran == 1 {
				p.next(mode)
			}
			return nil
		})
		p.next(pass)
		if err != nil || ran != runs {
			t.Errorf("mode %d: ApplyIn() = %v after %d runs, want %d", mode, err, ran, runs)
		}
		if mode == hold {
			p.release()
			time.Sleep(50 * time.Millisecond) // it must do nothing, which nothing tells
		}
		var kept []string
		for _, key := range keys(t, other) {
			if strings.HasPrefix(key, fmt.Sprintf("%d, ", mode)) {
				kept = append(kept, key)
			}
		}
		if want := fmt.Sprintf("%d, %s, run %d", mode, marker, runs); len(kept) != 1 || kept[0] != want {
			t.Errorf("mode %d: kept are %q, want %q", mode, kept, want)
		}
	}
}

// Two nodes change one thing as fast as they can, and one of them is replaced meanwhile: every
// version is given once.
func TestNodesHammerOneThing(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	database := server.Database(t)
	const rounds = 40
	x := muster.Execution{Thing: "lamp", Job: "job", Number: 1, Status: muster.Queued, Version: 1}
	first := node(t, database, "first")
	if err := store.Update(t.Context(), first, func(tx store.Tx) error {
		tx.PutQueue(muster.Queue{Thing: x.Thing}.With(x).Revised(0))
		tx.Change(nil, &x)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var given sync.Map
	var again atomic.Int64
	next := func(tx store.Tx) (version, rev int64, err error) {
		q, err := tx.Queues(store.QueueKey{Thing: x.Thing})
		if err != nil {
			return 0, 0, err
		}
		before, err := store.LatestOf(tx, x.Thing, x.Job)
		if err != nil {
			return 0, 0, err
		}
		after := *before
		after.Version++
		changed := q[0].With(after).Revised(0)
		tx.PutQueue(changed)
		tx.Change(before, &after)
		return after.Version, changed.Rev, nil
	}
	var all sync.WaitGroup
	hammer := func(s *pgstore.Store, lane int) {
		for range rounds {
			var version, rev int64
			for {
				_, err := s.ApplyIn(context.Background(), lane, func(tx store.Tx) (err error) { version, rev, err = next(tx); return err })
				if err == nil {
					break
				}
				if !errors.Is(err, store.ErrAgain) {
					t.Errorf("ApplyIn() = %v", err)
					return
				}
				again.Add(1)
			}
			if _, twice := given.LoadOrStore(version, rev); twice {
				t.Errorf("version %d was given twice", version)
			}
		}
	}
	for _, s := range []*pgstore.Store{first, node(t, database, "second")} {
		for lane := range 2 {
			all.Go(func() { hammer(s, lane) })
		}
	}
	all.Go(func() {
		for n := range 3 {
			third, err := pgstore.Open(context.Background(), pgstore.Options{Database: database, Node: "third", Lanes: 2, Shared: true})
			if err != nil {
				t.Errorf("Open() = %v", err)
				return
			}
			hammer(third, n%2)
			if err := third.Close(); err != nil {
				t.Errorf("Close() = %v", err)
			}
		}
	})
	all.Wait()
	last := int64(0)
	for version := int64(2); version <= 1+7*rounds; version++ {
		rev, ok := given.Load(version)
		if !ok || rev.(int64) <= last {
			t.Fatalf("version %d has revision %v after %d", version, rev, last)
		}
		last = rev.(int64)
	}
	if again.Load() == 0 {
		t.Error("nothing was refused, so nothing was tried")
	}
	if problems, err := store.Verify(t.Context(), first, "job"); err != nil || len(problems) > 0 {
		t.Errorf("Verify() = %v, %v", problems, err)
	}
}

// Nodes that come and go use the same rows of counts.
func TestCountsDoNotGrowWithNodes(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	database := server.Database(t)
	const nodes = 5
	stays := node(t, database, "stays")
	for n := range int64(nodes) {
		s := node(t, database, "comes")
		for i, s := range []*pgstore.Store{stays, s} {
			x := muster.Execution{Thing: "lamp", Job: "job", Number: 2*n + int64(i), Status: muster.Failed, Version: 1}
			if _, err := s.ApplyIn(t.Context(), 0, func(tx store.Tx) error { tx.Change(nil, &x); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if n%2 == 0 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		beats(t, s, store.Beat{})
		expire(t, server, database, s) // and the next one of the name fences it
	}
	if rows := query(t, server, database, "SELECT count(*), sum(failed) FROM muster.counts"); rows != "2|10" {
		t.Errorf("rows of counts and their sum are %s, want 2|10", rows)
	}
	if rows := query(t, server, database, "SELECT count(*) FROM muster.lane"); rows != "3" {
		t.Errorf("there are %s lanes, want those of one node, 3", rows)
	}
}

// Revisions of queues without entries are forgotten when they are old.
func TestOldRevisionsAreForgotten(t *testing.T) {
	t.Parallel()
	database := postgres.Shared(t).Database(t)
	s := node(t, database, "node")
	now := time.Now()
	old, fresh := now.Add(-25*time.Hour).UnixMilli()*1000, now.Add(-23*time.Hour).UnixMilli()*1000
	x := muster.Execution{Thing: "full", Job: "job", Number: 1, Status: muster.Queued, Version: 1, QueuedAt: 1}
	if err := store.Update(t.Context(), s, func(tx store.Tx) error {
		tx.PutQueue(muster.Queue{Thing: "old", Rev: old})
		tx.PutQueue(muster.Queue{Thing: "old", Namespace: "ns", Rev: old})
		tx.PutQueue(muster.Queue{Thing: "fresh", Rev: fresh})
		tx.PutQueue(muster.Queue{Thing: "full"}.With(x).Revised(0))
		tx.Change(nil, &x)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	beats(t, s, store.Beat{})
	err := s.View(t.Context(), func(r store.Reader) error {
		q, err := r.Queues(store.QueueKey{Thing: "old"}, store.QueueKey{Thing: "old", Namespace: "ns"}, store.QueueKey{Thing: "fresh"}, store.QueueKey{Thing: "full"})
		if err == nil && (q[0].Rev != 0 || q[1].Rev != 0 || q[2].Rev != fresh || len(q[3].Entries) != 1) {
			t.Errorf("the queues are %+v, want the old ones forgotten and no other", q)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The format of the records is changed only while no other node is there to read them.
func TestRecordsAreConvertedByOneNodeOnly(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	database := spoilable(t, server)
	first := node(t, database, "first")
	query(t, server, database, "UPDATE muster.version SET format = 4")
	open := func() error {
		s, err := pgstore.Open(t.Context(), pgstore.Options{Database: database, Node: "second", Shared: true})
		if err == nil {
			err = s.Close()
		}
		return err
	}
	if err := open(); err == nil || !strings.Contains(err.Error(), "stop node first on host") {
		t.Errorf("Open() of records to convert beside another node = %v, want an error that says to stop it", err)
	}
	if err := first.SetFormat(t.Context(), store.Format); err != nil {
		t.Fatal(err)
	}
	query(t, server, database, "UPDATE muster.node SET format = 99")
	if err := open(); err == nil || !strings.Contains(err.Error(), "node first on host") || !strings.Contains(err.Error(), "makes format 99") {
		t.Errorf("Open() while a later release converts = %v, want an error that names it", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(); err != nil {
		t.Errorf("Open() alone = %v", err)
	}
}

// What waits for the gate sees what was written before it opened, because LOCK takes no
// snapshot. SELECT, as of an advisory lock, takes one before it waits.
func TestTheGateIsBeforeTheSnapshot(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	database := server.Database(t)
	a, b := node(t, database, "a"), node(t, database, "b")
	waits := func(what string) bool {
		return query(t, server, database, "SELECT count(*) FROM pg_locks WHERE NOT granted AND "+what) == "1"
	}
	seen := make(chan string, 1)
	if _, err := a.ApplyAlone(t.Context(), func(tx store.Tx) error {
		if _, err := tx.Get(table, "k"); err != nil { // it begins
			return err
		}
		go func() {
			_, err := b.ApplyIn(t.Context(), 0, func(tx store.Tx) error {
				value, err := tx.Get(table, "k")
				seen <- string(value)
				return err
			})
			if err != nil {
				t.Errorf("ApplyIn() = %v", err)
			}
		}()
		for !waits("relation = 'muster.gate'::regclass") {
			time.Sleep(time.Millisecond)
		}
		tx.Put(table, "k", []byte("written by the one that was alone"))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := <-seen; got == "" {
		t.Error("a lane that came during ApplyAlone does not see what it wrote")
	}

	for lock, want := range map[string]string{"LOCK TABLE muster.gate IN SHARE ROW EXCLUSIVE MODE": "1", "SELECT pg_advisory_xact_lock(1)": "0"} {
		query(t, server, database, "DELETE FROM muster.record")
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := server.Query(nameOf(database), "BEGIN; "+lock+"; SELECT pg_sleep(1); INSERT INTO muster.record VALUES ('table', 'k', ''); COMMIT"); err != nil {
				t.Error(err)
			}
		})
		for query(t, server, database, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'") != "1" {
			time.Sleep(time.Millisecond)
		}
		rows := strings.Split(query(t, server, database, "BEGIN ISOLATION LEVEL REPEATABLE READ; "+lock+"; SELECT count(*) FROM muster.record; COMMIT"), "\n")
		if got := rows[len(rows)-1]; got != want {
			t.Errorf("behind %s a transaction reads %s records, want %s", lock, got, want)
		}
		both.Wait()
	}
}

// Transactions of a node that is slow follow each other without a gap and take longer than one that
// wants to be alone waits at first.
func TestAloneAmongSlowTransactions(t *testing.T) {
	t.Parallel()
	database := postgres.Shared(t).Database(t)
	slow, s := node(t, database, "slow"), node(t, database, "node")
	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	defer working.Wait()
	defer stop()
	for lane := range slow.Lanes() {
		working.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				_, err := slow.ApplyIn(t.Context(), lane, func(tx store.Tx) error {
					tx.Put(table, fmt.Sprint("slow-", lane), []byte(fmt.Sprint(n)))
					_, err := tx.Get(table, "k")
					time.Sleep(1500 * time.Millisecond)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
		time.Sleep(700 * time.Millisecond)
	}
	for range 3 {
		if _, err := s.ApplyAlone(t.Context(), put("alone", "")); err != nil {
			t.Errorf("ApplyAlone() = %v", err)
		}
	}
}

// A node that is frozen within a transaction holds others up for a bounded time only.
func TestAFrozenNodeHoldsOthersUpForAShortTime(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	database := server.Database(t)
	s := node(t, database, "node")
	for _, way := range []string{"lane", "alone"} {
		t.Run(way, func(t *testing.T) {
			frozen := startFrozen(t, database, way)
			if err := frozen.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			var longest time.Duration
			for done := false; !done; {
				tried := time.Now()
				_, err := s.ApplyIn(t.Context(), 0, put("lane", ""))
				if err == nil && way == "lane" {
					_, err = s.ApplyAlone(t.Context(), put("alone", ""))
				}
				if err != nil && !errors.Is(err, store.ErrAgain) {
					t.Fatal(err)
				}
				done, longest = err == nil, max(longest, time.Since(tried))
			}
			t.Logf("held up for %v, each try for %v at most", time.Since(began), longest)
			if took := time.Since(began); took > 2*store.TermTime {
				t.Errorf("a frozen node holds others up for %v", took)
			}
			// It wakes as one that was fenced.
			var dead store.Incarnation
			for _, m := range beats(t, s, store.Beat{}).Nodes {
				if m.Name == "frozen" {
					dead = m.Incarnation
				}
			}
			for roll := (store.Roll{}); !roll.Gone(dead) || roll.Newest == 0; time.Sleep(store.BeatTime) {
				roll = beats(t, s, store.Beat{Fence: []store.Incarnation{dead}})
			}
			if err := frozen.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			err := frozen.Wait()
			if code := frozen.ProcessState.ExitCode(); code != frozenExit {
				t.Errorf("a node that was frozen and fenced ends with %d (%v), want %d", code, err, frozenExit)
			}
			for _, key := range keys(t, s) {
				if key == "zombie" {
					t.Error("a node that was fenced has committed")
				}
			}
		})
	}
}

const (
	frozenVariable = "MUSTER_TEST_FROZEN" // the database, and how the node has a transaction
	frozenExit     = 42                   // of one that was fenced
)

// startFrozen starts a process of this test that has a transaction.
func startFrozen(t *testing.T, database, way string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestFrozenNode$")
	cmd.Env = append(os.Environ(), frozenVariable+"="+way+" "+database)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended if the test passed
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// TestFrozenNode is the process that startFrozen starts.
func TestFrozenNode(t *testing.T) {
	way, database, ok := strings.Cut(os.Getenv(frozenVariable), " ")
	if !ok {
		t.Skip("it is a part of another test")
	}
	s, err := pgstore.Open(t.Context(), pgstore.Options{Database: database, Node: "frozen", Shared: true, Fatal: func(err error) {
		if errors.Is(err, store.ErrFenced) {
			os.Exit(frozenExit)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	apply := s.Apply
	switch way {
	case "lane":
		apply = func(ctx context.Context, fn func(store.Tx) error) (func() error, error) { return s.ApplyIn(ctx, 0, fn) }
	case "alone":
		apply = s.ApplyAlone
	}
	_, err = apply(t.Context(), func(tx store.Tx) error {
		if _, err := tx.Get(table, "k"); err != nil {
			return err
		}
		fmt.Println("in a transaction")
		time.Sleep(time.Second) // it is frozen here
		tx.Put(table, "zombie", nil)
		return nil
	})
	t.Fatalf("a transaction of a node that was fenced = %v", err)
}
