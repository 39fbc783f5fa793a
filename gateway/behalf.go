package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/muster-iot/muster/gateway/topic"
)

// Reasons for which PublishAs refuses a message regardless of the sender.
var (
	ErrTopic    = errors.New("not a topic to publish on")
	ErrTooLarge = errors.New("larger than a message may be")
	ErrUnserved = errors.New("this server does not have the feature of AWS IoT that takes requests there")
)

// PublishAs publishes m as a client with the rights of a would, for a sender without a connection: an HTTPS request
// (mqtt-broker.md section 11). A request to a reserved topic is served and its replies go nowhere (MQ-76). It returns when m is
// durable where it must be. The error wraps ErrTopic or ErrTooLarge, ErrRefused when a may not publish that, ErrUnserved
// when the topic belongs to a feature that is not served, or says why m could not be stored; in that last case subscribers may
// get it nevertheless.
func (s *Server) PublishAs(ctx context.Context, g Grant, m Message) error {
	switch err := topic.CheckName(m.Topic); {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrTopic, err)
	case len(m.Payload) > s.o.Limits.Payload:
		return fmt.Errorf("payload of %d bytes, at most %d are allowed: %w", len(m.Payload), s.o.Limits.Payload, ErrTooLarge)
	}
	s.count.publishesIn.Add(1)
	if err := s.mayPublish(g, m.Topic, m.Retain); err != nil {
		s.count.publishesDenied.Add(1)
		return fmt.Errorf("publish to %q: %w: %w", m.Topic, ErrRefused, err)
	}
	if topic.Reserved(m.Topic) {
		switch s.o.Reserved.Use(m.Topic) {
		case Served:
			s.count.requests.Add(1)
			s.o.Reserved.Request(Request{Topic: m.Topic, Payload: m.Payload, Grant: g}, func(string, []byte) {})
		case Unserved:
			s.count.unserved.Add(1)
			return fmt.Errorf("publish to %q: %w", m.Topic, ErrUnserved)
		}
		return nil
	}
	stored := make(chan error, 1)
	s.Publish(m, func(err error) { stored <- err })
	select {
	case err := <-stored:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Retained is the retained message of a topic, and when it was published.
type Retained struct {
	Message
	Modified time.Time // zero when it was stored by a version that did not keep it
}

// Retained returns the retained message of a topic, or false when there is none. What it points at must not be changed.
func (s *Server) Retained(name string) (Retained, bool) {
	now := time.Now()
	s.retained.mu.RLock()
	defer s.retained.mu.RUnlock()
	m := s.retained.messages[name]
	if m == nil || m.expired(now) {
		return Retained{}, false
	}
	return m.shown(now), true
}

// RetainedAfter returns up to limit (at least 1) retained messages in the order of their topics, from the first topic after the given one. It
// looks at all of them, so it is for operators, not for devices.
func (s *Server) RetainedAfter(after string, limit int) []Retained {
	now := time.Now()
	s.retained.mu.RLock()
	defer s.retained.mu.RUnlock()
	var first []string // the lowest topics, in order
	for name, m := range s.retained.messages {
		if name <= after || m.expired(now) || len(first) == limit && name > first[limit-1] {
			continue
		}
		i, _ := slices.BinarySearch(first, name)
		first = slices.Insert(first, i, name)
		first = first[:min(len(first), limit)]
	}
	all := make([]Retained, len(first))
	for i, name := range first {
		all[i] = s.retained.messages[name].shown(now)
	}
	return all
}

// shown returns the message as others see it.
func (m *retainedMessage) shown(now time.Time) Retained {
	r := Retained{Modified: m.modified, Message: Message{
		Topic: m.topic, Payload: m.payload, QoS: m.qos, Retain: true, Properties: m.forward,
	}}
	if !m.expires.IsZero() {
		r.Expiry = m.expires.Sub(now)
	}
	return r
}
