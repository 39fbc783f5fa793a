package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/cluster"
	"github.com/muster-iot/muster/cluster/natsbus"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/dataplane"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/metrics"
	"github.com/muster-iot/muster/operator"
	"github.com/muster-iot/muster/rights"
	"github.com/muster-iot/muster/scheduler"
	"github.com/muster-iot/muster/sessionstore"
	"github.com/muster-iot/muster/store"
)

// nodes is this server as one of several on a database.
type nodes struct {
	bus  *natsbus.Bus
	node *cluster.Node
	news *cluster.News

	listeners *cluster.Listeners

	lookAgain atomic.Bool // a node is gone, and what it has not looked at again is left to the others

	owed   chan struct{} // holds a token when what is owed is to be looked up
	turned chan struct{} // holds a token when this node may have become fit to serve devices, or unfit

	looking sync.Mutex   // held while rights are looked up
	since   store.Moment // up to which they were

	operations atomic.Int64 // since the last call of load
	loaded     time.Time    // when that was
}

// wake puts a token into a channel that holds one, if there is none.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// workShares is into how many shares background work is divided: enough that three nodes have
// about the same.
const workShares = 32

// Leases that only one node has.
const (
	subscribersLease = "sink/subscribers"
	webhookLease     = "sink/webhook"
)

// workLease returns the lease of the background work with a key.
func workLease(key string) string { return fmt.Sprint("work/", store.HashOf(key)%workShares) }

// sessionLease returns the lease of a shard of the sessions of clients that are away.
func sessionLease(shard int) string { return fmt.Sprint("session/", shard) }

// leases returns all leases, the same on all nodes.
func leases() []string {
	all := []string{subscribersLease, webhookLease}
	for i := range workShares {
		all = append(all, fmt.Sprint("work/", i))
	}
	for shard := range gateway.SessionShards {
		all = append(all, sessionLease(shard))
	}
	return all
}

// joinNodes makes this server one of several, if it is to be.
func (s *server) joinNodes() error {
	if !s.c.Bus.on() {
		return nil
	}
	roster, ok := s.store.Formatted.(store.Roster)
	if !ok {
		return usagef("--bus is for several servers on one database, which --store names")
	}
	n := &nodes{loaded: time.Now(), turned: make(chan struct{}, 1), owed: make(chan struct{}, 1)}
	var err error
	if n.bus, err = s.connect(roster.Me()); err != nil {
		return err
	}
	n.node = cluster.New(cluster.Options{Roster: roster, Now: time.Now, Leases: leases(), Load: s.load, Watcher: nodeWatcher{s}, Log: s.log})
	n.news = cluster.NewNews(cluster.NewsOptions{
		Bus: n.bus, Me: roster.Me(), Live: n.node.Live, Receiver: newsReceiver{s}, Now: time.Now, Log: s.log,
	})
	n.listeners = cluster.NewListeners(cluster.ListenersOptions{
		Bus: n.bus, Me: roster.Me(), Live: n.node.Live,
		Here:    func(q store.QueueKey) bool { return s.notifier.Listens(q) },
		Certain: func() bool { return s.gateway.Certain() },
	})
	s.nodes = n
	s.figures.Nodes(s.nodeFigures)
	return nil
}

// load returns what this node had to do since the last call.
func (s *server) load() store.Load {
	now := time.Now()
	took := now.Sub(s.nodes.loaded).Seconds()
	s.nodes.loaded = now
	l := store.Load{Connections: int(s.gateway.Stats().Connections)}
	if n := s.nodes.operations.Swap(0); took > 0 {
		l.Operations = float64(n) / took
	}
	return l
}

// beating is the part that keeps this node alive.
func (s *server) beating() stage {
	if s.nodes == nil {
		return nil
	}
	return stage{s.nodes.node.Run}
}

