package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/cluster"
	"github.com/muster-iot/muster/store"
)

// nodesNews measures how long after a commit at one node the subscribers at another one are told,
// and what a thing in the digest of a commit costs each of the other nodes.
func nodesNews(ctx context.Context, b *bench) (figures []figure, err error) {
	c, err := launchCosts(true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.end()) }()
	s, err := openSite(ctx, c, 2)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	callers := b.nodeCallers[0]
	r := relay{site: s, jobs: [2]string{"first", "second"}, busy: b.nodePairs[callers]}
	if err := s.addTo(ctx, watchedGroup, b.told, r.jobs[:]...); err != nil {
		return nil, err
	}
	if err := s.addTo(ctx, engineGroup, r.busy, r.jobs[0]+"-busy", r.jobs[1]+"-busy"); err != nil {
		return nil, err
	}
	r.listeners, err = endpoint{addr: s.nodes[1].door.Addr().String()}.gather(ctx, b.told, watchedName, func(c *client, i int) error {
		return c.subscribe(1, jobsTopic(watchedName(i), "notify"))
	})
	if err != nil {
		return nil, err
	}
	defer r.listeners.close()
	r.committed = map[muster.ThingName]*atomic.Pointer[time.Time]{}
	for i := range b.told {
		r.committed[muster.ThingName(watchedName(i))] = &atomic.Pointer[time.Time]{}
	}
	s.nodes[0].noticed = r.notice

	alone, err := r.listen(ctx, r.jobs[0], nil)
	if err != nil {
		return nil, err
	}
	b.progress("told %s after the commit", alone)
	done := make(chan error, 1)
	over := make(chan struct{})
	go func() { done <- r.work(ctx, callers, over) }()
	beside, err := r.listen(ctx, r.jobs[1], over)
	if err := errors.Join(err, <-done); err != nil {
		return nil, err
	}
	b.progress("told %s after the commit under load", beside)
	figures = append(figures,
		figure{name: "from a commit at one node to the notification in the client of another one, nobody else at work: p50 / p99", value: alone.String(), aim: "p99 ≤ 5 ms"},
		figure{
			name:  fmt.Sprintf("… while %s are at work on both", plural(callers, "caller")),
			value: beside.String(), beside: plural(len(beside), "notification"),
		},
	)
	for _, things := range []int{32, 512} {
		each := r.digests(ctx, things)
		figures = append(figures, figure{
			name:  fmt.Sprintf("processor time of a thing in a digest of %d, written, and read and looked up by one other node", things),
			value: fmt.Sprintf("%.2f µs", float64(each.Nanoseconds())/1000), aim: "≤ 0.5 µs",
		})
	}
	return figures, nil
}

// watchedGroup has the things that somebody listens to.
const watchedGroup = "watched"

func watchedName(i int) string { return thingName(watchedGroup, i) }

// relay is two nodes: things work at the first one, and others listen at the second.
type relay struct {
	*site
	jobs      [2]string
	busy      int                                             // things of callers to which nobody listens
	listeners crowd                                           // each of its thing
	committed map[muster.ThingName]*atomic.Pointer[time.Time] // of the watched things
}

// notice notes when a commit at the first node was durable.
func (r *relay) notice(key store.QueueKey, change muster.Change) {
	if at := r.committed[key.Thing]; at != nil && change.List {
		now := time.Now()
		at.CompareAndSwap(nil, &now)
	}
}

// listen lets the watched things do a job, one after the other, until over is closed, and returns
// how long after its commit each was heard of.
func (r *relay) listen(ctx context.Context, job string, over chan struct{}) (latencies, error) {
	var all latencies
	for i, c := range r.listeners {
		select {
		case <-over:
			return all, nil
		default:
		}
		at := r.committed[muster.ThingName(watchedName(i))]
		at.Store(nil)
		if err := r.nodes[0].pair(ctx, watchedName(i), job); err != nil {
			return nil, err
		}
		c.SetDeadline(time.Now().Add(patience))
		if err := c.hear(jobsTopic(watchedName(i), "notify")); err != nil {
			return nil, fmt.Errorf("%s is not told: %w", watchedName(i), err)
		}
		all = append(all, time.Since(*at.Load()))
	}
	return all, nil
}

