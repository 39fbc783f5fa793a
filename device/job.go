package device

import (
	"context"
	"errors"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Job is an execution that this device is working on. Its methods may be called
// from many goroutines.
type Job struct {
	Execution // as it was when the device took it

	c     *Client
	since notified // what had been received before the device took it

	mu    sync.Mutex // guards what follows
	final Status     // the terminal status that was, or is being, reported
	stop  context.CancelCauseFunc
}

// Special values of Report.StepMinutes.
const (
	KeepStep  = 0  // leave a running step timer as it is
	ClearStep = -1 // discard it
)

// Report is what a device reports in addition to a status.
type Report struct {
	// Details replaces the whole statusDetails of the execution: at most 10
	// pairs, keys of 128 and values of 1,024 characters. Nil leaves them as
	// they are, an empty map clears them.
	Details map[string]string
	// StepMinutes restarts the step timer: the service sets the execution
	// TIMED_OUT unless the device reports again within this many minutes, 1 to
	// 10080. See also KeepStep and ClearStep.
	StepMinutes int
}

// Progress reports that the device is still working.
func (j *Job) Progress(ctx context.Context, r Report) error {
	return j.report(ctx, InProgress, r)
}

// Succeed reports that the job is done. Nil details keep those of the last
// report; the same is true of Fail and Reject.
func (j *Job) Succeed(ctx context.Context, details map[string]string) error {
	return j.finish(ctx, Succeeded, details)
}

// Fail reports that the job could not be done. The service may try it again.
func (j *Job) Fail(ctx context.Context, details map[string]string) error {
	return j.finish(ctx, Failed, details)
}

// Reject reports that this device cannot, or will not, do such a job. There is no
// retry after it.
func (j *Job) Reject(ctx context.Context, details map[string]string) error {
	return j.finish(ctx, Rejected, details)
}

// finish reports a terminal status. While the report is under way, and after it is
// accepted, the end of the execution does not count as an end by the service.
func (j *Job) finish(ctx context.Context, s Status, details map[string]string) error {
	j.setFinal(s)
	err := j.report(ctx, s, Report{Details: details})
	if err != nil {
		j.setFinal("")
	}
	return err
}

func (j *Job) report(ctx context.Context, s Status, r Report) error {
	_, err := j.c.Update(ctx, j.JobID, Update{Status: s, Report: r, Number: j.Number})
	if ended := errEnded(err); ended != nil {
		j.mu.Lock()
		defer j.mu.Unlock()
		if j.stop != nil {
			j.stop(ended)
		}
	}
	return err
}

// setStop sets the function that stops the handler of the job.
func (j *Job) setStop(stop context.CancelCauseFunc) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stop = stop
}

func (j *Job) setFinal(s Status) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.final = s
}

// reported returns the terminal status that was reported, or "".
func (j *Job) reported() Status {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.final
}

// Refuse returns an error with which a Handler says REJECTED instead of FAILED.
func Refuse(reason string) error { return &refused{reason} }

type refused struct{ reason string }

func (r *refused) Error() string { return r.reason }

// reasonKey is the key in statusDetails under which Run reports a handler's error.
const reasonKey = "reason"

// reasonMax is the longest value in statusDetails, in characters.
const reasonMax = 1024

// reason makes an error's text fit for a value in statusDetails: not empty,
// not too long, no control characters but line breaks and tabs.
func reason(err error) map[string]string {
	text := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.C, r) && r != '\n' && r != '\r' && r != '\t' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(err.Error(), " "))
	if utf8.RuneCountInString(text) > reasonMax {
		text = string([]rune(text)[:reasonMax])
	}
	if text == "" {
		text = "error"
	}
	return map[string]string{reasonKey: text}
}

// errEnded returns what an error of an update says about the end of the
// execution, or nil when it says nothing.
func errEnded(err error) *Ended {
	refusal := (*Error)(nil)
	if !errors.As(err, &refusal) {
		return nil
	}
	switch refusal.Code {
	case ResourceNotFound:
		return &Ended{Deleted: true}
	case TerminalStateReached:
		return &Ended{}
	case InvalidStateTransition:
		if refusal.State != nil && refusal.State.Status != Queued && refusal.State.Status != InProgress {
			return &Ended{Status: refusal.State.Status}
		}
	}
	return nil
}
