package commit_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/internal/teststore"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/rights"
	"github.com/muster-iot/muster/rollout"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/pgstore"
	"github.com/muster-iot/muster/store/storetest"
)

// This file plays the fleet on several processes that share a store which promises no more than
// package store says (storetest.Site). Each process does all background work, as if there were no
// leases. What they tell each other is lost, late and out of order. Their clocks are minutes apart.
// Some processes are killed between any two of the steps by which they commit, look again, tell the
// others and answer. With any of the remedies switched off, something goes wrong.

// nodesSeeds is how many histories of each script are played; MUSTER_SEEDS asks for more.
const nodesSeeds = 2

// nodes is a service of several processes.
type nodes struct {
	*book
	nodeScript
	join func(clock func() time.Time) (s store.Shared, cut func())
	off  remedies
	rng  *rand.Rand // of the bus and of deaths; mu

	running   map[*fleet]*node // mu
	processes int              // that were ever started; mu
	gone      map[string]bool  // by the name of a process; mu
	marks     map[revision]string
	messages  sync.WaitGroup // of the bus
}

// remedies are what a test switches off to see what happens.
type remedies struct {
	guards commitGuards
	lies   storetest.Lies
	sweep  bool // nobody looks again at what a process that was killed may have left
}

// commitGuards changes a Committer; nil does not.
type commitGuards func(*commit.Committer)

// node is one process while it runs.
type node struct {
	*fleet
	of      *nodes
	cut     func() // off from the store
	name    string
	due     chan struct{}
	stop    func()
	ended   chan error
	working chan struct{} // closed when its background work has ended

	mu   sync.Mutex
	news []jobs.News // of the commit that is being told
}

// revision is one state of a queue.
type revision struct {
	store.QueueKey
	rev int64
}

const nodesAtOnce = 3

// playNodes plays a script and returns what is wrong then.
func playNodes(t *testing.T, seed uint64, name string, off remedies) (wrong []string) {
	script := nodeScripts()[name]
	synctest.Test(t, func(t *testing.T) {
		main := memstore.New()
		site := storetest.NewSite(main, time.Now, 3, seed, cmp.Or(script.longest, 3*time.Millisecond))
		site.Lies, site.Refusals = off.lies, 50
		n := newNodes(t, main, seed, script, func(clock func() time.Time) (store.Shared, func()) {
			p := site.Join()
			p.Clock = clock
			return p, p.Cut
		})
		n.off = off
		n.play()
		wrong = n.wrong
	})
	return wrong
}

func newNodes(t *testing.T, s store.Store, seed uint64, script nodeScript, join func(func() time.Time) (store.Shared, func())) *nodes {
	n := &nodes{
		book: newBook(t, s, seed), nodeScript: script, join: join, rng: rand.New(rand.NewPCG(seed, 99)),
		running: map[*fleet]*node{}, gone: map[string]bool{}, marks: map[revision]string{},
	}
	n.shared, n.tick = true, cmp.Or(script.tick, 5*time.Millisecond)
	return n
}

// play plays the script.
func (n *nodes) play() {
	for i := range nodesAtOnce {
		n.book.processes = append(n.book.processes, n.start(i))
	}
	ctx, stop := context.WithCancel(n.t.Context())
	n.at(0).begin(ctx)
	n.script(n, ctx)
	for _, f := range n.all() {
		n.end(f)
	}
	stop()
	n.messages.Wait()
}

// start starts a process; i says whose clock it has.
func (n *nodes) start(i int) *fleet {
	n.mu.Lock()
	n.processes++
	name := fmt.Sprint("process-", n.processes)
	n.mu.Unlock()
	skew := []time.Duration{0, 2 * time.Minute, -2 * time.Minute}[i%3]
	clock := func() time.Time { return time.Now().Add(skew) }
	p, cut := n.join(clock)
	me := &node{of: n, cut: cut, name: name, due: make(chan struct{}, 1), ended: make(chan error, 1), working: make(chan struct{})}
	f := newProcess(n.book, service.Options{
		Store: p, Now: func() muster.Instant { return muster.Instant(clock().UnixMilli()) },
		Watcher: me, Audience: me, Process: name, Gone: n.isGone, Limits: jobs.Limits{ConcurrentJobs: n.concurrent},
	})
	me.fleet = f
	if n.concurrent > 0 {
		f.mine = func(key string) bool { return int(store.HashOf(muster.ThingName(key))%nodesAtOnce) == i }
	}
	if n.off.guards != nil {
		n.off.guards(f.Commits)
	}
	ctx, stop := context.WithCancel(context.Background())
	me.stop = stop
	go func() { me.ended <- f.Run(ctx) }()
	go me.work(ctx)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.running[f] = me
	return f
}

