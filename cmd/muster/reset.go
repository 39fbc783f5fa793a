package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/internal/lend"
	"github.com/muster-iot/muster/operator"
)

// errReset ends a server that is to start again, empty.
var errReset = errors.New("reset")

// resets is what outlives a server that is reset: its listeners, and the callers that asked
// for the reset. A reset is a stop and a start within one process, so the memory of all parts
// and their connections are gone. In between, callers wait in the backlog of the listeners.
type resets struct {
	sockets *listeners // nil until the first server has its folder
	wanted  chan struct{}

	mu      sync.Mutex
	waiting []net.Conn // of callers that asked, to be answered when it is done
	records resetRecords
}

func newResets() *resets { return &resets{wanted: make(chan struct{}, 1)} }

const (
	// resetGrace is how long requests on connections that are accepted already
	// have to arrive, before a reset turns them away.
	resetGrace = 100 * time.Millisecond
	// resetPatience bounds the writing of an answer.
	resetPatience = 5 * time.Second
)

// Begin notes who is about to ask.
func (r *resets) Begin(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.records.begin(ctx)
}

// Ask resets the server, and answers on conn when that is done.
func (r *resets) Ask(conn net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = append(r.waiting, conn)
	select {
	case r.wanted <- struct{}{}:
	default:
	}
}

// awaitReset returns errReset when a reset is asked for, or nil when ctx ends.
func (s *server) awaitReset(ctx context.Context) error {
	select {
	case <-s.resets.wanted:
	case <-ctx.Done():
		return nil
	}
	s.doors.pause()
	grace := time.NewTimer(resetGrace)
	defer grace.Stop()
	select {
	case <-grace.C:
	case <-ctx.Done():
	}
	return errReset
}

// taken returns the connections that asked before the server was stopped: one reset answers
// all of them.
func (r *resets) taken() []net.Conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.wanted:
	default:
	}
	waiting := r.waiting
	r.waiting = nil
	return waiting
}

// open returns the listeners for the next server, opened the first time.
func (r *resets) open(c Config) (*listeners, error) {
	if r.sockets == nil {
		var err error
		if r.sockets, err = c.listen(); err != nil {
			return nil, err
		}
	}
	return r.sockets.lend(), nil
}

func (r *resets) close() {
	for _, conn := range r.taken() {
		conn.Close()
	}
	if r.sockets != nil {
		r.sockets.close()
	}
}

// answerReset answers the callers that asked for a reset.
func answerReset(waiting []net.Conn, now time.Time) {
	body, _ := json.Marshal(operator.ClockReading{Now: operator.At(now)}) // cannot fail
	for _, conn := range waiting {
		answer := http.Response{
			StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Close: true,
			Header: http.Header{"Content-Type": {"application/json"}},
			Body:   io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		}
		_ = conn.SetWriteDeadline(time.Now().Add(resetPatience))
		_ = answer.Write(conn) // a client that went away is no fault of ours
		conn.Close()
	}
}

// serveAnew runs servers one after the other until ctx ends: one, and another for each reset.
// It calls up once, when the first one listens.
func serveAnew(ctx context.Context, c Config, log *slog.Logger, up func(datafolder.Ready)) error {
	r := newResets()
	r.records.data = datafolder.Folder(c.Data)
	defer r.close()
	var asked []net.Conn
	for {
		s, err := newServerUntil(ctx, c, log, r)
		if err != nil || s == nil {
			return err
		}
		err = s.run(ctx, func(ready datafolder.Ready) {
			answerReset(asked, s.time().Time())
			up(ready)
		})
		reset := errors.Is(err, errReset) && ctx.Err() == nil
		switch {
		case reset:
			err = s.store.Empty(ctx)
		case errors.Is(err, errReset):
			err = nil
		}
		if err = errors.Join(err, s.close()); err != nil || !reset {
			return err
		}
		asked, up = r.taken(), func(datafolder.Ready) {}
		if err = r.records.end(ctx); err != nil {
			return err
		}
		log.Info("reset: everything but keys and certificate authority is gone")
	}
}

// newServerUntil is newServer for a ctx that may end meanwhile. Then it returns neither a
// server nor an error: the process is about to end, which is safe at any point of a start.
func newServerUntil(ctx context.Context, c Config, log *slog.Logger, r *resets) (*server, error) {
	type started struct {
		s   *server
		err error
	}
	done := make(chan started, 1)
	go func() {
		s, err := newServer(c, log, r)
		done <- started{s, err}
	}()
	select {
	case d := <-done:
		return d.s, d.err
	case <-ctx.Done():
		return nil, nil
	}
}

// lend returns l for one server: that it closes them stops its own accepting and
// nothing else, so that callers wait for the next server.
func (l *listeners) lend() *listeners {
	lent := &listeners{}
	from, to := l.all(), lent.all()
	for i := range from {
		if *from[i] != nil {
			*to[i] = lend.New((*from[i]).(*net.TCPListener))
		}
	}
	return lent
}

// giveBack ends a loan: what its server does late does not disturb the next.
func (l *listeners) giveBack() {
	for _, open := range l.all() {
		if lent, ok := (*open).(*lend.Listener); ok {
			lent.GiveBack()
		}
	}
}

// pause ends the accepting of a loan, though it is not closed yet.
func (l *listeners) pause() {
	for _, open := range l.all() {
		if lent, ok := (*open).(*lend.Listener); ok {
			lent.Pause()
		}
	}
}
