package gateway

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/muster-iot/muster/gateway/topic"
)

// matches are lists of matched subscriptions, kept for the next publish.
var matches = sync.Pool{New: func() any { return new([]*subscription) }}

// route sends m to its subscribers and returns a commit to wait for if some of them need it stored, or if it is retained. from is
// the publishing session, nil for the service.
func (s *Server) route(m *message, qos byte, retain bool, from *session) (wait *commit) {
	if retain {
		wait = s.retained.keep(m, qos, time.Now())
	}
	list := matches.Get().(*[]*subscription)
	matched, filters := s.index.match((*list)[:0], m.topic)
	carries := s.nodes != nil && s.nodes.carries(m.topic)
	if carries {
		if qos > 0 {
			s.nodes.number(m)
		}
		var more int
		matched, more = s.nodes.remote.match(matched, m.topic)
		filters += more
	}
	matched, shared := chooseShared(matched)
	if filters > 1 || shared {
		matched = bySession(matched)
	}
	if s.nodes == nil {
		for i := 0; i < len(matched); {
			n := sameSession(matched[i:])
			if w := matched[i].session.deliver(m, matched[i:i+n], qos, retain, matched[i].session == from); w != nil {
				wait = w // the last one: batches are written in order
			}
			i += n
		}
	} else {
		waits := s.deliverAll(matched, m, qos, retain, from)
		if carries && qos > 0 {
			waits = append(waits, s.nodes.unknown(m, retain, matched)...)
		}
		wait = s.journal.all(append(waits, wait))
	}
	clear(matched)
	*list = matched[:0]
	matches.Put(list)
	return wait
}

// sameSession returns how many of the first subscriptions are of one session.
func sameSession(matched []*subscription) (n int) {
	for n = 1; n < len(matched) && matched[n].session == matched[0].session; n++ {
	}
	return n
}

// deliverAll hands m to the sessions of matched, in which those of one are together, and to other nodes. It returns commits to wait for, some of
// which may be nil.
func (s *Server) deliverAll(matched []*subscription, m *message, qos byte, retain bool, from *session) (waits []*commit) {
	for i := 0; i < len(matched); {
		to, n := matched[i].session, sameSession(matched[i:])
		if to.peer != nil {
			waits = append(waits, s.nodes.carry(m, matched[i:i+n], qos, retain, 0))
		} else if w := to.deliver(m, matched[i:i+n], qos, retain, to == from); w != nil && (len(waits) == 0 || waits[len(waits)-1] != w) {
			waits = append(waits, w)
		}
		i += n
	}
	return waits
}

// Wanted reports whether any session, connected or kept, is subscribed to the topic called name. It saves its caller making a message
// that has no receiver.
func (s *Server) Wanted(name string) bool {
	if s.nodes != nil && s.nodes.wanted(name) {
		return true
	}
	if s.index.events.Load() == 0 && strings.HasPrefix(name, eventTopics) { // each connection asks for several
		return false
	}
	return s.index.matches(name)
}

// Kept reports whether a session that outlives its connection is subscribed to the topic called name, and sessions outlive
// the process. A message for such a session must not be forgotten before it is stored.
func (s *Server) Kept(name string) bool {
	if s.o.Sessions == nil {
		return false
	}
	if s.nodes != nil {
		return s.nodes.kept(name)
	}
	list := matches.Get().(*[]*subscription)
	matched, _ := s.index.match((*list)[:0], name)
	kept := slices.ContainsFunc(matched, func(sub *subscription) bool {
		sub.session.mu.Lock()
		defer sub.session.mu.Unlock()
		return sub.session.persistent()
	})
	clear(matched)
	*list = matched[:0]
	matches.Put(list)
	return kept
}

// chooseShared leaves of each shared subscription one member: a random one of those connected, else of all (MQ-46).
func chooseShared(matched []*subscription) (chosen []*subscription, any bool) {
	any = slices.ContainsFunc(matched, func(sub *subscription) bool { return topic.Reserved(sub.filter) && isShared(sub) })
	if !any {
		return matched, false
	}
	groups := map[string][]*subscription{}
	chosen = matched[:0]
	for _, sub := range matched {
		if isShared(sub) {
			groups[sub.filter] = append(groups[sub.filter], sub)
		} else {
			chosen = append(chosen, sub)
		}
	}
	for _, group := range groups {
		here := slices.DeleteFunc(slices.Clone(group), func(sub *subscription) bool { return sub.session.away.Load() })
		if len(here) > 0 {
			group = here
		}
		chosen = append(chosen, group[rand.IntN(len(group))])
	}
	return chosen, true
}

func isShared(sub *subscription) bool {
	_, _, shared := topic.Share(sub.filter)
	return shared
}
