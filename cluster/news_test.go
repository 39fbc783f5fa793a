package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/cluster"
	"github.com/muster-iot/muster/cluster/clustertest"
	"github.com/muster-iot/muster/store"
)

// database is what the nodes of a test have in common.
type database struct {
	mu     sync.Mutex
	queues map[store.QueueKey]int64 // revisions
	rights int64
	live   []store.Member
	fails  bool
}

func (d *database) members() []store.Member {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.live
}

// reporter is a node that commits, and learns what the others have committed.
type reporter struct {
	*cluster.News
	bus *clustertest.Bus
	at  *database

	mu       sync.Mutex
	told     map[store.QueueKey]int64
	rights   int64 // as they were looked up last
	looks    int   // calls of Missed
	catchUps int
	dues     []muster.Instant
	recorded int
}

func (r *reporter) Wants(q cluster.QueueNews) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return q.Thing != "nobody's" && q.Rev > r.told[q.QueueKey]
}

func (r *reporter) CatchUp(_ context.Context, queues []cluster.QueueNews) error {
	r.at.mu.Lock()
	defer r.at.mu.Unlock()
	if r.at.fails {
		return errors.New("no database")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.catchUps++
	for _, q := range queues {
		r.told[q.QueueKey] = r.at.queues[q.QueueKey]
	}
	return nil
}

func (r *reporter) Rights(cluster.RightsNews) {
	r.at.mu.Lock()
	defer r.at.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rights = r.at.rights
}

func (r *reporter) Recorded() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recorded++
}

func (r *reporter) WorkDue(wake muster.Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dues = append(r.dues, wake)
}

func (r *reporter) Missed(ctx context.Context) error {
	r.mu.Lock()
	r.looks++
	r.mu.Unlock()
	var all []cluster.QueueNews
	r.at.mu.Lock()
	for key := range r.at.queues {
		all = append(all, cluster.QueueNews{QueueKey: key})
	}
	r.at.mu.Unlock()
	if err := r.CatchUp(ctx, all); err != nil {
		return err
	}
	r.Rights(cluster.RightsNews{All: true})
	return nil
}

// lookedUp returns how often everything was looked up since the last call.
func (r *reporter) lookedUp() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.looks
	r.looks = 0
	return n
}

func key(n int) store.QueueKey {
	return store.QueueKey{Thing: muster.ThingName(fmt.Sprint("thing-", n))}
}

// commit changes some queues and perhaps rights.
func (r *reporter) commit(rights bool, things ...int) {
	r.at.mu.Lock()
	revs := map[int]int64{}
	for _, n := range things {
		r.at.queues[key(n)]++
		revs[n] = r.at.queues[key(n)]
	}
	if rights {
		r.at.rights++
	}
	r.at.mu.Unlock()
	for n, rev := range revs {
		r.Queue(cluster.QueueNews{QueueKey: key(n), Change: muster.Change{List: true}, Rev: rev})
	}
	if rights {
		r.News.Rights(cluster.RightsNews{Things: []muster.ThingName{"lamp"}})
	}
	r.Committed(cluster.Never)
}

// knows reports whether a node was told the newest of everything.
func (r *reporter) knows() bool {
	r.at.mu.Lock()
	defer r.at.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, rev := range r.at.queues {
		if r.told[key] != rev {
			return false
		}
	}
	return r.rights == r.at.rights
}

// report starts nodes on a network. They are told what they commit themselves, too, by looking
// everything up at the start only, so only the first node commits.
func report(t *testing.T, network *clustertest.Network, many int) (*database, []*reporter) {
	t.Helper()
	d := &database{queues: map[store.QueueKey]int64{}}
	nodes := make([]*reporter, many)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for i := range nodes {
		r := &reporter{bus: network.Join(), at: d, told: map[store.QueueKey]int64{}}
		me := store.Incarnation(i + 1)
		r.News = cluster.NewNews(cluster.NewsOptions{Bus: r.bus, Me: me, Live: d.members, Receiver: r, Now: time.Now})
		nodes[i] = r
		d.live = append(d.live, store.Member{Name: fmt.Sprint("node-", me), Incarnation: me})
	}
	for _, r := range nodes {
		running.Go(func() { _ = r.Run(ctx) }) // it has no errors
	}
	t.Cleanup(func() {
		stop()
		running.Wait()
		for _, r := range nodes {
			r.bus.Close()
		}
	})
	later(5 * time.Second)
	for _, r := range nodes {
		r.lookedUp()
	}
	return d, nodes
}

