// Package webhook delivers the events of jobs, executions and the registry to one
// HTTP server of the operator: as CloudEvents 1.0 in JSON, signed, at least once
// and in the order in which they happened.
//
// It stores nothing itself: the durable log of events is its queue, and an event
// that the server does not accept becomes a dead letter there. It never follows a
// redirect and never shows its secret.
package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/eventlog"
)

// Log holds events until every sink has taken them; *eventlog.Log implements it.
type Log interface {
	// Events returns at most limit events for sink, the oldest that the sink has not
	// taken.
	Events(ctx context.Context, sink eventlog.Sink, limit int) ([]eventlog.Event, error)
	// Taken says that sink is done with events. It does not wait.
	Taken(sink eventlog.Sink, events []eventlog.Event)
	// GiveUp makes dead letters of events; the webhook is done with them then.
	GiveUp(ctx context.Context, letters []eventlog.DeadLetter) error
}

// Limits of a delivery.
const (
	// BatchMax bounds the events of one request.
	BatchMax = 1000
	// readMax is how many events are read from the log at a time, at least.
	readMax = 64
	// timeout bounds one request, with its answer.
	timeout = 10 * time.Second
	// backoffMin is the pause after the first failure, without jitter; it doubles
	// with each further one up to backoffMax.
	backoffMin = time.Second
	backoffMax = time.Minute
	// askedMax is the longest pause that a server may ask for with Retry-After.
	askedMax = time.Hour
	// answerMax bounds how much of an answer is read, in bytes, so that its
	// connection can be reused.
	answerMax = 4 << 10
)

// Options are the parts of a Hook. All but Roots and Log are required.
type Options struct {
	URL     string // http or https, without user and password
	Secret  Secret
	Events  Log
	Account muster.Account
	Now     func() time.Time      // real time, for signatures
	Clock   func() muster.Instant // the clock by which events were recorded

	// Batch is how many events a request may carry, 1 to BatchMax. With 1 each
	// event is a request in structured mode; with more, requests are in batched
	// mode.
	Batch int
	// Attempts is how often the server may answer a request with a failure before
	// its events become dead letters. Answers that ask to wait (408, 425, 429, 503)
	// and a server that cannot be reached do not count; only MaxAge bounds those.
	Attempts int
	// MaxAge is how long after it was recorded an event becomes a dead letter.
	MaxAge time.Duration
	// Roots are the CAs that the server's certificate may come from; nil means
	// those of the system.
	Roots *x509.CertPool
	Log   *slog.Logger // nil discards
}

// Stats are counters since the Hook was made.
type Stats struct {
	Delivered   uint64 // events
	Requests    uint64 // sent
	Failures    uint64 // requests that failed
	DeadLetters uint64 // events that became dead letters
}

// Hook delivers events to a server. Make it with New and keep Run running.
type Hook struct {
	o        Options
	client   *http.Client
	recorded chan struct{} // holds a token when the log may have more

	delivered, requests, failures, deadLetters atomic.Uint64
}

// New returns a hook on o.
func New(o Options) *Hook {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Hook{
		o: o, recorded: make(chan struct{}, 1),
		client: &http.Client{
			Timeout: timeout,
			Transport: &http.Transport{
				Proxy:                  http.ProxyFromEnvironment,
				TLSClientConfig:        &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12},
				TLSHandshakeTimeout:    timeout,
				MaxIdleConns:           1,
				IdleConnTimeout:        time.Minute,
				MaxResponseHeaderBytes: 64 << 10,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Recorded says that the log has more. It never blocks, as
// eventlog.Watcher requires.
func (h *Hook) Recorded() {
	select {
	case h.recorded <- struct{}{}:
	default:
	}
}

// Stats returns the counters.
func (h *Hook) Stats() Stats {
	return Stats{h.delivered.Load(), h.requests.Load(), h.failures.Load(), h.deadLetters.Load()}
}

// Run delivers the events of the log until ctx ends; the rest stays there. The
// service must be running.
func (h *Hook) Run(ctx context.Context) error {
	defer h.client.CloseIdleConnections()
	for ctx.Err() == nil {
		events, err := h.o.Events.Events(ctx, eventlog.Webhook, max(readMax, h.o.Batch))
		switch {
		case err != nil:
			h.o.Log.Error("events for the webhook could not be read", "error", err)
			pause(ctx, backoffMin)
		case len(events) == 0:
			select {
			case <-h.recorded:
			case <-ctx.Done():
			}
		default:
			h.o.Events.Taken(eventlog.Webhook, events[:h.deliverAll(ctx, events)])
		}
	}
	return nil
}

// deliverAll delivers events in order, Batch at a time, and returns how many were
// delivered or became dead letters: all, unless ctx ends.
func (h *Hook) deliverAll(ctx context.Context, events []eventlog.Event) (n int) {
	for n < len(events) {
		next := min(n+h.o.Batch, len(events))
		if h.deliver(ctx, events[n:next]) != nil {
			break
		}
		n = next
	}
	return n
}

// deliver sends one request until it succeeds or its events become dead letters. It
// fails only when ctx ends.
func (h *Hook) deliver(ctx context.Context, events []eventlog.Event) error {
	body := encode(events, h.o.Account, h.o.Batch > 1)
	for attempt, refused := 1, 0; ; attempt++ {
		r := h.post(ctx, body)
		if ctx.Err() != nil && !r.taken {
			return ctx.Err()
		}
		h.requests.Add(1)
		if r.taken {
			h.delivered.Add(uint64(len(events)))
			return nil
		}
		h.failures.Add(1)
		if r.refused {
			refused++
		}
		if refused >= h.o.Attempts || h.tooOld(events) {
			return h.giveUp(ctx, events, attempt, r.why)
		}
		wait := max(backoff(attempt), min(r.wait, askedMax))
		h.o.Log.Warn("the webhook did not take events", "events", len(events), "attempt", attempt, "why", r.why, "next", wait)
		if !pause(ctx, wait) {
			return ctx.Err()
		}
	}
}

// tooOld reports whether the oldest of events was recorded too long ago.
func (h *Hook) tooOld(events []eventlog.Event) bool {
	return h.o.Clock() > events[0].Recorded.Add(h.o.MaxAge)
}

// giveUp makes dead letters of events, trying until that is stored. It fails only
// when ctx ends.
func (h *Hook) giveUp(ctx context.Context, events []eventlog.Event, attempts int, why string) error {
	letters := make([]eventlog.DeadLetter, len(events))
	for i, e := range events {
		letters[i] = eventlog.DeadLetter{Event: e, Attempts: attempts, Why: why}
	}
	for {
		err := h.o.Events.GiveUp(ctx, letters)
		if err == nil {
			h.deadLetters.Add(uint64(len(letters)))
			h.o.Log.Error("events for the webhook are dead letters now", "events", len(letters), "attempts", attempts, "why", why)
			return nil
		}
		h.o.Log.Error("dead letters could not be stored", "error", err)
		if !pause(ctx, backoffMin) {
			return ctx.Err()
		}
	}
}

// backoff returns the pause before the next attempt: exponential backoff with 50 %
// jitter.
func backoff(attempt int) time.Duration {
	d := backoffMax
	if attempt < 10 {
		d = min(backoffMin<<(attempt-1), backoffMax)
	}
	return d/2 + rand.N(d/2)
}

// pause waits for d and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
