package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/cluster"
	"github.com/muster-iot/muster/cluster/natsbus"
	"github.com/muster-iot/muster/dataplane"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/internal/nats"
	"github.com/muster-iot/muster/store"
)

// nodesSection needs a NATS server, which is built when it is wanted.
const nodesSection = "nodes"

// A commit of the section nodes changes as many queues as a batch of a lane under load.
const (
	digestThings  = 64
	digestCommits = 20_000
	digestFleet   = 100_000
)

// nodes measures what a node spends on the commits of another one whose things have no
// subscribers here: most of what it hears.
func (b *bench) nodes(ctx context.Context) ([]figure, error) {
	server, err := nats.Launch(nats.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = server.Close() }() // nothing of it is kept
	g, err := gateway.New(ctx, gateway.Options{Authorizer: nobody{}})
	if err != nil {
		return nil, err
	}
	all := make([]cluster.QueueNews, digestFleet)
	for i := range all {
		all[i] = cluster.QueueNews{
			QueueKey: store.QueueKey{Thing: muster.ThingName(fmt.Sprintf("thing-%06d", i))}, Change: muster.Change{List: true, Next: true},
			Rev: 1_800_000_000_000_000, HeadRev: 1_800_000_000_000_000,
		}
	}
	e := &elsewhere{all: all, notifier: dataplane.NewNotifier(dataplane.NotifierOptions{Publisher: g})}
	from, stopFrom, err := joinBus(ctx, server.URL(), 1, e)
	if err != nil {
		return nil, err
	}
	defer stopFrom()
	to, stopTo, err := joinBus(ctx, server.URL(), 2, e)
	if err != nil {
		return nil, err
	}
	defer stopTo()
	commits := max(digestCommits/10, min(digestCommits, b.things))
	used, err := tellOfCommits(ctx, all, from, to, commits)
	if err != nil {
		return nil, err
	}
	alone := e.lookUp(commits)
	things := commits * digestThings
	b.progress("%s things of %s commits, %s of them lost", count(things), count(commits), count(int(to.Figures().Lost)))
	return []figure{
		{name: "a thing of a digest, told, carried and looked up by one node", value: micros(used, things), beside: "the look-up alone " + micros(alone, things), ratio: times(float64(used), float64(alone)), aim: "1 µs"},
	}, nil
}

// tellOfCommits returns the processor time of this process, with both nodes.
func tellOfCommits(ctx context.Context, all []cluster.QueueNews, from, to *cluster.News, commits int) (time.Duration, error) {
	began, before := to.Figures().Received, ownTime()
	for n := range commits {
		for i := range digestThings {
			from.Queue(all[(n*digestThings+i)%len(all)])
		}
		from.Committed(cluster.Never)
		if n%128 == 127 {
			time.Sleep(time.Millisecond) // commits take time too; what waits is bounded
		}
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		f := to.Figures()
		if f.Received+f.Lost >= began+uint64(commits) {
			return ownTime() - before, nil
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return 0, errors.Join(fmt.Errorf("%d of %d digests came", f.Received-began, commits), ctx.Err())
		}
	}
}

// joinBus makes a node that hears of commits. It is heard and hears when joinBus returns.
func joinBus(ctx context.Context, servers string, me store.Incarnation, to cluster.Receiver) (*cluster.News, func(), error) {
	bus, err := natsbus.New(natsbus.Options{Servers: servers, Deployment: "bench"})
	if err != nil {
		return nil, nil, err
	}
	n := cluster.NewNews(cluster.NewsOptions{Bus: bus, Me: me, Live: func() []store.Member { return nil }, Receiver: to, Now: time.Now})
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	for n.Figures().Missed == 0 && ctx.Err() == nil { // it begins by looking everything up
		time.Sleep(time.Millisecond)
	}
	return n, func() { stop(); <-ended; bus.Close() }, nil
}

// elsewhere is a node whose devices are others.
type elsewhere struct {
	all      []cluster.QueueNews // of the things that commits are of
	notifier *dataplane.Notifier
}

func (e *elsewhere) Wants(q cluster.QueueNews) bool { return e.notifier.Wants(q.QueueKey, q.Change) }

func (e *elsewhere) CatchUp(context.Context, []cluster.QueueNews) error { return nil }
func (e *elsewhere) Rights(cluster.RightsNews)                          {}
func (e *elsewhere) Recorded()                                          {}
func (e *elsewhere) WorkDue(muster.Instant)                             {}
func (e *elsewhere) Missed(context.Context) error                       { return nil }

// lookUp returns the processor time of the look-ups alone.
func (e *elsewhere) lookUp(commits int) time.Duration {
	before := ownTime()
	for n := range commits * digestThings {
		e.Wants(e.all[n%len(e.all)])
	}
	return ownTime() - before
}

// nobody lets nobody in.
type nobody struct{}

func (nobody) Connect(context.Context, gateway.Connect) (gateway.Grant, error) {
	return nil, errors.New("nobody is let in")
}
