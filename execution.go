package muster

import (
	"maps"
	"slices"
)

// Execution is one thing's run of one job (jobs-lifecycle.md section 1). It is a
// value: rules return changed copies, and Details is never changed in place.
type Execution struct {
	Thing     ThingName
	Job       JobID
	Number    int64 // from 1; each retry and each new execution of the job on the thing has the next
	Namespace Namespace

	Status  Status
	Version int64             // from 1; each accepted change adds 1
	Details map[string]string // what the device reported; nil when empty

	QueuedAt  Instant
	StartedAt Instant // zero until it is IN_PROGRESS for the first time
	UpdatedAt Instant

	JobDeadline  Instant // when the in-progress timer expires; zero without one
	StepDeadline Instant // when the step timer expires; zero without one

	Retries       Retries // the retries that led to this execution; Attempt is its retryAttempt
	ForceCanceled bool    // an operator cancelled it while it was IN_PROGRESS
	Windowed      bool    // its job has maintenance windows

	// PresignedAt is when the URLs that its device was last given were signed, a whole
	// second; zero when it was given none.
	PresignedAt Instant
}

// Deadline returns when the first of the two timers expires, or zero when neither
// runs (jobs-lifecycle.md section 8).
func (e Execution) Deadline() Instant {
	if e.Status != InProgress {
		return 0
	}
	if e.JobDeadline == 0 || (e.StepDeadline != 0 && e.StepDeadline < e.JobDeadline) {
		return e.StepDeadline
	}
	return e.JobDeadline
}

// Equal reports whether e and f are the same in every field.
func (e Execution) Equal(f Execution) bool {
	details := maps.Equal(e.Details, f.Details)
	e.Details, f.Details = nil, nil
	return details && equalScalars(e, f)
}

// NoStep and ClearStep are the two special values of Update.StepMinutes.
const (
	NoStep    = 0  // leave a running step timer as it is
	ClearStep = -1 // stop the step timer
)

// The range of the step timer.
const (
	minStepMinutes = 1
	maxStepMinutes = 7 * 24 * 60
)

// CheckStep returns an Invalid error unless a step timer may be set to minutes:
// 1 to 10080, or ClearStep (jobs-data-plane.md section 14).
func CheckStep(minutes int64) error {
	if minutes == ClearStep || (minutes >= minStepMinutes && minutes <= maxStepMinutes) {
		return nil
	}
	return Errorf(Invalid, "stepTimeoutInMinutes must be %d to %d, or %d to discard the timer; it is %d",
		minStepMinutes, maxStepMinutes, ClearStep, minutes)
}

// Update is a requested change of an execution.
type Update struct {
	By Actor
	To Status

	// ExpectedVersion is the optimistic lock; nil means no check.
	ExpectedVersion *int64
	// Details replaces the whole map when not nil; an empty map clears it
	// (arbitration A2).
	Details map[string]string
	// StepMinutes sets the step timer: 1 to 10080, NoStep or ClearStep.
	StepMinutes int
	// JobMinutes is the job's in-progress timeout, which starts when the execution
	// is first IN_PROGRESS; zero when the job has none.
	JobMinutes int
	// Strict refuses REJECTED from IN_PROGRESS (arbitration A10).
	Strict bool
}

// Apply returns the execution after u at the instant now. It checks the version
// first, then the state machine (jobs-data-plane.md section 6.4, steps 5-7). It
// fails with VersionConflict or InvalidTransition, both carrying e as State.
func (e Execution) Apply(u Update, now Instant) (Execution, error) {
	if u.ExpectedVersion != nil && *u.ExpectedVersion != e.Version {
		err := Errorf(VersionConflict, "Expected version %d but found version %d", *u.ExpectedVersion, e.Version)
		err.State = &e
		return e, err
	}
	if !slices.Contains(moves[e.Status][u.To], u.By) || (u.Strict && e.Status == InProgress && u.To == Rejected) {
		err := Errorf(InvalidTransition, "Job execution status cannot be updated to %s since it is %s", u.To, e.Status)
		err.State = &e
		return e, err
	}
	e.ForceCanceled = u.To == Canceled && e.Status == InProgress
	if u.To == InProgress && e.Status == Queued {
		e.StartedAt = now
		if u.JobMinutes > 0 {
			e.JobDeadline = now.Minutes(u.JobMinutes)
		}
	}
	e.Status, e.Version, e.UpdatedAt = u.To, e.Version+1, now
	e = e.withDetails(u.Details)
	if e.Status.Terminal() {
		e.JobDeadline, e.StepDeadline = 0, 0
		return e, nil
	}
	return e.WithStep(u.StepMinutes, now), nil
}

// WithStep returns e with its step timer set, kept or cleared as minutes says
// (jobs-data-plane.md section 14 and J5). Everything else stays, the version too.
func (e Execution) WithStep(minutes int, now Instant) Execution {
	switch {
	case minutes == ClearStep:
		e.StepDeadline = 0
	case minutes > 0:
		e.StepDeadline = now.Minutes(minutes)
	}
	return e
}

func (e Execution) withDetails(details map[string]string) Execution {
	switch {
	case details == nil:
	case len(details) == 0:
		e.Details = nil
	default:
		e.Details = maps.Clone(details)
	}
	return e
}

// equalScalars compares every field but Details.
func equalScalars(e, f Execution) bool {
	return e.Thing == f.Thing && e.Job == f.Job && e.Number == f.Number && e.Namespace == f.Namespace &&
		e.Status == f.Status && e.Version == f.Version && e.QueuedAt == f.QueuedAt && e.StartedAt == f.StartedAt &&
		e.UpdatedAt == f.UpdatedAt && e.JobDeadline == f.JobDeadline && e.StepDeadline == f.StepDeadline &&
		e.Retries == f.Retries && e.ForceCanceled == f.ForceCanceled && e.Windowed == f.Windowed &&
		e.PresignedAt == f.PresignedAt
}

// NewExecution returns an execution of j for thing, queued at the instant now, at
// version 1 (jobs-data-plane.md section 9).
func NewExecution(j *Job, thing ThingName, number int64, now Instant) Execution {
	return Execution{
		Thing: thing, Job: j.ID, Number: number, Namespace: j.Namespace,
		Status: Queued, Version: 1, QueuedAt: now, UpdatedAt: now, Windowed: j.Windowed(),
	}
}