func (n *nodes) isGone(process string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.gone[process]
}

// end stops a process in order.
func (n *nodes) end(f *fleet) {
	me := n.node(f)
	f.dead.Store(true) // its background work is broken off
	me.stop()
	<-me.working
	if err := <-me.ended; err != nil {
		n.t.Errorf("Run = %v", err)
	}
}

func (n *nodes) node(f *fleet) *node {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.running[f]
}

// kill kills a process, and the others do what is to be done when a process is gone.
func (n *nodes) kill(ctx context.Context, i int) {
	f := n.at(i)
	me := n.node(f)
	f.dead.Store(true)
	me.cut()
	me.stop()
	<-me.working
	<-me.ended
	n.mu.Lock()
	n.gone[me.name] = true
	n.mu.Unlock()
	for _, other := range n.all() {
		if !n.off.sweep {
			other.must(other.Jobs.LookAgain(ctx))
		}
		other.Commits.WorkDue(0)
	}
}

// restart starts a process in the place of one that was killed.
func (n *nodes) restart(i int) {
	next := n.start(i)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.book.processes[i] = next
}

// work does the background work of a process whenever it is due, and from time to time, as whoever
// has missed a message does.
func (me *node) work(ctx context.Context) {
	defer close(me.working)
	for ctx.Err() == nil {
		agenda := me.workOnce(ctx)
		if agenda.More {
			continue
		}
		wait := me.of.tick
		if agenda.Next != 0 {
			wait = min(wait, time.Duration(agenda.Next-me.Commits.Now())*time.Millisecond)
		}
		select {
		case <-me.due:
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// Due implements commit.Watcher.
func (me *node) Due() {
	select {
	case me.due <- struct{}{}:
	default:
	}
}

// Recorded and RightsChanged implement service.Watcher.
func (me *node) Recorded()                   {}
func (me *node) RightsChanged(rights.Change) {}

// Keep, Hears and Notify implement jobs.Audience.
func (me *node) Keep(store.QueueKey, muster.Change) bool { return false }
func (me *node) Hears(store.QueueKey) bool               { return false }

func (me *node) Notify(notes []jobs.Notification) {
	me.mu.Lock()
	defer me.mu.Unlock()
	for _, note := range notes {
		me.news = append(me.news, jobs.News{QueueKey: note.QueueKey, Change: note.Change, After: note.Queue.Rev - 1})
		me.of.mark(me.name, note)
	}
}

// mark notes what a notification of a revision shows: no other may show something else.
func (n *nodes) mark(who string, note jobs.Notification) {
	key, shows := revision{note.QueueKey, note.Queue.Rev}, fmt.Sprint(note.Queue.Entries)
	n.mu.Lock()
	defer n.mu.Unlock()
	if known, ok := n.marks[key]; ok && known != shows {
		n.wrong = append(n.wrong, fmt.Sprintf("revision %d of the queue of %s is %s, and %s at %s", key.rev, key.Thing, known, shows, who))
	}
	n.marks[key] = shows
}

func (me *node) Committed(int) {}

// Told tells the other processes what was told here, unless that is lost.
func (me *node) Told(wake muster.Instant) {
	me.mu.Lock()
	news := me.news
	me.news = nil
	me.mu.Unlock()
	if len(news) == 0 && wake == commit.Never {
		return
	}
	n := me.of
	for _, other := range n.all() {
		n.mu.Lock()
		lost, after, to := n.rng.IntN(3) == 0, time.Duration(n.rng.Int64N(int64(4*time.Millisecond))), n.running[other]
		n.mu.Unlock()
		if lost || to == nil || to == me {
			continue
		}
		n.messages.Go(func() {
			time.Sleep(after)
			if to.dead.Load() {
				return
			}
			to.Commits.WorkDue(wake)
			to.may(nil, to.Jobs.CatchUp(context.Background(), news, func(notes []jobs.Notification) {
				for _, note := range notes {
					n.mark(to.name, note)
				}
			}))
		})
	}
}

// nodeScript is a script for nodes. Its zero fields have defaults.
type nodeScript struct {
	script     func(*nodes, context.Context)
	longest    time.Duration // a pause of the store
	tick       time.Duration // after which each process looks for work although nobody has told it of any
	concurrent int           // how many jobs may roll out at a time; then each process does a part of the work
}

// nodeScripts are the scripts of the fleet and some that need processes of their own.
func nodeScripts() map[string]nodeScript {
	all := map[string]nodeScript{
		"deaths":                  {script: (*nodes).withDeaths},
		"deaths at the end":       {script: (*nodes).deathsAtTheEnd},
		"moves":                   {script: (*nodes).moves, tick: time.Minute},
		"cancel elsewhere":        {script: (*nodes).cancelElsewhere},
		"last failures":           {script: (*nodes).lastFailures},
		"rollout's end":           {script: (*nodes).rolloutMeetsEnds, tick: time.Minute},
		"deletion meets rollouts": {script: (*nodes).deletionMeetsRollouts},
		"turns":                   {script: (*nodes).turns, tick: time.Minute, concurrent: 1},
		"one queue":               {script: (*nodes).oneQueue, longest: 200 * time.Microsecond},
		"small jobs":              {script: (*nodes).smallJobs},
	}
	for name, script := range scripts {
		all[name] = nodeScript{script: func(n *nodes, ctx context.Context) { script(n.at(0), ctx) }}
	}
	return all
}

func TestNodesLeaveNothingWrong(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(nodeScripts())) {
		t.Run(name, func(t *testing.T) {
			for _, seed := range storetest.Seeds(t, nodesSeeds) {
				if wrong := playNodes(t, seed, name, remedies{}); len(wrong) > 0 {
					t.Errorf("MUSTER_SEED=%d: %s", seed, strings.Join(wrong, "\n"))
				}
			}
		})
	}
}

// The same on PostgreSQL, where time passes.
func TestNodesOnPostgres(t *testing.T) {
	if !teststore.Postgres(t) {
		t.Skip("the suites are not aimed at PostgreSQL")
	}
	for name, script := range nodeScripts() {
		if strings.Contains(name, "deaths") || script.tick > 0 { // they need a store that can be cut, and time that passes by itself
			continue
		}
		t.Run(name, func(t *testing.T) {
			database := postgres.Shared(t).Database(t)
			opened := 0
			join := func(func() time.Time) (store.Shared, func()) {
				opened++
				s, err := pgstore.Open(t.Context(), pgstore.Options{Database: database, Node: fmt.Sprint("node-", opened), Shared: true, Lanes: 2})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = s.Close() })
				return s, nil
			}
			seen, _ := join(nil)
			n := newNodes(t, seen, 1, script, join)
			n.time = time.Second
			n.play()
			for _, wrong := range n.wrong {
				t.Error(wrong)
			}
		})
	}
}

