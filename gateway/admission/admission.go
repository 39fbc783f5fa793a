// Package admission bounds the number of connections whose client has not proven who it is. They share a number of places. When
// no place is free, a connection that is waiting for its client is evicted: of the address with the most waiting connections,
// the one that has waited longest. There is no limit for a single address, since ten thousand devices may share one.
// The package closes connections only through a callback, and reads no clock.
package admission

import (
	"container/heap"
	"container/list"
	"sync"

	"github.com/muster-iot/muster/internal/loglimit"
)

// Pool is a number of places. Its methods, and those of its places, may be called from any goroutine.
type Pool struct {
	places int

	mu    sync.Mutex // guards what follows
	held  int
	turns uint64           // number of the last wait
	peers map[string]*peer // by address, those that hold a place
	most  peers            // those of peers with a connection that waits
}

// Place is what one connection holds until its client has proven who it is.
type Place struct {
	pool  *Pool
	peer  *peer
	evict func()
	turn  uint64        // number of its wait
	wait  *list.Element // in peer.waiting; nil while the server works for it
	gone  bool
}

// peer is one address.
type peer struct {
	address string
	held    int       // places
	waiting list.List // of *Place, the one that has waited longest first
	index   int       // in Pool.most, -1 when it is not there
}

// New returns a pool with the given number of places, at least 1.
func New(places int) *Pool {
	return &Pool{places: places, peers: map[string]*peer{}}
}

// Held returns how many places are taken.
func (h *Pool) Held() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held
}

// Take takes a place for a connection from addr, a host and a port, that waits for its client from now on. evict closes the
// connection; it is called at most once, on the goroutine of some other connection, when the place is needed. Take
// returns nil when all places are taken and the server works for every one of them.
func (h *Pool) Take(addr string, evict func()) *Place {
	h.mu.Lock()
	evictOther := h.takeBack()
	if h.held >= h.places {
		h.mu.Unlock()
		return nil
	}
	p := h.peer(loglimit.Network(addr))
	p.held++
	h.held++
	v := &Place{pool: h, peer: p, evict: evict}
	v.startWait()
	h.mu.Unlock()
	if evictOther != nil {
		evictOther()
	}
	return v
}

// takeBack takes the place of a waiting connection, if one is needed, and returns the function that closes the connection.
func (h *Pool) takeBack() (evict func()) {
	if h.held < h.places || len(h.most) == 0 {
		return nil
	}
	victim := h.most[0].waiting.Front().Value.(*Place)
	evict = victim.evict
	victim.leave()
	return evict
}

// Wait marks the connection as waiting for its client again.
func (v *Place) Wait() {
	v.pool.mu.Lock()
	defer v.pool.mu.Unlock()
	if !v.gone && v.wait == nil {
		v.startWait()
	}
}

// Work marks the connection as not waiting: its client has sent what it must, and the server is busy with it. It reports whether
// the connection still has its place.
func (v *Place) Work() bool {
	v.pool.mu.Lock()
	defer v.pool.mu.Unlock()
	if !v.gone {
		v.endWait()
	}
	return !v.gone
}

// Leave gives the place back. It may be called more than once.
func (v *Place) Leave() {
	v.pool.mu.Lock()
	defer v.pool.mu.Unlock()
	v.leave()
}

func (v *Place) leave() {
	if v.gone {
		return
	}
	v.endWait()
	v.gone = true
	v.pool.held--
	if v.peer.held--; v.peer.held == 0 {
		delete(v.pool.peers, v.peer.address)
	}
	v.peer, v.evict = nil, nil // the place may be kept for as long as its connection
}

func (v *Place) startWait() {
	v.pool.turns++
	v.turn = v.pool.turns
	v.wait = v.peer.waiting.PushBack(v)
	v.pool.reorder(v.peer)
}

func (v *Place) endWait() {
	if v.wait == nil {
		return
	}
	v.peer.waiting.Remove(v.wait)
	v.wait = nil
	v.pool.reorder(v.peer)
}

// reorder puts p where it belongs in most, or out of it, after one of its connections began or ended to wait.
func (h *Pool) reorder(p *peer) {
	switch n := p.waiting.Len(); {
	case n == 0:
		heap.Remove(&h.most, p.index)
	case p.index < 0:
		heap.Push(&h.most, p)
	default:
		heap.Fix(&h.most, p.index)
	}
}

func (h *Pool) peer(address string) *peer {
	p := h.peers[address]
	if p == nil {
		p = &peer{address: address, index: -1}
		h.peers[address] = p
	}
	return p
}

// peers is a heap with the address that keeps the most waiting at the top, and among equals the one with the longest wait.
type peers []*peer

func (h peers) Len() int { return len(h) }

func (h peers) Less(i, j int) bool {
	if a, b := h[i].waiting.Len(), h[j].waiting.Len(); a != b {
		return a > b
	}
	return h[i].longest() < h[j].longest()
}

func (h peers) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *peers) Push(x any) {
	p := x.(*peer)
	p.index = len(*h)
	*h = append(*h, p)
}

// Pop implements heap.Interface.
func (h *peers) Pop() any {
	last := len(*h) - 1
	p := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	p.index = -1
	return p
}

// longest returns the turn of the connection that has waited longest, the greatest possible number if none waits.
func (p *peer) longest() uint64 {
	if first := p.waiting.Front(); first != nil {
		return first.Value.(*Place).turn
	}
	return 1<<64 - 1
}
