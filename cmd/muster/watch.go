package main

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/cluster"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/rights"
	"github.com/muster-iot/muster/store"
)

// audience is who hears of changes of queues: the clients of the gateway, which is
// made after the service.
type audience struct{ s *server }

func (a audience) Keep(key store.QueueKey, c muster.Change) bool { return a.s.notifier.Keep(key, c) }
func (a audience) Hears(key store.QueueKey) bool                 { return a.s.notifier.Hears(key) }

func (a audience) Notify(n []jobs.Notification) {
	a.s.figures.Notified(len(n))
	a.s.notifier.Notify(n)
	if a.s.nodes == nil {
		return
	}
	for _, note := range n {
		a.s.nodes.news.Queue(cluster.QueueNews{QueueKey: note.QueueKey, Change: note.Change, Rev: note.Queue.Rev, HeadRev: note.HeadRev})
	}
}

// subscribed are who would be told of changes of queues, on this server and, if it is one of several, on all.
type subscribed struct{ s *server }

func (l subscribed) Listen(ctx context.Context, ns muster.Namespace, things []muster.ThingName) (anybody []bool, certain bool) {
	if l.s.nodes != nil {
		return l.s.nodes.listeners.Listen(ctx, ns, things)
	}
	return l.s.notifier.Listen(ctx, ns, things)
}

// watcher is what follows a commit.
type watcher struct{ s *server }

func (w watcher) Due() { w.s.timer.Due() }

func (w watcher) Told(wake muster.Instant) {
	if w.s.nodes != nil {
		w.s.nodes.news.Committed(wake)
	}
}

func (w watcher) Committed(commands int) {
	w.s.figures.Committed(commands)
	if w.s.nodes != nil {
		w.s.nodes.operations.Add(int64(commands))
	}
}

func (w watcher) Recorded() {
	w.s.recorded()
	if w.s.nodes != nil {
		w.s.nodes.news.Recorded()
	}
}

func (w watcher) RightsChanged(c rights.Change) {
	w.s.authz.Changed(c)
	if w.s.nodes != nil {
		w.s.nodes.news.Rights(cluster.RightsNews{All: c.All, Certificates: c.Certificates, Things: c.Things})
	}
}