// Without any of the remedies something goes wrong.
func TestEachRemedyIsNeeded(t *testing.T) {
	stale := func(table store.Table) storetest.Lies {
		return storetest.Lies{Stale: func(t store.Table) bool { return t == table }}
	}
	for name, test := range map[string]struct {
		script string
		off    remedies
	}{
		"jobs are read in each transaction":          {"cancel elsewhere", remedies{lies: stale("job")}},
		"a second look at the last ends":             {"last ends", remedies{guards: without(commit.GuardLook)}},
		"a second look at failures":                  {"last failures", remedies{guards: without(commit.GuardLook)}},
		"a second look at a job that is rolled out":  {"rollout's end", remedies{guards: without(commit.GuardLook)}},
		"the end of jobs is concluded alone":         {"end meets retries", remedies{guards: without(commit.GuardAlone)}},
		"the lanes of all processes wait meanwhile":  {"end meets retries", remedies{lies: storetest.Lies{Gate: true}}},
		"a search for members begins alone":          {"group meets reports", remedies{lies: storetest.Lies{Gate: true}}},
		"the view of the index has a revision":       {"group meets reports", remedies{lies: stale("indexrevision")}},
		"members of dynamic groups change wide":      {"attribute meets reports", remedies{guards: without(commit.GuardWide)}},
		"leaving touches the queue":                  {"leaving meets retries", remedies{guards: without(commit.GuardTouch)}},
		"deletions of things are serializable":       {"deletion meets rollouts", remedies{lies: storetest.Lies{Serial: true}}},
		"turns are serializable":                     {"turns", remedies{lies: storetest.Lies{Serial: true}}},
		"queues without entries keep their revision": {"one queue", remedies{lies: storetest.Lies{Empty: true}}},
		"events are read once they are settled":      {"everything", remedies{lies: storetest.Lies{Settled: true}}},
		"the time is that of the store":              {"moves", remedies{lies: storetest.Lies{Clocks: true}}},
		"what a process leaves is looked at again":   {"deaths at the end", remedies{sweep: true}},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(100) {
				if wrong := playNodes(t, seed, test.script, test.off); len(wrong) > 0 {
					t.Logf("seed %d: %s", seed, strings.Join(wrong, "\n"))
					return
				}
			}
			t.Error("nothing is wrong without it in 100 histories")
		})
	}
}