// work lets callers at both nodes do the jobs of the things that nobody listens to, and closes over
// when they are done.
func (r *relay) work(ctx context.Context, callers int, over chan struct{}) error {
	defer close(over)
	for _, job := range r.jobs {
		err := inParallel(callers, r.busy, func(worker, i int) error {
			return r.nodes[worker%len(r.nodes)].pair(ctx, thingName(engineGroup, i), job+"-busy")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// digestThings is how many things are told of when digests are measured.
const digestThings = 1 << 19

// digests returns the processor time of a thing in digests of so many, from the commit until the
// second node knows whether somebody there listens to it. No message is sent.
func (r *relay) digests(ctx context.Context, things int) time.Duration {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	hearing := hearer{receiver: receiver{r.nodes[1]}, all: things, left: things, heard: make(chan struct{})}
	to := &handover{subscribed: make(chan struct{})}
	nobody := func() []store.Member { return nil }
	from := cluster.NewNews(cluster.NewsOptions{Bus: &handover{to: to}, Me: 1, Live: nobody, Receiver: &hearing, Now: time.Now})
	at := cluster.NewNews(cluster.NewsOptions{Bus: to, Me: 2, Live: nobody, Receiver: &hearing, Now: time.Now})
	running := make(chan struct{}, 2)
	for _, n := range []*cluster.News{from, at} {
		go func() { _ = n.Run(ctx); running <- struct{}{} }() // it ends with ctx only
	}
	<-to.subscribed
	names := make([]muster.ThingName, things)
	for i := range names {
		names[i] = muster.ThingName(thingName(engineGroup, i))
	}
	commits := digestThings / things
	began := ownTime()
	for i := range commits {
		for _, thing := range names {
			from.Queue(cluster.QueueNews{QueueKey: store.QueueKey{Thing: thing}, Change: muster.Change{List: true, Next: true}, Rev: int64(i), HeadRev: int64(i)})
		}
		from.Committed(cluster.Never)
		<-hearing.heard
	}
	each := (ownTime() - began) / time.Duration(commits*things)
	stop()
	<-running
	<-running
	return each
}

// hearer looks up what it hears as its node does, and says when it has heard all things of a
// digest.
type hearer struct {
	receiver
	all, left int // things of a digest, and those still to come
	heard     chan struct{}
}

func (h *hearer) Wants(q cluster.QueueNews) bool {
	wanted := h.receiver.Wants(q)
	if h.left--; h.left == 0 {
		h.left = h.all
		h.heard <- struct{}{}
	}
	return wanted
}

func (h *hearer) Missed(context.Context) error { return nil }

// handover is a bus that hands each message to the only subscriber of another one.
type handover struct {
	to         *handover // nil: what is published here concerns nobody
	got        func(cluster.Delivered)
	subscribed chan struct{} // closed then; nil if nobody waits for that
}

func (h *handover) Publish(subject string, data []byte) {
	if h.to != nil {
		h.to.got(cluster.Delivered{Subject: subject, Data: data})
	}
}

func (h *handover) Subscribe(_, _ string, got func(cluster.Delivered)) (stop func()) {
	h.got = got
	if h.subscribed != nil {
		close(h.subscribed)
	}
	return func() {}
}

func (h *handover) Ask(context.Context, string, []byte) ([]byte, error) {
	return nil, cluster.ErrNobody
}
func (h *handover) Flush(context.Context) error { return nil }
func (h *handover) Up() bool                    { return true }
func (h *handover) Lost(func()) (stop func())   { return func() {} }
