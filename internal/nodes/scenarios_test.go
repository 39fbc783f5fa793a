package nodes_test

import (
	"flag"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/muster-iot/muster/device"
	"github.com/muster-iot/muster/internal/apiclient"
	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/store"
)

var (
	which   = flag.String("nodes", "", "which scenarios to play: each (those for each change), all, or names separated by commas")
	devices = flag.Int("nodes.devices", 200, "how many devices work meanwhile")
)

// scenario is what breaks while a fleet is at work.
type scenario struct {
	name    string
	nodes   int
	alone   bool // there is no bus, and one node
	each    bool // it is played for each change
	hook    bool // events are posted to a webhook
	standby bool // the database has one
	split   bool // the bus is a cluster of two servers
	play    func(l *load)
}

var scenarios = []scenario{
	{name: "one-node-restart", nodes: 1, alone: true, play: func(l *load) {
		n := l.nodes[0]
		n.kill()
		n.start()
		l.settle()
		n.signal(syscall.SIGTERM)
		<-n.ended
		n.start()
	}},
	{name: "postgres-restart", nodes: 1, alone: true, play: func(l *load) {
		for _, how := range []postgres.Shutdown{postgres.Fast, postgres.Immediate} {
			if err := l.database.Stop(how); err != nil {
				l.Fatal(err)
			}
			if err := l.database.Restart(); err != nil {
				l.Fatal(err)
			}
			l.goesOn(30 * time.Second)
		}
	}},
	{name: "lost-commit-answer", nodes: 1, alone: true, play: func(l *load) {
		for range 5 {
			l.loseAnswer(l.nodes[0], func() {})
			l.goesOn(30 * time.Second)
		}
	}},

	{name: "kill-node", nodes: 3, each: true, play: func(l *load) {
		for _, n := range l.nodes[:2] {
			n.kill()
			l.goesOn(10 * time.Second)
			time.Sleep(dead) // others take what it had
			l.goesOn(10 * time.Second)
			n.start()
			l.settle()
		}
	}},
	{name: "kill-node-mid-commit", nodes: 3, each: true, play: func(l *load) {
		for _, n := range l.nodes[:2] {
			l.loseAnswer(n, n.strike)
			<-n.ended
			l.goesOn(10 * time.Second)
			n.start()
			l.settle()
		}
	}},
	{name: "stop-node-10s", nodes: 3, each: true, play: func(l *load) {
		n := l.nodes[1]
		n.signal(syscall.SIGSTOP)
		l.goesOn(10 * time.Second)
		time.Sleep(10 * time.Second)
		n.signal(syscall.SIGCONT)
		n.exited(10 * time.Second) // it was taken to be dead
		n.endedWith("this node was taken to be dead, and others do its work")
		n.start()
	}},
	{name: "stop-node-2s", nodes: 3, play: func(l *load) {
		n := l.nodes[1]
		for range 5 {
			n.signal(syscall.SIGSTOP)
			time.Sleep(2 * time.Second)
			n.signal(syscall.SIGCONT)
			l.goesOn(10 * time.Second)
		}
	}},
	{name: "cut-node-from-postgres", nodes: 3, each: true, play: func(l *load) {
		n := l.nodes[2]
		for _, cut := range []func(){n.database.Cut, n.database.Stall} {
			began := time.Now()
			cut()
			l.await("the node serves no more", 6*time.Second, func() bool { return !n.well.Load() })
			l.Logf("a node without its database stops serving after %v", time.Since(began).Round(time.Millisecond))
			l.goesOn(10 * time.Second)
			time.Sleep(dead)
			n.database.Mend()
			n.exited(15 * time.Second)
			n.start()
			l.settle()
		}
	}},
	{name: "cut-node-from-postgres-2s", nodes: 3, play: func(l *load) {
		n := l.nodes[2]
		for _, cut := range []func(){n.database.Cut, n.database.Stall} {
			cut()
			time.Sleep(2 * time.Second)
			n.database.Mend()
			l.goesOn(10 * time.Second)
			l.settle()
		}
	}},
	{name: "cut-node-from-nats", nodes: 3, each: true, play: func(l *load) {
		n := l.nodes[0]
		for _, cut := range []func(){n.bus.Cut, n.bus.Stall} {
			cut()
			l.news(l.nodes[1], n, 6*time.Second, nil)
			l.news(n, l.nodes[1], 6*time.Second, nil)
			l.goesOn(10 * time.Second)
			n.bus.Mend()
			time.Sleep(time.Second)
		}
	}},
	{name: "cut-two-from-each-other", nodes: 3, split: true, play: func(l *load) {
		for _, cut := range []func(){l.route.Cut, l.route.Stall} {
			cut()
			l.news(l.nodes[0], l.nodes[1], 6*time.Second, nil)
			l.news(l.nodes[1], l.nodes[2], 6*time.Second, nil)
			l.goesOn(10 * time.Second)
			time.Sleep(dead)
			l.goesOn(10 * time.Second)
			l.route.Mend()
			l.await("there is a route again", 20*time.Second, func() bool { return l.route.Connections() > 0 })
		}
		l.news(l.nodes[0], l.nodes[1], 6*time.Second, nil)
	}},
	{name: "nats-restart", nodes: 3, each: true, play: func(l *load) {
		l.killBus()
		l.news(l.nodes[0], l.nodes[1], 6*time.Second, l.startBus)
		l.goesOn(10 * time.Second)
	}},
	{name: "nats-gone-60s", nodes: 3, play: func(l *load) {
		l.killBus()
		for range 12 {
			time.Sleep(5 * time.Second)
			l.goesOn(10 * time.Second)
		}
		l.startBus()
	}},
	{name: "nats-slow", nodes: 3, play: func(l *load) {
		for _, n := range l.nodes {
			n.bus.Slow(300 * time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		l.goesOn(10 * time.Second)
		l.news(l.nodes[0], l.nodes[1], 2*time.Second, nil)
		for _, n := range l.nodes {
			n.bus.Slow(0)
		}
	}},
	{name: "postgres-slow", nodes: 3, play: func(l *load) {
		l.nodes[1].database.Slow(50 * time.Millisecond)
		time.Sleep(5 * time.Second)
		l.goesOn(20 * time.Second)
		l.news(l.nodes[1], l.nodes[0], 6*time.Second, nil)
		l.news(l.nodes[0], l.nodes[1], 6*time.Second, nil)
		l.nodes[1].database.Slow(0)
	}},
	{name: "clock-skew", nodes: 3, play: func(l *load) {
		for i, skew := range []time.Duration{2 * time.Minute, -2 * time.Minute} {
			n := l.nodes[i+1]
			n.kill()
			n.startSkewed(skew)
			n.endedWith("the clock of this machine is 2m0s " + []string{"behind", "ahead of"}[i] + " the database's")
			n.start()
		}
		l.goesOn(20 * time.Second)
	}},
	{name: "postgres-restart-under-nodes", nodes: 3, each: true, play: func(l *load) {
		for _, how := range []postgres.Shutdown{postgres.Fast, postgres.Immediate} {
			if err := l.database.Stop(how); err != nil {
				l.Fatal(err)
			}
			if err := l.database.Restart(); err != nil {
				l.Fatal(err)
			}
			l.goesOn(10 * time.Second)
		}
	}},
	{name: "postgres-gone-15s", nodes: 3, play: func(l *load) {
		if err := l.database.Stop(postgres.Immediate); err != nil {
			l.Fatal(err)
		}
		time.Sleep(15 * time.Second) // nobody fences anybody meanwhile
		if err := l.database.Restart(); err != nil {
			l.Fatal(err)
		}
		for _, n := range l.nodes {
			n.startIfEnded()
		}
		l.settle()
	}},
	{name: "lost-commit-answer-of-nodes", nodes: 3, play: func(l *load) {
		for i := range 6 {
			l.loseAnswer(l.nodes[i%3], func() {})
			l.goesOn(10 * time.Second)
		}
	}},
	{name: "rolling-restart", nodes: 3, play: func(l *load) {
		for _, n := range l.nodes {
			n.signal(syscall.SIGTERM)
			<-n.ended
			l.goesOn(10 * time.Second)
			n.start()
			l.settle()
		}
	}},
	{name: "last-two-ends", nodes: 3, each: true, play: func(l *load) {
		l.pairs("ends", 400, device.Succeeded, nil, 0, func(j apiclient.Job) bool { return j.Status == "COMPLETED" })
	}},
	{name: "abort-threshold-split", nodes: 3, play: func(l *load) {
		config := apiclient.Object{"abortConfig": apiclient.Object{"criteriaList": []any{apiclient.Object{
			"failureType": "FAILED", "action": "CANCEL", "thresholdPercentage": 100, "minNumberOfExecutedThings": 2,
		}}}}
		l.pairs("abort", 200, device.Failed, config, 1, func(j apiclient.Job) bool { return j.Status == "CANCELED" || j.Status == "CANCELLED" })
	}},
	{name: "cancel-elsewhere", nodes: 3, play: func(l *load) { l.cancelElsewhere(100) }},
	{name: "delete-thing-meets-rollout", nodes: 3, play: func(l *load) { l.deletionMeetsRollout(5) }},
	{name: "join-meets-rollout", nodes: 3, play: func(l *load) { l.joinMeetsRollout(5) }},
	{name: "dynamic-group-meets-change", nodes: 3, play: func(l *load) { l.groupMeetsChange(12, 60) }},
	{name: "takeover-across-nodes", nodes: 3, play: func(l *load) { l.takeover(1000, 2*time.Second) }},
	{name: "takeover-without-nats", nodes: 3, play: func(l *load) {
		l.killBus()
		time.Sleep(3 * time.Second)
		l.takeover(10, 6*time.Second)
		l.startBus()
	}},
	{name: "revoke-elsewhere", nodes: 3, each: true, play: func(l *load) {
		l.revoke(20, time.Second)
		l.killBus()
		time.Sleep(3 * time.Second)
		l.revoke(5, 2*time.Second+500*time.Millisecond)
		l.startBus()
	}},
	{name: "messages-everywhere", nodes: 3, play: func(l *load) { l.everywhere() }},
	{name: "away-session-holder-dies", nodes: 3, play: func(l *load) { l.away() }},
	{name: "drain", nodes: 3, play: func(l *load) { l.drain(l.nodes[1]) }},
	{name: "webhook-lease-moves", nodes: 3, hook: true, play: func(l *load) { l.hookMoves() }},
	{name: "postgres-failover", nodes: 3, standby: true, play: func(l *load) { l.failOver() }},
	{name: "import-export", nodes: 3, play: func(l *load) { l.move() }},
	{name: "rolling-upgrade", nodes: 3, play: func(l *load) { l.upgrade() }},
	{name: "two-of-three-die", nodes: 3, play: func(l *load) {
		l.nodes[0].kill()
		l.nodes[1].kill()
		l.goesOn(20 * time.Second)
		time.Sleep(dead)
		l.goesOn(20 * time.Second)
		l.nodes[0].start()
		l.nodes[1].start()
	}},
}

// dead is more than the time after which others take what a node had that says nothing.
const dead = store.TermTime + 3*store.BeatTime

// killBus ends the NATS server.
func (l *load) killBus() {
	l.Helper()
	if err := l.bus.Kill(); err != nil {
		l.Fatal(err)
	}
}

// failOver kills the database, makes its standby the database and leads the nodes there.
func (l *load) failOver() {
	l.Helper()
	began := time.Now()
	if err := l.database.Kill(); err != nil {
		l.Fatal(err)
	}
	if err := l.standby.Promote(); err != nil {
		l.Fatal(err)
	}
	l.database = l.standby
	for _, n := range l.nodes {
		n.database.Aim(hostOf(l.database.URL(l.name)))
	}
	l.Logf("the standby is the database after %v", time.Since(began).Round(time.Millisecond))
	for _, n := range l.nodes {
		n.startIfEnded()
	}
	l.settle()
	l.goesOn(10 * time.Second)
}

// startBus starts it again.
func (l *load) startBus() {
	l.Helper()
	if err := l.bus.Restart(); err != nil {
		l.Fatal(err)
	}
}

// TestScenarios plays those that -nodes names.
func TestScenarios(t *testing.T) {
	if *which == "" {
		t.Skip("plays nothing without -nodes: see make nodes and make nodes-all")
	}
	named := strings.Split(*which, ",")
	for _, name := range named {
		if name != "each" && name != "all" && !slices.ContainsFunc(scenarios, func(s scenario) bool { return s.name == name }) {
			t.Errorf("there is no scenario %s", name)
		}
	}
	for _, s := range scenarios {
		if *which == "all" || *which == "each" && s.each || slices.Contains(named, s.name) {
			t.Run(s.name, func(t *testing.T) {
				began := time.Now()
				l := newSite(t, s).loaded(*devices)
				t.Logf("at work after %v", time.Since(began).Round(time.Millisecond))
				s.play(l)
				l.goesOn(30 * time.Second)
				l.rest()
			})
		}
	}
}

// news gives new things a job each at a node while clients at another subscribe to what is next for them. They must be told of
// it within a time. Each thing has one job, since background work, which may be slow, cancels the one before. meanwhile, unless it
// is nil, is called when the first job is what is next.
func (l *load) news(by, at *node, bound time.Duration, meanwhile func()) {
	l.Helper()
	var slowest time.Duration
	for i := range 3 {
		thing := fmt.Sprintf("listened-to-%d", l.quiet.Add(1))
		l.must(by.api(), http.MethodPost, "/things/"+thing, apiclient.Object{}, nil)
		c := l.connect(at.ready.Load().MQTTAddr, thing, nil, false)
		l.subscribe(c, "$aws/things/"+thing+"/jobs/notify-next")
		job, d := "job-for-"+thing, l.at(by, thing)
		l.must(by.api(), http.MethodPut, "/jobs/"+job, apiclient.Object{"targets": []string{arn("thing", thing)}, "document": "{}"}, nil)
		l.await(job+" is what is next", 30*time.Second, func() bool {
			x, err := d.Head(l.Context())
			return err == nil && x != nil && x.JobID == job
		})
		if i == 0 && meanwhile != nil {
			meanwhile()
		}
		began := time.Now()
		for !c.heard(job) && time.Since(began) < bound {
			time.Sleep(5 * time.Millisecond)
		}
		if slowest = max(slowest, time.Since(began)); !c.heard(job) {
			l.Errorf("a client at node %d is not told within %v of %s, which node %d has created", at.number, bound, job, by.number)
			l.await("the client is told of "+job, time.Minute, func() bool { return c.heard(job) }) // late, or never
		}
		l.end(by, job)
	}
	l.Logf("a client at node %d is told within %v of what node %d does", at.number, slowest.Round(time.Millisecond), by.number)
}

// loseAnswer has the answer to a commit with a device's report not reach a node, and calls then before the node can know.
func (l *load) loseAnswer(n *node, then func()) {
	l.Helper()
	var lost atomic.Bool
	n.database.LoseAnswer(marks[device.Succeeded], func() { then(); lost.Store(true) })
	l.await("a commit is not answered", 30*time.Second, lost.Load)
}

// goesOn waits until devices have got half as many answers as there are of them, and the operator one.
func (l *load) goesOn(within time.Duration) {
	l.Helper()
	answers, jobs := l.book.count(), l.jobs.Load()
	l.await("the fleet goes on", within, func() bool { return l.book.count() > answers+len(l.things)/2 && l.jobs.Load() > jobs })
}
