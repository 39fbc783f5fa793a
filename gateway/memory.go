package gateway

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// MemorySessions is a SessionStore that lasts as long as the process: for tests, and for servers that are restarted within
// one.
type MemorySessions struct {
	mu       sync.Mutex // guards what follows
	sessions map[string]*memorySession
	holds    map[string]Hold
	retained map[string]MessageRecord // by topic
	count    uint64                   // of claims and of writes of retained messages
}

var _ SharedSessions = (*MemorySessions)(nil)

type memorySession struct {
	record   SessionRecord
	messages map[uint64]MessageRecord
}

// NewMemorySessions returns an empty store.
func NewMemorySessions() *MemorySessions {
	return &MemorySessions{sessions: map[string]*memorySession{}, holds: map[string]Hold{}, retained: map[string]MessageRecord{}}
}

// Load implements SessionStore.
func (m *MemorySessions) Load(_ context.Context, each func(StoredSession) error) error {
	m.mu.Lock()
	var all []StoredSession
	for client, s := range m.sessions {
		all = append(all, *s.stored(client))
	}
	m.mu.Unlock()
	for _, s := range all {
		if err := each(s); err != nil {
			return err
		}
	}
	return nil
}

func (s *memorySession) stored(client string) *StoredSession {
	stored := &StoredSession{Client: client, Session: s.record}
	stored.Session.Subscriptions = slices.Clone(s.record.Subscriptions)
	for _, n := range slices.Sorted(maps.Keys(s.messages)) {
		stored.Messages = append(stored.Messages, NumberedMessage{n, s.messages[n]})
	}
	return stored
}

// LoadRetained implements SessionStore.
func (m *MemorySessions) LoadRetained(_ context.Context, each func(MessageRecord) error) error {
	m.mu.Lock()
	all := slices.Collect(maps.Values(m.retained))
	m.mu.Unlock()
	for _, r := range all {
		if err := each(r); err != nil {
			return err
		}
	}
	return nil
}

// Write implements SessionStore.
func (m *MemorySessions) Write(_ context.Context, changes []Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range changes {
		m.apply(c)
	}
	return nil
}

func (m *MemorySessions) apply(c Change) {
	s := m.sessions[c.Client]
	switch {
	case c.Kind == PutRetained:
		m.retained[c.Message.Topic] = c.Message
	case c.Kind == DropRetained:
		delete(m.retained, c.Message.Topic)
	case c.Kind == PutSession && s == nil:
		m.sessions[c.Client] = &memorySession{c.Session, map[uint64]MessageRecord{}}
	case c.Kind == PutSession:
		s.record = c.Session
	case c.Kind == Release:
		delete(m.sessions, c.Client)
		delete(m.holds, c.Client)
	case s == nil:
	case c.Kind == DropSession:
		delete(m.sessions, c.Client)
	case c.Kind == AddMessage:
		s.messages[c.Number] = c.Message
	case c.Kind == DropMessage:
		delete(s.messages, c.Number)
	}
}

// Claim implements SharedSessions.
func (m *MemorySessions) Claim(_ context.Context, by Node, claims []Claim) ([]Claimed, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]Claimed, len(claims))
	for i, c := range claims {
		m.count++
		var claimed bool
		s := m.sessions[c.Client]
		var record *SessionRecord
		if s != nil {
			record = &s.record
		}
		if all[i], claimed = c.Of(m.holds[c.Client], record, by, m.count); !claimed {
			continue
		}
		m.holds[c.Client] = all[i].Hold
		switch {
		case all[i].Fresh && c.Begin != nil:
			m.sessions[c.Client] = &memorySession{*c.Begin, map[uint64]MessageRecord{}}
		case all[i].Fresh:
			delete(m.sessions, c.Client)
		case s != nil && c.Loads(all[i]):
			all[i].Stored = s.stored(c.Client)
		}
	}
	return all, nil
}

// WriteAs implements SharedSessions.
func (m *MemorySessions) WriteAs(_ context.Context, by Node, changes []Change) (Written, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := Written{Lost: map[string]Hold{}, Retained: map[string]uint64{}}
	for _, c := range changes {
		switch c.Kind {
		case DropRetained:
			if c.Message.Revision != 0 && c.Message.Revision != m.retained[c.Message.Topic].Revision {
				continue
			}
			m.count++
			w.Retained[c.Message.Topic] = m.count
		case PutRetained:
			m.count++
			c.Message.Revision = m.count
			w.Retained[c.Message.Topic] = m.count
		default:
			if h := m.holds[c.Client]; !h.Permits(c, by) {
				w.Lost[c.Client] = h
				continue
			}
		}
		m.apply(c)
	}
	return w, nil
}

// Holds implements SharedSessions.
func (m *MemorySessions) Holds(_ context.Context, clients []string) ([]Hold, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	holds := make([]Hold, len(clients))
	for i, client := range clients {
		holds[i] = m.holds[client]
	}
	return holds, nil
}

// EachHold implements SharedSessions.
func (m *MemorySessions) EachHold(_ context.Context, each func(string, Hold) error) error {
	m.mu.Lock()
	all := maps.Clone(m.holds)
	for client := range m.sessions {
		all[client] = m.holds[client]
	}
	m.mu.Unlock()
	for client, h := range all {
		if err := each(client, h); err != nil {
			return err
		}
	}
	return nil
}
