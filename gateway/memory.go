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
	retained map[string]MessageRecord // by topic
}

type memorySession struct {
	record   SessionRecord
	messages map[uint64]MessageRecord
}

// NewMemorySessions returns an empty store.
func NewMemorySessions() *MemorySessions {
	return &MemorySessions{sessions: map[string]*memorySession{}, retained: map[string]MessageRecord{}}
}

// Load implements SessionStore.
func (m *MemorySessions) Load(_ context.Context, each func(StoredSession) error) error {
	m.mu.Lock()
	var all []StoredSession
	for client, s := range m.sessions {
		stored := StoredSession{Client: client, Session: s.record}
		stored.Session.Subscriptions = slices.Clone(s.record.Subscriptions)
		for _, n := range slices.Sorted(maps.Keys(s.messages)) {
			stored.Messages = append(stored.Messages, NumberedMessage{n, s.messages[n]})
		}
		all = append(all, stored)
	}
	m.mu.Unlock()
	for _, s := range all {
		if err := each(s); err != nil {
			return err
		}
	}
	return nil
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
		case s == nil:
		case c.Kind == DropSession:
			delete(m.sessions, c.Client)
		case c.Kind == AddMessage:
			s.messages[c.Number] = c.Message
		case c.Kind == DropMessage:
			delete(s.messages, c.Number)
		}
	}
	return nil
}
