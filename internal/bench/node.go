package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/authz"
	"github.com/muster-iot/muster/cluster"
	"github.com/muster-iot/muster/cluster/natsbus"
	"github.com/muster-iot/muster/dataplane"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/internal/nats"
	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/scheduler"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pgstore"
)

// node is a service in this process with a gateway before it, on a database. It may be one of
// several on that: then they are wired as those of `muster serve --bus`, but background work is
// left to the first.
type node struct {
	*world
	timer    *scheduler.Scheduler
	gateway  *gateway.Server
	notifier *dataplane.Notifier
	door     net.Listener                              // of MQTT clients, who may do all they like
	noticed  func(key store.QueueKey, c muster.Change) // is told of what a commit here means to a thing; nil is allowed

	bus  *natsbus.Bus // nil: it is alone, as are the next two
	part *cluster.Node
	news *cluster.News
}

// site is some nodes on one database, or one that is alone on it.
type site struct {
	*costs
	nodes []*node
}

// openSite opens n nodes on an empty database of the server of c, on its bus. Without a bus there
// can be one.
func openSite(ctx context.Context, c *costs, n int) (*site, error) {
	s := &site{costs: c}
	name, err := c.server.Create()
	if err != nil {
		return nil, err
	}
	for i := range n {
		one, err := c.openNode(ctx, c.server.URL(name), name, i)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.nodes = append(s.nodes, one)
	}
	if c.bus == nil {
		return s, nil
	}
	for _, one := range s.nodes {
		if err := awaitCount(ctx, n, lookEvery, func() (int, error) { return len(one.part.Live()), nil }); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

func (s *site) close() error {
	var failed []error
	for _, n := range s.nodes {
		failed = append(failed, n.close())
	}
	return errors.Join(failed...)
}

// launchCosts starts a database server, and a bus if that is wanted.
func launchCosts(withBus bool) (*costs, error) {
	c := &costs{}
	var err error
	if c.server, err = postgres.Launch(postgres.Options{}); err != nil || !withBus {
		return c, err
	}
	if c.bus, err = nats.Launch(nats.Options{}); err != nil {
		return nil, errors.Join(err, c.server.Close())
	}
	return c, nil
}

func (c *costs) end() error {
	if c.bus == nil {
		return c.server.Close()
	}
	return errors.Join(c.bus.Close(), c.server.Close())
}

// openNode opens the node with a number on a database. Those of one deployment hear of each
// other.
func (c *costs) openNode(ctx context.Context, database, deployment string, number int) (*node, error) {
	opened, err := pgstore.Open(ctx, pgstore.Options{
		Database: database, Node: "node-" + strconv.Itoa(number), Shared: c.bus != nil, OnCommit: c.committed, OnView: c.viewed,
	})
	if err != nil {
		return nil, err
	}
	n := &node{}
	now := func() muster.Instant { return muster.At(time.Now()) }
	process := ""
	if c.bus != nil {
		process = strconv.FormatInt(int64(opened.Me()), 10)
		n.bus, err = natsbus.New(natsbus.Options{Servers: c.bus.URL(), Deployment: deployment, Node: "node-" + strconv.Itoa(number)})
		if err != nil {
			return nil, errors.Join(err, opened.Close())
		}
		n.part = cluster.New(cluster.Options{Roster: opened, Now: time.Now})
		n.news = cluster.NewNews(cluster.NewsOptions{Bus: n.bus, Me: opened.Me(), Live: n.part.Live, Receiver: receiver{n}, Now: time.Now})
		now = func() muster.Instant { return muster.At(n.part.Now()) }
	}
	n.timer = scheduler.New(now, quiet)
	w := &world{store: opened, service: service.New(service.Options{
		Store: opened, Account: account, Now: now, Audience: nodeAudience{n}, Watcher: watcher{due{n.timer}, n}, Process: process, Gone: n.gone,
	})}
	n.world = w
	rights := authz.New(authz.Options{Principals: w.service.Rights, Account: account, Now: now, Anonymous: true})
	if n.gateway, err = gateway.New(ctx, gateway.Options{Authorizer: rights}); err == nil {
		n.door, err = net.Listen("tcp", anyPort)
	}
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	n.notifier = dataplane.NewNotifier(dataplane.NotifierOptions{Publisher: n.gateway, Delivered: w.service.Jobs.Delivered})
	parts := []func(context.Context){
		w.serve,
		func(ctx context.Context) { _ = n.notifier.Run(ctx) },
		func(ctx context.Context) { _ = n.gateway.Run(ctx) },
		func(ctx context.Context) { _ = n.gateway.Serve(ctx, n.door) },
	}
	if number == 0 {
		parts = append(parts, func(ctx context.Context) { n.timer.Run(ctx, w.service) })
	}
	if n.bus != nil {
		parts = append(parts,
			func(ctx context.Context) { _ = n.part.Run(ctx) }, // a failure shows in every operation
			func(ctx context.Context) { _ = n.news.Run(ctx) },
		)
	}
	w.runParts(parts...)
	return n, nil
}

func (n *node) close() error {
	err := n.world.close()
	if n.bus != nil {
		n.bus.Close()
	}
	return err
}

// gone reports whether the node of an incarnation is gone.
func (n *node) gone(process string) bool {
	i, err := strconv.ParseInt(process, 10, 64)
	return err != nil || n.part == nil || n.part.Gone(store.Incarnation(i))
}

// nodeAudience is who hears of changes of queues at a node.
type nodeAudience struct{ n *node }

func (a nodeAudience) Keep(key store.QueueKey, c muster.Change) bool {
	return a.n.notifier.Keep(key, c)
}
func (a nodeAudience) Hears(key store.QueueKey) bool { return a.n.notifier.Hears(key) }

func (a nodeAudience) Notify(notes []jobs.Notification) {
	a.n.notifier.Notify(notes)
	for _, note := range notes {
		if a.n.noticed != nil {
			a.n.noticed(note.QueueKey, note.Change)
		}
		if a.n.news != nil {
			a.n.news.Queue(cluster.QueueNews{QueueKey: note.QueueKey, Change: note.Change, Rev: note.Queue.Rev, HeadRev: note.HeadRev})
		}
	}
}

// watcher is what follows a commit at a node.
type watcher struct {
	due
	n *node
}

func (w watcher) Told(wake muster.Instant) {
	if w.n.news != nil {
		w.n.news.Committed(wake)
	}
}

// receiver is for whom the news of other nodes are.
type receiver struct{ n *node }

func (r receiver) Wants(q cluster.QueueNews) bool {
	return r.n.notifier.Wants(q.QueueKey, q.Change) || r.n.service.Jobs.Awaited(q.QueueKey)
}

func (r receiver) CatchUp(ctx context.Context, queues []cluster.QueueNews) error {
	news := make([]jobs.News, len(queues))
	for i, q := range queues {
		news[i] = jobs.News{QueueKey: q.QueueKey, Change: q.Change}
	}
	return r.n.service.Jobs.CatchUp(ctx, news, r.n.notifier.Notify)
}

func (r receiver) Rights(cluster.RightsNews) {}
func (r receiver) Recorded()                 {}

func (r receiver) WorkDue(wake muster.Instant) { r.n.service.Commits.WorkDue(wake) }

func (r receiver) Missed(ctx context.Context) error {
	return r.n.service.Jobs.CatchUp(ctx, r.n.notifier.Followed(), r.n.notifier.Notify)
}

// refused returns how many transactions of the nodes had to run again so far.
func (s *site) refused() int {
	total := 0
	for _, n := range s.nodes {
		total += int(n.service.Commits.Stats().Refused)
	}
	return total
}

// addTo makes a group of things on a site, and gives it jobs.
func (s *site) addTo(ctx context.Context, group string, n int, given ...string) error {
	first := s.nodes[0]
	if err := first.addGroup(ctx, group, n); err != nil {
		return err
	}
	for _, job := range given {
		if _, err := first.fanOut(ctx, job, group, n); err != nil {
			return fmt.Errorf("job %s: %w", job, err)
		}
	}
	return nil
}
