package device

import (
	"context"
	"errors"
)

// transport sends the requests of one thing, and receives its notifications.
type transport interface {
	// do sends one request once and returns the body of the answer. A refusal
	// is an *Error; errClosed is final; after any other error a retry may succeed.
	do(ctx context.Context, r request) ([]byte, error)
	// notified returns the notifications received until now.
	notified() notified
	// await returns when something was received after since, or with ctx's error,
	// or with errClosed.
	await(ctx context.Context, since notified) (notified, error)
	// waits reports whether do, for a request with wait set, is a long poll that
	// waits until something is pending, so that await is not needed.
	waits() bool
	close() error
}

// errClosed is the error of calls after Close.
var errClosed = errors.New("device: the client is closed")

// notified is what notifications a transport has received. Between two epochs
// notifications may have been lost, so the device has to ask; within one epoch it
// has received all.
type notified struct {
	epoch uint64
	list  heard // notify: the list of pending executions changed
	head  heard // notify-next: another execution comes first
}

// heard is the newest message of one kind.
type heard struct {
	count   uint64
	payload []byte // nil when count is 0
}

// operation is one of the four of jobs-data-plane.md section 6.
type operation int

const (
	getPending operation = iota
	startNext
	describe
	update
)

func (o operation) String() string {
	return [...]string{"GetPendingJobExecutions", "StartNextPendingJobExecution", "DescribeJobExecution", "UpdateJobExecution"}[o]
}

// headID is used in place of a job id for the execution that comes first.
const headID = "$next"

// request is one operation.
type request struct {
	op   operation
	job  string // describe and update only
	body body
	wait bool // getPending and startNext: if nothing is pending, the answer may come late
}

// body is the JSON of a request. Absent members are left out.
type body struct {
	ClientToken     string            `json:"clientToken,omitempty"`
	Status          Status            `json:"status,omitempty"`
	Details         map[string]string `json:"statusDetails,omitzero"`
	StepMinutes     int               `json:"stepTimeoutInMinutes,omitempty"`
	ExecutionNumber int64             `json:"executionNumber,omitempty"`
	ExpectedVersion int64             `json:"expectedVersion,omitempty"`
	IncludeState    bool              `json:"includeJobExecutionState,omitempty"`
	IncludeDocument *bool             `json:"includeJobDocument,omitempty"`
}

// same reports whether nothing was received between n and m.
func (n notified) same(m notified) bool {
	return n.epoch == m.epoch && n.list.count == m.list.count && n.head.count == m.head.count
}
