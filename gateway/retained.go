package gateway

import "sync"

// retained holds the last retained message of each topic (MQ-61). As on AWS it answers exact filters only, so a map is
// all it takes.
type retained struct {
	max int

	mu       sync.RWMutex // guards what follows; a leaf
	messages map[string]retainedMessage
}

type retainedMessage struct {
	*message
	qos byte
}

// keep remembers m as the retained message of its topic; an empty payload forgets the topic. Beyond the limit new topics
// are not kept.
func (r *retained) keep(m *message, qos byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, known := r.messages[m.topic]
	switch {
	case len(m.payload) == 0:
		delete(r.messages, m.topic)
	case known || len(r.messages) < r.max:
		r.messages[m.topic] = retainedMessage{m, qos}
	}
}

// find returns the retained message for a subscription to filter and its QoS, or nil.
func (r *retained) find(filter string) (*message, byte) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	m := r.messages[filter]
	return m.message, m.qos
}
