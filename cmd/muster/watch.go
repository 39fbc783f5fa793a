package main

import (
	"github.com/muster-iot/muster"
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
}

// watcher is what follows a commit.
type watcher struct{ s *server }

func (w watcher) Due()                                     { w.s.timer.Due() }
func (w watcher) Committed(commands int, _ muster.Instant) { w.s.figures.Committed(commands) }
func (w watcher) Recorded()                                { w.s.recorded() }
func (w watcher) RightsChanged(c rights.Change)            { w.s.authz.Changed(c) }
