package gateway

import (
	"hash/maphash"
	"sync"
)

// registry holds the sessions by client id.
type registry struct {
	seed   maphash.Seed
	shards [64]registryShard
}

type registryShard struct {
	mu       sync.Mutex
	sessions map[string]*session
}

func newRegistry() *registry {
	r := &registry{seed: maphash.MakeSeed()}
	for i := range r.shards {
		r.shards[i].sessions = map[string]*session{}
	}
	return r
}

func (r *registry) shard(client string) *registryShard {
	return &r.shards[maphash.String(r.seed, client)%uint64(len(r.shards))]
}

// all returns the present sessions.
func (r *registry) all() (sessions []*session) {
	for i := range r.shards {
		sh := &r.shards[i]
		sh.mu.Lock()
		for _, s := range sh.sessions {
			sessions = append(sessions, s)
		}
		sh.mu.Unlock()
	}
	return sessions
}

// conns returns the present connections.
func (r *registry) conns() (conns []*conn) {
	for _, s := range r.all() {
		s.mu.Lock()
		if s.conn != nil {
			conns = append(conns, s.conn)
		}
		s.mu.Unlock()
	}
	return conns
}

// size returns how many sessions there are.
func (r *registry) size() (n int64) {
	for i := range r.shards {
		sh := &r.shards[i]
		sh.mu.Lock()
		n += int64(len(sh.sessions))
		sh.mu.Unlock()
	}
	return n
}

// find returns the session of client, or nil.
func (r *registry) find(client string) *session {
	sh := r.shard(client)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.sessions[client]
}

// remove ends a session whose client is away, unless the client is back by now.
func (r *registry) remove(s *session) {
	sh := r.shard(s.client)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil && sh.sessions[s.client] == s {
		delete(sh.sessions, s.client)
		s.discard(false)
	}
}
