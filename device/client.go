// Package device is a client for the jobs of one thing, over MQTT 5 or HTTPS.
//
// It uses the public contract (jobs-data-plane.md) and nothing else, so it works
// with any service that implements it. There are two ways of working: get-next,
// in which the service decides which job comes first (Run, Next), and pick-a-job,
// in which the device chooses from the list of what is pending (Watch, Start).
//
// A Client hides lost connections: it reconnects, subscribes again, sends again
// what was not answered, and continues what the thing had in progress. It does
// not interpret job documents and keeps no state on disk. What a device must
// remember across a restart belongs in statusDetails.
//
// The package is API: docs/api-stability.md says what that promises.
package device

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"
)

// Client acts for one thing. Make one with ConnectMQTT or NewHTTPS. Its methods
// may be called from many goroutines.
//
// Every method that sends a request retries, with exponential backoff, until it
// is answered or ctx ends: when a request or its answer is lost, and when it is
// refused with InternalError or RequestThrottled. A final refusal is an *Error.
type Client struct {
	wire transport
	log  *slog.Logger
}

// Close ends the connection and every call that is waiting. What is in progress
// stays in progress; a later Client of the same thing finds it again.
func (c *Client) Close() error { return c.wire.close() }

// Pending returns what is pending for the thing. The service shows at most 15
// executions.
func (c *Client) Pending(ctx context.Context) (Pending, error) {
	var p Pending
	_, err := c.call(ctx, request{op: getPending}, &p)
	return p.normal(), err
}

// Head returns the execution that comes first, with its document, or nil when
// nothing is pending. It changes nothing.
func (c *Client) Head(ctx context.Context) (*Execution, error) {
	var a answer
	_, err := c.call(ctx, request{op: describe, job: headID}, &a)
	return a.Execution, err
}

// StartNext puts the execution that comes first IN_PROGRESS and returns it, or
// nil when nothing is pending. One that is IN_PROGRESS already is returned as
// it is. Details, if not nil, become its statusDetails.
func (c *Client) StartNext(ctx context.Context, r Report) (*Execution, error) {
	var a answer
	_, err := c.call(ctx, request{op: startNext, body: body{Details: r.Details, StepMinutes: r.StepMinutes}}, &a)
	return a.Execution, err
}

// Describe asks for one execution.
type Describe struct {
	Number          int64 // of the execution; 0 for the latest
	WithoutDocument bool
}

// Describe returns a pending execution of a job. It fails with ResourceNotFound
// when there is none, and with TerminalStateReached when it has ended.
func (c *Client) Describe(ctx context.Context, job string, d Describe) (*Execution, error) {
	b := body{ExecutionNumber: d.Number}
	if d.WithoutDocument {
		b.IncludeDocument = new(bool)
	}
	var a answer
	_, err := c.call(ctx, request{op: describe, job: job, body: b}, &a)
	return a.Execution, err
}

// Update is what a device reports about an execution.
type Update struct {
	Status Status // InProgress, Succeeded, Failed or Rejected
	Report
	Number          int64 // of the execution; 0 for the latest
	ExpectedVersion int64 // refuse with VersionMismatch unless it is at this version; 0 for any
	WithState       bool  // answer with the state after the update
	WithDocument    bool  // answer with the job document
}

// Updated answers an Update.
type Updated struct {
	State    *State          `json:"executionState"` // nil unless asked for
	Document json.RawMessage `json:"-"`              // nil unless asked for
}

// Update reports about an execution. If the answer to an update is lost and the
// retry is refused because the first attempt succeeded, Update succeeds.
func (c *Client) Update(ctx context.Context, job string, u Update) (Updated, error) {
	b := body{
		Status: u.Status, Details: u.Details, StepMinutes: u.StepMinutes,
		ExecutionNumber: u.Number, ExpectedVersion: u.ExpectedVersion, IncludeState: u.WithState,
	}
	if u.WithDocument {
		b.IncludeDocument = &u.WithDocument
	}
	var a answer
	attempts, err := c.call(ctx, request{op: update, job: job, body: b}, &a)
	if refusal := (*Error)(nil); attempts > 1 && errors.As(err, &refusal) && refusal.confirms(u) {
		return Updated{State: refusal.State}, nil
	}
	return Updated{State: a.State, Document: json.RawMessage(a.Document)}, err
}

// answer is the answer of any operation but getPending.
type answer struct {
	Execution *Execution `json:"execution"`
	State     *State     `json:"executionState"`
	Document  document   `json:"jobDocument"`
}

// The pauses between two attempts: exponential backoff from the first to the
// longest, with 50 % jitter.
const (
	firstPause   = 200 * time.Millisecond
	longestPause = 30 * time.Second
)

// call sends r until it is answered and decodes the answer into a. It returns
// how often it sent.
func (c *Client) call(ctx context.Context, r request, a any) (attempts int, err error) {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		attempts++
		reply, err := c.wire.do(ctx, r)
		if err == nil {
			if err := json.Unmarshal(reply, a); err != nil {
				return attempts, fmt.Errorf("device: the answer to %s cannot be read: %w", r.op, err)
			}
			return attempts, nil
		}
		if !temporary(err) || ctx.Err() != nil {
			return attempts, err
		}
		c.log.Warn("request will be repeated", "operation", r.op.String(), "job", r.job, "attempt", attempts, "error", err)
		if sleep(ctx, pause/2+rand.N(pause/2)) != nil {
			return attempts, err
		}
	}
}
