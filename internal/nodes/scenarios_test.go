package nodes_test

import (
	"flag"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/muster-iot/muster/device"
	"github.com/muster-iot/muster/internal/postgres"
)

var (
	which   = flag.String("nodes", "", "which scenarios to play: each (those for each change), all, or names separated by commas")
	devices = flag.Int("nodes.devices", 200, "how many devices work meanwhile")
)

// scenario is what breaks while a fleet is at work.
type scenario struct {
	name  string
	nodes int
	alone bool // there is no bus, and one node
	each  bool // it is played for each change
	play  func(l *load)
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
				l := newSite(t, s.nodes, s.alone).loaded(*devices)
				t.Logf("at work after %v", time.Since(began).Round(time.Millisecond))
				s.play(l)
				l.goesOn(30 * time.Second)
				l.rest()
			})
		}
	}
}

// loseAnswer has the answer to a commit with a device's report not reach a node, and calls then before the node can know.
func (l *load) loseAnswer(n *node, then func()) {
	l.Helper()
	var lost atomic.Bool
	n.database.LoseAnswer(marks[device.Succeeded], func() { then(); lost.Store(true) })
	l.await("a commit is not answered", 30*time.Second, lost.Load)
}

// goesOn waits until clients have got as many answers as there are devices.
func (l *load) goesOn(within time.Duration) {
	l.Helper()
	before := l.book.count()
	l.await("the fleet goes on", within, func() bool { return l.book.count() > before+len(l.things)/2 })
}
