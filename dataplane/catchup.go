package dataplane

import (
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/store"
)

// This file is for several processes on one store, each of which has some of the subscribers.

// Wants reports whether the notification of a change of a queue, in whichever process, would
// have a receiver here. It is quick.
func (n *Notifier) Wants(key store.QueueKey, change muster.Change) bool {
	list, next := notificationTopics(key)
	return change.List && n.o.Publisher.Wanted(list) || change.Next && n.o.Publisher.Wanted(next)
}

// Followed returns the queues that somebody here is subscribed to by name, each with the
// revision that was told last, for jobs.CatchUp: what is newer may have been missed. What was
// not told yet since somebody subscribed has the revision zero. Who subscribed with a wildcard is
// not found this way, but by what is owed (Untold).
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

// Untold returns those of the queues, and of their changes, that somebody here is subscribed to, with a wildcard or
// without, each with the revision that was told last. It changes all.
func (n *Notifier) Untold(all []jobs.News) []jobs.News {
	wanted := all[:0]
	for _, q := range all {
		list, next := notificationTopics(q.QueueKey)
		q.List = q.List && n.o.Publisher.Wanted(list)
		q.Next = q.Next && n.o.Publisher.Wanted(next)
		if q.Any() {
			q.After = n.laneOf(q.Thing).toldOf(q.QueueKey).least(q.Change)
			wanted = append(wanted, q)
		}
	}
	return wanted
}

// Again is for somebody who has come here with some subscriptions and may have missed elsewhere
// what they are for: the newest state is published once more. It returns the queues that the
// filters name, for jobs.CatchUp. wide says that there are filters with wildcards among them which are for
// notifications: their queues are those that are Owed, of jobs.Jobs. If such a filter names a thing, the
// queue of that without a namespace is among the others, too.
func (n *Notifier) Again(filters []string) (all []jobs.News, wide bool) {
	for _, name := range filters {
		if strings.ContainsAny(name, "+#") {
			if !ForNotifications(name) { // such as that of the answers to all updates of a device
				continue
			}
			wide = true
			if thing, ok := thingOf(name); ok {
				n.laneOf(thing).untellAll(func(key store.QueueKey) bool { return key.Thing == thing })
				all = append(all, jobs.News{QueueKey: store.QueueKey{Thing: thing}, Change: muster.Change{List: true, Next: true}})
				continue
			}
			for i := range n.lanes {
				n.lanes[i].untellAll(func(store.QueueKey) bool { return true })
			}
			continue
		}
		topic, ok := ParseTopic(name)
		if !ok || topic.Kind != NotifyList && topic.Kind != NotifyNext {
			continue
		}
		key := store.QueueKey{Thing: topic.Thing, Namespace: topic.Namespace}
		n.laneOf(key.Thing).untell(key)
		all = append(all, jobs.News{QueueKey: key, Change: muster.Change{List: topic.Kind == NotifyList, Next: topic.Kind == NotifyNext}})
	}
	return all, wide
}

// thingOf returns the thing that a filter with wildcards names.
func thingOf(filter string) (muster.ThingName, bool) {
	levels := strings.SplitN(filter, "/", 4)
	if len(levels) < 4 || strings.ContainsAny(levels[2], "+#") {
		return "", false
	}
	return muster.ThingName(levels[2]), true
}

// untell has what was published last of a queue count as news, and nothing older.
func (l *lane) untell(key store.QueueKey) {
	l.telling.Lock()
	defer l.telling.Unlock()
	if t, ok := l.told[key]; ok {
		l.told[key] = t.before()
	}
}

// untellAll is untell for all queues that are meant.
func (l *lane) untellAll(meant func(store.QueueKey) bool) {
	l.telling.Lock()
	defer l.telling.Unlock()
	for key, t := range l.told {
		if meant(key) {
			l.told[key] = t.before()
		}
	}
}

func (t told) before() told { return told{max(t.list-1, 0), max(t.next-1, 0)} }

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

// ForNotifications reports whether a filter is for notifications, of whichever things, and
// perhaps for others.
func ForNotifications(filter string) bool {
	levels := strings.Split(filter, "/")
	for i, level := range levels {
		switch {
		case level == "#":
			return true
		case level != "+" && !inNotification(i, level):
			return false
		}
	}
	return len(levels) == notificationLevels
}

const notificationLevels = 5 // of the topics of notifications

// inNotification reports whether the topic of a notification may have a level at a place.
func inNotification(place int, level string) bool {
	switch place {
	case 0:
		return level == "$aws"
	case 1:
		return level == "things"
	case 2:
		return true
	case 3:
		return level == "jobs"
	case 4:
		return strings.HasPrefix(level, "notify")
	}
	return false
}