func without(g commit.Guards) commitGuards { return func(c *commit.Committer) { c.Without(g) } }

// withDeaths plays everything while processes are killed.
func (n *nodes) withDeaths(ctx context.Context) {
	n.deaths = true
	for round := range uint64(fleetRounds) {
		n.killing(ctx, 20*time.Millisecond, func() { n.at(0).playRound(ctx, round) })
		n.settle(ctx)
	}
}

// killing kills processes while fn runs, each at most longest after the one before.
func (n *nodes) killing(ctx context.Context, longest time.Duration, fn func()) {
	over := make(chan struct{})
	var killing sync.WaitGroup
	killing.Go(func() {
		for {
			n.mu.Lock()
			after, who := time.Duration(n.rng.Int64N(int64(longest))), n.rng.IntN(nodesAtOnce)
			n.mu.Unlock()
			select {
			case <-time.After(after):
				n.kill(ctx, who)
				n.restart(who)
			case <-over:
				return
			}
		}
	})
	fn()
	close(over)
	killing.Wait()
}

// settle does all that is due, reads all events, and judges.
func (n *nodes) settle(ctx context.Context) {
	f := n.all()[0]
	f.work(ctx)
	for f.readEvents(ctx) {
	}
	f.judge()
	f.judgeEvents()
}

// deathsAtTheEnd kills a process while the last executions of a job end there.
func (n *nodes) deathsAtTheEnd(ctx context.Context) {
	things := []muster.ThingName{"t0", "t1"}
	for round := range 6 {
		id, victim := muster.JobID(fmt.Sprint("j", round)), round%nodesAtOnce
		f := n.at(victim)
		f.may(f.Jobs.CreateJob(ctx, jobs.NewJob{ID: id, Document: "{}", Targets: []muster.Target{{Name: "t0"}, {Name: "t1"}}}))
		var all sync.WaitGroup
		for _, thing := range things {
			all.Go(func() { f.report(ctx, thing, id, muster.Succeeded) })
		}
		time.Sleep(time.Duration(n.seed%16+uint64(round)) * 250 * time.Microsecond)
		n.kill(ctx, victim)
		all.Wait()
		alive := n.all()[0]
		for _, thing := range things { // if that was lost with the process
			alive.report(ctx, thing, id, muster.Succeeded)
		}
		n.settle(ctx)
		n.restart(victim)
	}
}

// moves lets a thing enter and leave a group, each time in another process.
func (n *nodes) moves(ctx context.Context) {
	for round := range 10 {
		for i := range nodesAtOnce {
			f := n.at(i)
			if round%2 == 0 {
				f.may(nil, f.Registry.AddThingToThingGroup(ctx, "t0", "west"))
			} else {
				f.may(nil, f.Registry.RemoveThingFromThingGroup(ctx, "t0", "west"))
			}
			f = n.at(i + 1)
			f.may(nil, f.Registry.RemoveThingFromThingGroup(ctx, "t0", "west"))
		}
	}
	time.Sleep(5 * time.Minute) // more than the clocks are apart
	n.settle(ctx)
}