const (
	// drainTime is how long a node that drains takes to end its connections, so that the
	// others are not overrun by those that come back.
	drainTime = 30 * time.Second
	// leaveTime is the same for one that does not reach the database, and so cannot serve them.
	leaveTime = time.Second
	// strayTime is the time after which it ends those of clients that have come nevertheless.
	strayTime = 5 * time.Second
)

// emptying ends the connections of devices while this node should have none.
func (s *server) emptying(ctx context.Context) error {
	for ctx.Err() == nil {
		select {
		case <-s.nodes.turned:
		case <-ctx.Done():
		}
		for why := s.fit(); why != nil && ctx.Err() == nil; why = s.fit() {
			s.empty(ctx, why)
		}
	}
	return nil
}

// empty ends the connections that there are, and returns when it is time to look again.
func (s *server) empty(ctx context.Context, why error) {
	over := leaveTime
	if s.nodes.node.Serving() {
		over = drainTime
	}
	while, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if n := s.gateway.CloseAll(while, why.Error(), over); n > 0 {
			s.log.Info("devices were sent to other nodes", "connections", n, "why", why)
		}
		select {
		case <-while.Done():
		case <-time.After(strayTime):
		}
	}()
	select {
	case <-s.nodes.turned:
		stop()
	case <-ended:
	}
	<-ended
}

// telling are the parts that tell the other nodes of commits and hear of theirs.
func (s *server) telling() stage {
	if s.nodes == nil {
		return nil
	}
	return stage{s.nodes.news.Run, s.nodes.listeners.Run, s.followRights, s.emptying, s.settleOwed}
}

// followTime is the time between two looks for rights that have changed, if there is no other reason to
// look: the store does not remember for ever which ones have.
const followTime = time.Minute

// followRights looks for rights that have changed, and has one of the nodes forget what all have
// seen.
func (s *server) followRights(ctx context.Context) error {
	ticks := time.NewTicker(followTime)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return nil
		}
		err := s.lookForRights(ctx)
		if err == nil && s.nodes.node.Holds(workLease("rights")) {
			err = s.service.Rights.ForgetChanges(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.log.Warn("changes of rights could not be looked up", "error", err)
		}
	}
}

// lookForRights has the rights that other nodes have changed looked up.
func (s *server) lookForRights(ctx context.Context) error {
	s.nodes.looking.Lock()
	defer s.nodes.looking.Unlock()
	c, next, err := s.service.Rights.ChangesSince(ctx, s.nodes.since)
	if err != nil {
		return err
	}
	if s.nodes.since = next; c.Any() {
		s.authz.Changed(c)
	}
	return nil
}

// joined returns s with parts that wait until this node knows the others.
func (s *server) joined(all stage) stage {
	if s.nodes == nil {
		return all
	}
	waiting := make(stage, len(all))
	for i, part := range all {
		waiting[i] = func(ctx context.Context) error {
			select {
			case <-s.nodes.node.Joined():
				return part(ctx)
			case <-ctx.Done():
				return nil
			}
		}
	}
	return waiting
}

// while calls run while this node holds a lease, or all the time if there are no other nodes.
func (s *server) while(ctx context.Context, lease string, run func(context.Context) error) error {
	if s.nodes == nil {
		return run(ctx)
	}
	return s.nodes.node.While(ctx, lease, run)
}

// work returns the background work of this node.
func (s *server) work() scheduler.Work {
	if s.nodes == nil {
		return s.service
	}
	return sharedWork{s}
}

// sharedWork is the work of the shares that a node holds.
type sharedWork struct{ s *server }

func (w sharedWork) Work(ctx context.Context) (commit.Agenda, error) {
	return w.s.service.WorkOn(ctx, func(key string) bool { return w.s.nodes.node.Holds(workLease(key)) })
}

// fit returns why this node should get no devices now, if it should not.
func (s *server) fit() error {
	switch {
	case s.nodes == nil:
	case !s.nodes.node.Serving():
		return errors.New("the database has not answered lately")
	case s.nodes.node.Draining():
		return errors.New("this node was ordered to drain")
	}
	return nil
}

