package gateway

import (
	"context"
	"time"
)

// This file keeps the retained messages of several nodes the same. Each has all of them in memory. The store decides which of two that were
// published at the same time is the later one, by their revisions, and who has written one tells the others.

// raceTime is how long the revision of a message that is gone is remembered, so that older news does not bring it back.
const raceTime = time.Minute

// racesMax is how many of those are remembered before the old ones are looked for.
const racesMax = 1000

// race is what is known of a topic while this node writes its retained message, and for a while after it was dropped.
type race struct {
	turn     uint64         // of this node's last write
	writing  bool           // it is not stored yet
	revision uint64         // the highest that was heard of
	newest   *MessageRecord // of that revision; nil if it was dropped
	at       time.Time
}

// write queues a change of a retained message.
func (r *retained) write(c Change) *commit {
	if r.nodes != nil {
		now := r.race(c.Message.Topic)
		now.turn++
		now.writing = true
		c.turn = now.turn
	}
	return r.journal.add(c)
}

func (r *retained) race(topic string) *race {
	now := r.races[topic]
	if now == nil {
		now = &race{}
		r.races[topic] = now
	}
	now.at = time.Now()
	return now
}

// settle takes the revision that a write of this node has got, 0 if it was for a message that was not there any more, and tells other nodes.
func (r *retained) settle(c Change, revision uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.race(c.Message.Topic)
	var record *MessageRecord
	if c.Kind == PutRetained {
		record = &c.Message
		record.Revision = revision
	}
	if revision > now.revision {
		now.revision, now.newest = revision, record
	}
	if revision != 0 {
		frame := retainedNews{c.Message.Topic, revision, record}.frame()
		for _, p := range r.nodes.others() {
			p.send(frame)
		}
	}
	if now.turn == c.turn {
		now.writing = false
		r.apply(c.Message.Topic, now)
	}
}

// hear takes news of a retained message from another node.
func (r *retained) hear(news retainedNews) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if news.Record != nil && news.Record.Topic != news.Topic {
		return
	}
	if m := r.messages[news.Topic]; m != nil && m.revision >= news.Revision {
		return
	}
	now := r.race(news.Topic)
	if news.Revision <= now.revision {
		return
	}
	now.revision, now.newest = news.Revision, news.Record
	if now.newest != nil {
		now.newest.Revision = news.Revision
	}
	if !now.writing {
		r.apply(news.Topic, now)
	}
}

// apply makes the newest message known the one in memory.
func (r *retained) apply(topic string, now *race) {
	old := r.messages[topic]
	if old != nil && (now.revision == 0 || old.revision == now.revision) {
		return
	}
	if old != nil {
		r.remove(old)
	}
	if now.newest != nil {
		r.put(restored(*now.newest), now.newest.QoS, now.newest.Modified).revision = now.revision
		delete(r.races, topic)
		return
	}
	if len(r.races) > racesMax {
		for topic, other := range r.races {
			if !other.writing && now.at.Sub(other.at) > raceTime {
				delete(r.races, topic)
			}
		}
	}
}

// reloadRetained reads the stored messages again when some may have been missed.
func (n *nodes) reloadRetained(ctx context.Context) {
	for {
		select {
		case <-n.reload:
		case <-ctx.Done():
			return
		}
		for n.s.retained.reload(ctx, n.store) != nil {
			if !sleep(ctx, retryTime) {
				return
			}
		}
	}
}

// reload reads all messages again. Those that are not stored any more are forgotten, unless they were written meanwhile.
func (r *retained) reload(ctx context.Context, store SessionStore) error {
	r.mu.RLock()
	before := map[string]uint64{}
	for topic, m := range r.messages {
		before[topic] = m.revision
	}
	r.mu.RUnlock()
	err := store.LoadRetained(ctx, func(m MessageRecord) error {
		delete(before, m.Topic)
		r.hear(retainedNews{m.Topic, m.Revision, &m})
		return nil
	})
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for topic, revision := range before {
		m, now := r.messages[topic], r.races[topic]
		if m != nil && m.revision == revision && (now == nil || !now.writing) {
			r.remove(m)
		}
	}
	return nil
}