func TestNewsTravel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, nodes := report(t, clustertest.NewNetwork(1), 3)
		for n := range 1000 {
			nodes[0].commit(n%10 == 0, n%7, n%11)
			if n%100 == 99 {
				synctest.Wait()
			}
		}
		for _, r := range nodes[1:] {
			if !r.knows() || r.lookedUp() != 0 {
				t.Errorf("without a fault a node knows all: %v, and it looked everything up: %+v", r.knows(), r.Figures())
			}
		}
		nodes[0].Queue(cluster.QueueNews{QueueKey: store.QueueKey{Thing: "nobody's"}, Change: muster.Change{List: true}, Rev: 1})
		nodes[0].News.Recorded()
		nodes[0].Committed(70)
		nodes[0].Committed(cluster.Never) // says nothing
		catchUps := nodes[1].catchUps
		later(10 * time.Second)
		r := nodes[1]
		if r.recorded != 1 || len(r.dues) != 1 || r.dues[0] != 70 || r.catchUps != catchUps {
			t.Errorf("of a commit with events and work from 70 on the other node is told %d times of events, and of work from %v on", r.recorded, r.dues)
		}
		if f := r.Figures(); f.Received != 1001 || f.Lost != 0 || !f.Up || f.Deaf || nodes[0].Figures().Sent != 1001 {
			t.Errorf("1001 digests were sent; figures %+v", f)
		}
		d.mu.Lock()
		d.fails = true
		d.mu.Unlock()
		nodes[0].commit(false, 1)
		later(5 * time.Second)
		d.mu.Lock()
		d.fails = false
		d.mu.Unlock()
		if later(2 * time.Second); !r.knows() {
			t.Error("news that could not be read are not read later")
		}
	})
}

// A large commit takes several digests, and nothing of it is missing.
func TestALargeCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := report(t, clustertest.NewNetwork(1), 2)
		things := make([]int, 5000)
		for i := range things {
			things[i] = i
		}
		nodes[0].commit(true, things...)
		synctest.Wait()
		if f := nodes[0].Figures(); !nodes[1].knows() || nodes[1].lookedUp() != 0 || f.Sent < 2 || f.Sent > 10 {
			t.Errorf("the other node knows all: %v, of %d digests", nodes[1].knows(), f.Sent)
		}
		many := make([]int, 40_000) // too many to be read one by one
		for i := range many {
			many[i] = i
		}
		nodes[0].commit(true, many...)
		if later(2 * time.Second); !nodes[1].knows() {
			t.Error("after a commit that is too large to be read one by one, a node does not know all")
		}
	})
}

// Whatever the bus does, two seconds and a little after the last commit everybody knows all.
func TestNewsThatAreLostAreFound(t *testing.T) {
	for name, fault := range map[string]func(*clustertest.Network, []*reporter, bool){
		"messages are lost, repeated and late": func(n *clustertest.Network, _ []*reporter, on bool) {
			n.Set(map[bool]clustertest.Faults{true: {Lose: 0.3, Repeat: 0.3, Delay: 300 * time.Millisecond}}[on])
		},
		"the bus is down":    func(_ *clustertest.Network, nodes []*reporter, on bool) { nodes[1].bus.Cut(on) },
		"nodes are parted":   func(n *clustertest.Network, nodes []*reporter, on bool) { n.Part(nodes[0].bus, nodes[1].bus, on) },
		"the sender is down": func(_ *clustertest.Network, nodes []*reporter, on bool) { nodes[0].bus.Cut(on) },
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				synctest.Test(t, func(t *testing.T) {
					network := clustertest.NewNetwork(seed)
					random := rand.New(rand.NewPCG(seed, 1))
					_, nodes := report(t, network, 3)
					fault(network, nodes, true)
					if name != "the bus is down" { // which is known at once
						later(5 * time.Second) // until a silence is noticed
					}
					for range 100 {
						nodes[0].commit(random.IntN(10) == 0, random.IntN(20))
						time.Sleep(time.Duration(random.Int64N(int64(20 * time.Millisecond))))
					}
					later(2 * time.Second)
					for i, r := range nodes[1:] {
						if name != "messages are lost, repeated and late" && !r.knows() {
							t.Errorf("seed %d: node %d does not know all", seed, i+2)
						}
					}
					nodes[0].commit(true, 1) // perhaps the last one before it is over
					fault(network, nodes, false)
					later(2 * time.Second)
					for i, r := range nodes[1:] {
						if !r.knows() {
							t.Errorf("seed %d: when it is over, node %d does not know all", seed, i+2)
						}
					}
					later(5 * time.Second)
					for _, r := range nodes {
						r.lookedUp()
					}
					later(10 * time.Second)
					for i, r := range nodes {
						if n := r.lookedUp(); n > 0 || r.Figures().Deaf {
							t.Errorf("seed %d: long after it is over, node %d looks up everything (%d times)", seed, i+1, n)
						}
					}
				})
			}
		})
	}
}

// A node that has gone is not waited for, and one that comes is heard.
func TestNodesComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := clustertest.NewNetwork(1)
		d, nodes := report(t, network, 2)
		nodes[1].bus.Close()
		later(5 * time.Second)
		if n := nodes[0].lookedUp(); n < 1 || !nodes[0].Figures().Deaf {
			t.Errorf("a node that works says nothing, and the other one has looked into the database %d times", n)
		}
		d.mu.Lock()
		d.live = d.live[:1]
		d.mu.Unlock()
		later(3 * time.Second)
		nodes[0].lookedUp()
		later(10 * time.Second)
		if n := nodes[0].lookedUp(); n != 0 {
			t.Errorf("for a node that has gone, everything was looked up %d times", n)
		}
	})
}

// What is no digest, such as that of a later release, is treated as one that was lost.
func TestAnotherRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := report(t, clustertest.NewNetwork(1), 1)
		nodes[0].bus.Publish("digest", []byte{99, 1, 2, 3})
		if later(time.Second); nodes[0].lookedUp() != 1 {
			t.Error("the message is passed over")
		}
	})
}
