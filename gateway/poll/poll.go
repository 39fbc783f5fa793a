// Package poll lets connections wait for input without a goroutine each, where the system can (Linux). A connection that is
// handed to a Poller is woken when there is something to read, on a goroutine that is given back when it has read it.
// Writing, deadlines for writing and closing stay what they are in package net.
package poll

import (
	"net"
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

// crew runs Wakes on goroutines that are used again.
type crew struct {
	work chan *Conn   // nil sends a worker away
	idle atomic.Int32 // workers that wait, or are about to
	ebb  atomic.Bool  // a call of dismiss is due
	done chan struct{}
	all  sync.WaitGroup
}

// wake makes c's waker run, or run once more if it is running.
func (w *crew) wake(c *Conn) {
	if c.calls.Add(1) > 1 {
		return
	}
	if !w.give(c) {
		w.all.Go(func() { w.run(c) })
	}
}

func (w *crew) run(c *Conn) {
	r := new(reader)
	for {
		for {
			calls := c.calls.Load()
			c.dry, c.reader = false, r
			c.waker.Wake()
			c.reader = nil
			if c.calls.CompareAndSwap(calls, 0) {
				break
			}
		}
		if w.idle.Add(1) > workersBusy {
			w.idle.Add(-1)
			return
		}
		w.turn()
		select {
		case c = <-w.work:
		case <-w.done:
			w.idle.Add(-1)
			return
		}
		if c == nil {
			return
		}
	}
}

// turn has the workers beyond workersIdle sent away in a while, if there are any.
func (w *crew) turn() {
	if w.idle.Load() > workersIdle && !w.ebb.Swap(true) {
		time.AfterFunc(tide, w.dismiss)
	}
}

// dismiss sends away those workers beyond workersIdle that have nothing to do now.
func (w *crew) dismiss() {
	for waits := true; waits && w.idle.Load() > workersIdle; {
		waits = w.give(nil)
	}
	w.ebb.Store(false)
	w.turn() // for those that were about to wait
}

// give hands c to a worker that waits, and reports whether there was one.
func (w *crew) give(c *Conn) bool {
	select {
	case w.work <- c:
		w.idle.Add(-1)
		return true
	default:
		return false
	}
}