// gatewayNodes makes the gateway one of several, if this server is.
func (s *server) gatewayNodes() *gateway.NodeOptions {
	if s.nodes == nil {
		return nil
	}
	return &gateway.NodeOptions{
		Node: gateway.Node(s.nodes.node.Me()), Bus: gatewayBus{s.nodes.bus}, Own: "$aws/things/", Outlives: dataplane.ForNotifications,
		Again: func(filters []string) {
			queues, wide := s.notifier.Again(filters)
			for _, n := range queues {
				s.nodes.news.Want(cluster.QueueNews{QueueKey: n.QueueKey, Change: n.Change})
			}
			if wide {
				wake(s.nodes.owed)
			}
		},
	}
}

// gatewayBus is the bus as the gateway knows it.
type gatewayBus struct{ *natsbus.Bus }

func (b gatewayBus) Subscribe(subject string, got func(data []byte)) (stop func()) {
	return b.Bus.Subscribe(subject, "", func(m cluster.Delivered) { got(m.Data) })
}

// sessions are where the gateway keeps the sessions of clients.
func (s *server) sessions() gateway.SessionStore {
	if s.nodes == nil {
		return sessionstore.On(s.store, s.disks.room)
	}
	return sessionstore.OnShared(s.store.Formatted, s.disks.room) // itself, with its lanes
}

// nodeWatcher is what follows when nodes come and go.
type nodeWatcher struct{ s *server }

func (w nodeWatcher) Heard(roll store.Roll) {
	var live []gateway.Node
	for _, m := range roll.Nodes {
		if !m.Fenced { // a node that is dead may still write
			live = append(live, gateway.Node(m.Incarnation))
		}
	}
	gone := func(node gateway.Node) bool { return roll.Gone(store.Incarnation(node)) }
	w.s.gateway.Members(live, gone, func(shard int) bool { return w.s.nodes.node.Holds(sessionLease(shard)) })
}

func (w nodeWatcher) Serving(bool) { wake(w.s.nodes.turned) }

func (w nodeWatcher) Members([]store.Member) {
	live := w.s.nodes.node.Sharing()
	w.s.jobs.Divide(live)
	w.s.contract.Divide(live)
}

func (w nodeWatcher) Gone(store.Incarnation) {
	w.s.nodes.lookAgain.Store(true)
	w.s.nodes.news.Miss()
}

func (w nodeWatcher) Leases([]string) { w.s.timer.Due() }

func (w nodeWatcher) Draining(bool) { wake(w.s.nodes.turned) }

// newsReceiver is for whom the news of other nodes are.
type newsReceiver struct{ s *server }

func (r newsReceiver) Wants(q cluster.QueueNews) bool {
	return r.s.notifier.Wants(q.QueueKey, q.Change) || r.s.service.Jobs.Awaited(q.QueueKey)
}

func (r newsReceiver) CatchUp(ctx context.Context, queues []cluster.QueueNews) error {
	news := make([]jobs.News, len(queues))
	for i, q := range queues {
		news[i] = jobs.News{QueueKey: q.QueueKey, Change: q.Change}
	}
	return r.s.service.Jobs.CatchUp(ctx, news, r.s.notifier.Notify)
}

func (r newsReceiver) Rights(c cluster.RightsNews) {
	r.s.authz.Changed(rights.Change{All: c.All, Certificates: c.Certificates, Things: c.Things})
}

func (r newsReceiver) Recorded() { r.s.recorded() }

func (r newsReceiver) WorkDue(wake muster.Instant) { r.s.service.Commits.WorkDue(wake) }

func (r newsReceiver) Missed(ctx context.Context) error {
	r.s.service.Jobs.WakeAll()
	r.s.service.Commits.WorkDue(0)
	r.s.recorded()
	return errors.Join(
		r.s.lookForRights(ctx),
		r.s.lookAgain(ctx),
		r.s.catchUp(ctx, r.s.notifier.Followed()...),
	)
}

