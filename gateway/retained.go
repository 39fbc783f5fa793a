package gateway

import (
	"sync"
	"time"
)

// retained holds the last retained message of each topic (MQ-61) and mirrors it to the store. As on AWS, only subscriptions to
// exact filters get retained messages, so a map suffices.
type retained struct {
	max     int
	room    func() bool // for a new one
	journal *journal
	wheel   *wheel
	nodes   *nodes // nil for a server that is alone

	mu       sync.RWMutex // guards what follows
	messages map[string]*retainedMessage
	races    map[string]*race // by topic; see race.go
}

type retainedMessage struct {
	*message
	qos      byte
	revision uint64    // 0 while this node is about to store it, and on a server that is alone
	modified time.Time // when it was published; zero when unknown
	in       *retained
	timer    timer // runs if the message expires
}

func newRetained(limit int, room func() bool, j *journal, w *wheel) *retained {
	return &retained{max: limit, room: room, journal: j, wheel: w, messages: map[string]*retainedMessage{}}
}

// keep remembers m as the retained message of its topic; an empty payload forgets the topic. Beyond the limit, and
// without room, new topics are not kept. It returns the commit that makes this durable, nil if there is nothing to wait for.
func (r *retained) keep(m *message, qos byte, now time.Time) *commit {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.messages[m.topic]
	switch {
	case len(m.payload) == 0 && old == nil && r.nodes != nil: // another node may have one that was not heard of here
		return r.write(Change{Kind: DropRetained, Message: MessageRecord{Topic: m.topic}})
	case len(m.payload) == 0 && old == nil, old == nil && (len(r.messages) >= r.max || !r.room()):
		return nil
	case len(m.payload) == 0:
		return r.drop(old, 0)
	case old != nil:
		r.wheel.stop(&old.timer)
	}
	r.put(m, qos, now)
	record := m.record()
	record.QoS, record.Modified = qos, now
	return r.write(Change{Kind: PutRetained, Message: record})
}

// restore puts back one stored message. If it has expired meanwhile, its timer drops it at the first tick.
func (r *retained) restore(m MessageRecord) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.put(restored(m), m.QoS, m.Modified).revision = m.Revision
	return nil
}

func (r *retained) put(m *message, qos byte, modified time.Time) *retainedMessage {
	kept := &retainedMessage{message: m, qos: qos, modified: modified, in: r}
	r.messages[m.topic] = kept
	if !m.expires.IsZero() {
		r.wheel.set(&kept.timer, kept, m.expires)
	}
	return kept
}

// drop forgets a message. Only that of a revision is removed from the store if one is given.
func (r *retained) drop(m *retainedMessage, revision uint64) *commit {
	r.remove(m)
	return r.write(Change{Kind: DropRetained, Message: MessageRecord{Topic: m.topic, Revision: revision}})
}

func (r *retained) remove(m *retainedMessage) {
	r.wheel.stop(&m.timer)
	delete(r.messages, m.topic)
}

// expire forgets the message unless a newer one has taken its place.
func (m *retainedMessage) expire(time.Time) {
	m.in.mu.Lock()
	defer m.in.mu.Unlock()
	if m.in.messages[m.topic] == m {
		m.in.drop(m, m.revision)
	}
}

// find returns the retained message for a subscription to filter and its QoS, or nil.
func (r *retained) find(filter string, now time.Time) (*message, byte) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	m := r.messages[filter]
	if m == nil || m.expired(now) {
		return nil, 0
	}
	return m.message, m.qos
}
