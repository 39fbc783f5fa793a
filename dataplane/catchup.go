package dataplane

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/store"
)

// This file is for several processes on one store, each of which has some of the subscribers.

// Wants reports whether the notification of a change of a queue, in whichever process, would
// have a receiver here. It is quick.
func (n *Notifier) Wants(key store.QueueKey, change muster.Change) bool {
	return change.List && n.o.Publisher.Wanted(notificationTopic(NotifyList, key)) ||
		change.Next && n.o.Publisher.Wanted(notificationTopic(NotifyNext, key))
}

// Followed returns the queues that somebody here is subscribed to by name, each with the
// revision that was told last, for jobs.CatchUp: what is newer may have been missed. What was
// not told yet since somebody subscribed has the revision zero. Who subscribed with a wildcard is
// not found this way.
func (n *Notifier) Followed() []jobs.News {
	found := map[store.QueueKey]muster.Change{}
	for _, name := range n.o.Publisher.Subscribed(thingsPrefix) {
		topic, ok := ParseTopic(name)
		if !ok || topic.Kind != NotifyList && topic.Kind != NotifyNext {
			continue
		}
		key := store.QueueKey{Thing: topic.Thing, Namespace: topic.Namespace}
		found[key] = found[key].Or(muster.Change{List: topic.Kind == NotifyList, Next: topic.Kind == NotifyNext})
	}
	all := make([]jobs.News, 0, len(found))
	for key, change := range found {
		all = append(all, jobs.News{QueueKey: key, Change: change, After: n.laneOf(key.Thing).toldOf(key).least(change)})
	}
	return all
}

// least returns the revision up to which all of a change was told.
func (t told) least(change muster.Change) int64 {
	switch {
	case change.List && change.Next:
		return min(t.list, t.next)
	case change.List:
		return t.list
	}
	return t.next
}
