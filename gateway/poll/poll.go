// Package poll lets connections wait for input without a goroutine each, where the system can (Linux). A connection that is
// handed to a Poller is woken when there is something to read, on a goroutine that is given back when it has read it.
// Writing, deadlines for writing and closing stay what they are in package net.
package poll

import (
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Waker is what a Poller wakes. Wake is not called again before it has returned; input that arrives meanwhile leads to another call.
// Wake reads until ErrWouldBlock or another error.
type Waker interface{ Wake() }

// ErrWouldBlock is what reading a polled connection returns when nothing is there. It is a temporary net.Error, so that
// crypto/tls over the connection carries on at the next Read.
var ErrWouldBlock net.Error = wouldBlock{}

type wouldBlock struct{}

func (wouldBlock) Error() string   { return "nothing to read yet" }
func (wouldBlock) Timeout() bool   { return false }
func (wouldBlock) Temporary() bool { return true }

// Conn is a TCP connection that reads as usual until it is handed to a Poller.
type Conn struct {
	*net.TCPConn
	raw    syscall.RawConn
	waker  Waker
	polled atomic.Bool
	ended  atomic.Bool  // the peer has closed its direction or the connection: after the last bytes, a read returns an error
	calls  atomic.Int32 // wakes not yet dealt with

	// Of the reading goroutine.
	dry    bool    // the last read did not fill its buffer: there is nothing to read until the next wake
	reader *reader // while the waker runs
}

// reader is what one goroutine reads with. A connection has one only while it is awake, since most of them sleep.
type reader struct {
	c    *Conn
	into []byte
	n    int
	err  error
	try  func(fd uintptr) bool // reads once; made with the first read
}

// A goroutine that has run a Wake waits for the next connection to wake, which saves growing a new stack. Answers become
// durable many at a time, so the goroutines of a busy server come free in bursts of hundreds.
const (
	// workersBusy is how many wait between two bursts.
	workersBusy = 1024
	// workersIdle is how many of those are still there when the tide has gone out.
	workersIdle = 64
	// tide is how often those beyond workersIdle are sent away.
	tide = time.Second
)

// crew runs Wakes on goroutines that are used again. The one that came free last is the first to be used, because its stack is
// still in the processor's cache.
type crew struct {
	mu   sync.Mutex // guards what follows
	idle []*worker  // that wait, the last to come free at the end
	ebb  bool       // a call of dismiss is due
	over bool       // nobody waits any more

	all sync.WaitGroup
}

// worker is one goroutine of a crew.
type worker struct {
	next chan *Conn // has room for one; closed to send the worker away
}

// wake makes c's waker run, or run once more if it is running.
func (w *crew) wake(c *Conn) {
	if c.calls.Add(1) > 1 {
		return
	}
	w.mu.Lock()
	last := len(w.idle) - 1
	if last < 0 {
		w.mu.Unlock()
		w.all.Go(func() { w.run(c) })
		return
	}
	k := w.idle[last]
	w.idle[last] = nil
	w.idle = w.idle[:last]
	w.mu.Unlock()
	k.next <- c
}

func (w *crew) run(c *Conn) {
	k, r := &worker{make(chan *Conn, 1)}, new(reader)
	for more := true; more; {
		for {
			calls := c.calls.Load()
			c.dry, c.reader = false, r
			c.waker.Wake()
			c.reader = nil
			if c.calls.CompareAndSwap(calls, 0) {
				break
			}
		}
		if !w.rest(k) {
			return
		}
		c, more = <-k.next
	}
}

// rest lets k wait for the next connection, unless enough others do.
func (w *crew) rest(k *worker) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over || len(w.idle) >= workersBusy {
		return false
	}
	w.idle = append(w.idle, k)
	if len(w.idle) > workersIdle && !w.ebb {
		w.ebb = true
		time.AfterFunc(tide, w.dismiss)
	}
	return true
}

// dismiss sends away those workers beyond workersIdle that have waited longest.
func (w *crew) dismiss() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ebb = false
	w.sendAway(len(w.idle) - workersIdle)
}

// end sends away all workers, now or when they come free, and waits until the last is gone.
func (w *crew) end() {
	w.mu.Lock()
	w.over = true
	w.sendAway(len(w.idle))
	w.mu.Unlock()
	w.all.Wait()
}

// sendAway sends away the n workers that have waited longest.
func (w *crew) sendAway(n int) {
	if n <= 0 {
		return
	}
	for _, k := range w.idle[:n] {
		close(k.next)
	}
	w.idle = slices.Delete(w.idle, 0, n)
}
