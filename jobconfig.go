package muster

// JobConfig holds the configurations of CreateJob, as they were given; a zero field
// was not given. Package rollout checks and interprets all but Presigned, which has
// methods of its own, and Packages. The JSON names are in stored records and must
// never change.
type JobConfig struct {
	Rollout        RolloutConfig    `json:"rollout,omitzero"`
	Abort          []AbortCriterion `json:"abort,omitempty"` // checked in order; the first that is met counts
	Retry          []RetryCriterion `json:"retry,omitempty"`
	TimeoutMinutes int              `json:"inProgressTimeoutInMinutes,omitempty"` // 1 to TimeoutMinutesMax; zero: no limit
	Schedule       Schedule         `json:"schedule,omitzero"`
	Presigned      PresignedConfig  `json:"presigned,omitzero"`
	Packages       []Release        `json:"packages,omitempty"` // destinationPackageVersions, as given
}

// Or returns c with the fields that were not given taken from base, each as a whole
// (jobs-control-plane.md section 3.1). Of the schedule only the windows are taken.
func (c JobConfig) Or(base JobConfig) JobConfig {
	if c.Rollout == (RolloutConfig{}) {
		c.Rollout = base.Rollout
	}
	if c.Abort == nil {
		c.Abort = base.Abort
	}
	if c.Retry == nil {
		c.Retry = base.Retry
	}
	if c.TimeoutMinutes == 0 {
		c.TimeoutMinutes = base.TimeoutMinutes
	}
	if len(c.Schedule.Windows) == 0 {
		c.Schedule.Windows = base.Schedule.Windows
	}
	if c.Presigned == (PresignedConfig{}) {
		c.Presigned = base.Presigned
	}
	if len(c.Packages) == 0 {
		c.Packages = base.Packages
	}
	return c
}

// RolloutConfig limits how fast a job rolls out (jobs-lifecycle.md section 5.1). The
// zero RolloutConfig means the server's default rate.
type RolloutConfig struct {
	MaximumPerMinute int              `json:"maximumPerMinute,omitempty"` // from 1; zero: the server's default (arbitration A8)
	Exponential      *ExponentialRate `json:"exponentialRate,omitempty"`  // never changed in place
}

// ExponentialRate is a rate that grows in steps: by one step for each NotifiedThings
// executions queued, or for each SucceededThings executions that SUCCEEDED,
// whichever gives more steps. At least one of the two is set.
type ExponentialRate struct {
	BasePerMinute   int     `json:"baseRatePerMinute"`                 // 1 to 1000
	Factor          float64 `json:"incrementFactor"`                   // 1.1 to 5, at most one decimal
	NotifiedThings  int     `json:"numberOfNotifiedThings,omitempty"`  // from 1; zero: not a criterion
	SucceededThings int     `json:"numberOfSucceededThings,omitempty"` // from 1; zero: not a criterion
}

// FailureType says which failed executions a criterion is about, in the contract's
// word.
type FailureType string

// The failure types. A retry criterion cannot have FailureRejected.
const (
	FailureFailed   FailureType = "FAILED"
	FailureRejected FailureType = "REJECTED"
	FailureTimedOut FailureType = "TIMED_OUT"
	FailureAll      FailureType = "ALL"
)

// AbortCriterion cancels the job when at least MinExecuted executions have ended and
// ThresholdPercent or more of them ended as Failure says (jobs-lifecycle.md section
// 11).
type AbortCriterion struct {
	Failure          FailureType `json:"failureType"`
	ThresholdPercent float64     `json:"thresholdPercentage"`       // above 0, at most 100, at most two decimals
	MinExecuted      int         `json:"minNumberOfExecutedThings"` // from 1
}

// RetryCriterion retries an execution that ended as Failure says, at most Max times
// on each thing (jobs-lifecycle.md section 10). Failure is FAILED, TIMED_OUT or ALL,
// which means both of these.
type RetryCriterion struct {
	Failure FailureType `json:"failureType"`
	Max     int         `json:"numberOfRetries"` // 0 to 10
}

// Retries counts the retries of a job on one thing, by the status of the execution
// that was retried.
type Retries struct {
	Failed   int `json:"failed,omitempty"`
	TimedOut int `json:"timedOut,omitempty"`
}

// Attempt returns the retryAttempt of the execution that has r: 0 for the first one.
func (r Retries) Attempt() int { return r.Failed + r.TimedOut }

// Schedule is when a job may roll out (jobs-lifecycle.md section 9), as it was
// given. The zero Schedule starts at once and never ends.
type Schedule struct {
	StartTime   string              `json:"startTime,omitempty"`          // such as "2026-09-18 00:00", in UTC
	EndTime     string              `json:"endTime,omitempty"`            // the same form
	EndBehavior EndBehavior         `json:"endBehavior,omitempty"`        // has no effect without EndTime
	Windows     []MaintenanceWindow `json:"maintenanceWindows,omitempty"` // continuous jobs only
}

// IsZero reports whether no field of s is set.
func (s Schedule) IsZero() bool {
	return s.StartTime == "" && s.EndTime == "" && s.EndBehavior == "" && len(s.Windows) == 0
}

// EndBehavior says what happens to pending executions at a job's end time
// (jobs-lifecycle.md section 9.3). Empty means StopRollout.
type EndBehavior string

// The three end behaviors.
const (
	StopRollout EndBehavior = "STOP_ROLLOUT" // they stay, and may run
	CancelAtEnd EndBehavior = "CANCEL"       // the queued ones are cancelled
	ForceAtEnd  EndBehavior = "FORCE_CANCEL" // all are cancelled
)

// MaintenanceWindow is a repeated span of time in which a job may roll out
// (jobs-lifecycle.md section 9.2).
type MaintenanceWindow struct {
	StartTime       string `json:"startTime"`         // a cron expression, such as "cron(0 0 18 * ? *)", in UTC
	DurationMinutes int    `json:"durationInMinutes"` // 1 to 1430
}

// TimeoutMinutesMax is the longest in-progress timer.
const TimeoutMinutesMax = 7 * 24 * 60

// CheckTimeout returns an Invalid error unless minutes is a valid
// inProgressTimeoutInMinutes: 1 to TimeoutMinutesMax (jobs-lifecycle.md section 8).
// Do not call it with the zero of a JobConfig, which means that none was given.
func CheckTimeout(minutes int64) error {
	if minutes >= 1 && minutes <= TimeoutMinutesMax {
		return nil
	}
	return Errorf(Invalid, "inProgressTimeoutInMinutes must be 1 to %d; it is %d", TimeoutMinutesMax, minutes)
}