// cancelElsewhere cancels jobs in one process while things start them in others.
func (n *nodes) cancelElsewhere(ctx context.Context) {
	for round := range 8 {
		id := muster.JobID(fmt.Sprint("j", round))
		f := n.at(round)
		f.may(f.Jobs.CreateJob(ctx, jobs.NewJob{ID: id, Document: "{}", Targets: []muster.Target{{Group: true, Name: "east"}}}))
		f.work(ctx)
		for i := range 3 { // each process has seen the job
			f.at(i).device(ctx, rand.New(rand.NewPCG(1, 1)), thingAt(i))
		}
		var all sync.WaitGroup
		for i := range fleetThings {
			rng := rand.New(rand.NewPCG(n.seed, uint64(round*100+i)))
			all.Go(func() {
				time.Sleep(time.Duration(rng.Int64N(int64(4 * time.Millisecond))))
				f.at(i).device(ctx, rng, thingAt(i))
			})
		}
		elsewhere := n.at(round + 1)
		_, err := elsewhere.Jobs.CancelJob(ctx, id, jobs.Cancellation{Force: true})
		elsewhere.may(nil, err)
		elsewhere.isOver(id, err)
		all.Wait()
		n.settle(ctx)
	}
}

// together has each of some things do something in a process of its own, a moment later.
func (n *nodes) together(round int, do func(f *fleet, i int, thing muster.ThingName)) {
	var all sync.WaitGroup
	rng := rand.New(rand.NewPCG(n.seed, uint64(round)))
	for i := range fleetThings {
		begin := time.Duration(rng.Int64N(int64(3 * time.Millisecond)))
		all.Go(func() {
			time.Sleep(begin)
			do(n.at(i), i, thingAt(i))
		})
	}
	all.Wait()
}

// lastFailures has the executions fail that make a job meet its abort criterion.
func (n *nodes) lastFailures(ctx context.Context) {
	for round := range 6 {
		id := muster.JobID(fmt.Sprint("j", round))
		in := jobs.NewJob{ID: id, Document: "{}", Targets: []muster.Target{{Group: true, Name: "east"}}}
		in.Config.Abort = []muster.AbortCriterion{{Failure: muster.FailureFailed, ThresholdPercent: 20, MinExecuted: 2}}
		f := n.at(round)
		f.may(f.Jobs.CreateJob(ctx, in))
		f.work(ctx)
		for i := range 2 {
			f.report(ctx, thingAt(i), id, muster.InProgress)
		}
		n.together(round, func(f *fleet, i int, thing muster.ThingName) {
			if i < 2 {
				f.report(ctx, thing, id, muster.Failed)
			}
		})
		d, err := f.Jobs.DescribeJob(ctx, id)
		if f.must(err); d.Status != muster.JobCanceled {
			f.complain("%s is %s although two have failed", id, d.Status)
		}
		n.settle(ctx)
	}
}

// rolloutMeetsEnds has the executions end that a job has while its rollout comes to its end.
func (n *nodes) rolloutMeetsEnds(ctx context.Context) {
	const last = "last"
	f := n.at(0)
	f.may(f.Registry.CreateThingGroup(ctx, muster.Group{Name: last}, nil))
	for round := range 12 {
		id := muster.JobID(fmt.Sprint("j", round))
		in := jobs.NewJob{ID: id, Document: "{}", Targets: []muster.Target{{Name: string(thingAt(round % fleetThings))}, {Group: true, Name: last}}}
		in.Config.Rollout.MaximumPerMinute = 1 // the group comes a minute later
		f := n.at(round)
		f.may(f.Jobs.CreateJob(ctx, in))
		f.report(ctx, thingAt(round%fleetThings), id, muster.InProgress)
		time.Sleep(time.Minute - 2*time.Millisecond)
		rng := rand.New(rand.NewPCG(n.seed, uint64(round)))
		time.Sleep(time.Duration(rng.Int64N(int64(6 * time.Millisecond))))
		n.at(round+1).report(ctx, thingAt(round%fleetThings), id, muster.Succeeded)
		time.Sleep(time.Minute)
		n.settle(ctx)
	}
}