// lookAgain does what a node that is gone may have left undone.
func (s *server) lookAgain(ctx context.Context) error {
	if !s.nodes.lookAgain.Swap(false) {
		return nil
	}
	err := s.service.Jobs.LookAgain(ctx)
	if err != nil {
		s.nodes.lookAgain.Store(true)
	}
	return err
}

// catchUp reads some queues, and those of which something is owed, and tells the subscribers here what is newer. Nobody can
// list the queues that a wildcard is for; so a subscriber with a wildcard is told of what is owed.
func (s *server) catchUp(ctx context.Context, queues ...jobs.News) error {
	owed, err := s.service.Jobs.Owed(ctx)
	return errors.Join(err, s.service.Jobs.CatchUp(ctx, append(queues, s.notifier.Untold(owed)...), s.notifier.Notify))
}

// owedTime is the least time between two looks at what is owed: thousands of sessions may come at once.
const owedTime = 100 * time.Millisecond

// settleOwed looks up what is owed when sessions with wildcards have come from another node.
func (s *server) settleOwed(ctx context.Context) error {
	for {
		select {
		case <-s.nodes.owed:
		case <-ctx.Done():
			return nil
		}
		if err := s.catchUp(ctx); err != nil && ctx.Err() == nil {
			s.log.Debug("what is owed could not be read", "error", err)
			s.nodes.news.Miss() // which goes on trying
		}
		select {
		case <-time.After(owedTime):
		case <-ctx.Done():
			return nil
		}
	}
}

// elsewhere returns what reports whether another node may have to deliver a notification that
// nobody here wants; nil if there are no others.
func (s *server) elsewhere() func(store.QueueKey, muster.Change) bool {
	if s.nodes == nil {
		return nil
	}
	return func(key store.QueueKey, change muster.Change) bool { return s.notifier.Keep(key, change) }
}

// process returns how the store names this process, empty if it does not matter.
func (s *server) process() string {
	if s.nodes == nil {
		return ""
	}
	return strconv.FormatInt(int64(s.nodes.node.Me()), 10)
}

// gone returns a function that reports whether a process that process named is gone; nil if there are
// no others.
func (s *server) gone() func(process string) bool {
	if s.nodes == nil {
		return nil
	}
	return func(process string) bool {
		n, err := strconv.ParseInt(process, 10, 64)
		return err != nil || s.nodes.node.Gone(store.Incarnation(n)) // it is no number if it was the only one
	}
}

// nodeFigures are the figures of this node.
func (s *server) nodeFigures() metrics.Nodes {
	return metrics.Nodes{Node: s.nodes.node.Figures(), News: s.nodes.news.Figures()}
}

// clusterNodes are the nodes, for operators.
type clusterNodes struct{ of *cluster.Node }

func (c clusterNodes) Nodes() []operator.Node {
	roll := c.of.Roll()
	held := map[store.Incarnation][]string{}
	for lease, holder := range roll.Leases {
		held[holder] = append(held[holder], lease)
	}
	all := []operator.Node{}
	for _, m := range roll.Nodes {
		n := operator.Node{
			Name: m.Name, Incarnation: int64(m.Incarnation), State: stateOf(m, roll.Now), Host: m.Host, Version: m.Version, Started: operator.At(m.Started),
			Seen: operator.At(m.Expires.Add(-store.TermTime)), Leases: append([]string{}, held[m.Incarnation]...), Connections: m.Load.Connections, Operations: m.Load.Operations, Asked: m.Incarnation == c.of.Me(),
		}
		slices.Sort(n.Leases)
		all = append(all, n)
	}
	return all
}

func stateOf(m store.Member, now time.Time) operator.NodeState {
	switch {
	case m.Fenced || !m.Expires.After(now):
		return operator.NodeDead
	case m.Drain || m.Draining:
		return operator.NodeDrains
	}
	return operator.NodeWorks
}

func (c clusterNodes) Drain(node string, drain bool) bool { return c.of.Order(node, !drain) }