// deletionMeetsRollouts deletes things while jobs are rolled out to them.
func (n *nodes) deletionMeetsRollouts(ctx context.Context) {
	for round := range 6 {
		id := muster.JobID(fmt.Sprint("j", round))
		n.together(round, func(f *fleet, i int, thing muster.ThingName) {
			if i == 0 {
				f.may(f.Jobs.CreateJob(ctx, jobs.NewJob{ID: id, Document: "{}", Targets: []muster.Target{{Group: true, Name: "east"}}}))
				return
			}
			f.may(nil, f.Registry.DeleteThing(ctx, thing, nil))
		})
		n.settle(ctx)
		for i := range fleetThings {
			f := n.at(i)
			f.may(f.Registry.CreateThing(ctx, muster.Thing{Name: thingAt(i), Attributes: map[string]string{"fw": "1"}}))
			f.may(nil, f.Registry.AddThingToThingGroup(ctx, thingAt(i), "east"))
		}
	}
}

// turns makes jobs that begin at the same instant, in different processes, and of which one may
// roll out at a time.
func (n *nodes) turns(ctx context.Context) {
	for round := range 3 {
		begin := rollout.FormatTime(now().Minutes(45))
		for i := range fleetThings / 2 { // for things of their own, or they would meet there
			in := jobs.NewJob{ID: muster.JobID(fmt.Sprint("j", round, "-", i)), Document: "{}"}
			in.Targets = []muster.Target{{Name: string(thingAt(2 * i))}, {Name: string(thingAt(2*i + 1))}}
			in.Config.Rollout.MaximumPerMinute = 6
			in.Config.Schedule.StartTime = begin
			f := n.at(i)
			_, err := f.Jobs.CreateJob(ctx, in)
			f.must(err)
		}
		time.Sleep(44 * time.Minute)
		for range 200 {
			time.Sleep(time.Second)
			n.judgeTurns()
		}
		n.settle(ctx)
	}
}

// judgeTurns complains if more jobs roll out than may.
func (n *nodes) judgeTurns() {
	n.at(0).must(n.store.View(context.Background(), func(r store.Reader) error {
		var rolling []string
		for row, err := range r.Scan("concurrent", "", "") {
			if err != nil {
				return err
			}
			rolling = append(rolling, row.Key)
		}
		if most := n.concurrent; len(rolling) > most {
			n.at(0).complain("%v roll out, and %d may", rolling, most)
		}
		return nil
	}))
}

// oneQueue gives a thing one job after the other, each in another process.
func (n *nodes) oneQueue(ctx context.Context) {
	for round := range 40 {
		id := muster.JobID(fmt.Sprint("j", round))
		f := n.at(round)
		f.may(f.Jobs.CreateJob(ctx, jobs.NewJob{ID: id, Document: "{}", Targets: []muster.Target{{Name: "t0"}}}))
		n.at(round+1).report(ctx, "t0", id, muster.Succeeded)
	}
	n.settle(ctx)
}

// smallJobs makes jobs for few things: each has its execution when the job is answered, in
// whatever process it looks.
func (n *nodes) smallJobs(ctx context.Context) {
	for round := range 4 {
		n.together(round, func(f *fleet, i int, thing muster.ThingName) {
			id := muster.JobID(fmt.Sprint("j", round, "-", i))
			_, err := f.Jobs.CreateJob(ctx, jobs.NewJob{ID: id, Document: "{}", Targets: []muster.Target{{Name: string(thing)}, {Name: "t0"}}})
			if f.may(nil, err); err != nil {
				return
			}
			if _, err := n.at(i+1).Jobs.DescribeExecution(ctx, jobs.DescribeInput{Thing: thing, Job: id}); err != nil {
				f.complain("%s is answered, and %s has not got it in another process: %v", id, thing, err)
			}
		})
	}
	n.settle(ctx)
}
