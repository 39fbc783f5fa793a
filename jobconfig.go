package muster

// JobConfig is how a job is to be carried out: the configurations of CreateJob,
// as they were given. What is zero was not given; package rollout checks them,
// but for Presigned, and says what they mean. The JSON names
// are those of stored records and change no more.
type JobConfig struct {
	Rollout        RolloutConfig    `json:"rollout,omitzero"`
	Abort          []AbortCriterion `json:"abort,omitempty"` // looked at in order; the first that is met counts
	Retry          []RetryCriterion `json:"retry,omitempty"`
	TimeoutMinutes int              `json:"inProgressTimeoutInMinutes,omitempty"` // zero: an execution may be IN_PROGRESS for ever
	Schedule       Schedule         `json:"schedule,omitzero"`
	Presigned      PresignedConfig  `json:"presigned,omitzero"`
	Packages       []Release        `json:"packages,omitempty"` // destinationPackageVersions, as asked for
}

// Or returns c with what it does not give taken from base, each member whole
// (jobs-control-plane.md section 3.1). Of a schedule only the windows are taken.
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

// RolloutConfig is how fast things are given a job (jobs-lifecycle.md section
// 5.1). The zero RolloutConfig leaves it to the server.
type RolloutConfig struct {
	MaximumPerMinute int              `json:"maximumPerMinute,omitempty"` // from 1; zero: the server's default (arbitration A8)
	Exponential      *ExponentialRate `json:"exponentialRate,omitempty"`  // never changed in place
}

// ExponentialRate is a rate that grows in steps: a step is taken whenever
// NotifiedThings more were queued, or SucceededThings more executions
// SUCCEEDED. At least one of the two is set.
type ExponentialRate struct {
	BasePerMinute   int     `json:"baseRatePerMinute"`                 // 1 to 1000
	Factor          float64 `json:"incrementFactor"`                   // 1.1 to 5, at most one decimal
	NotifiedThings  int     `json:"numberOfNotifiedThings,omitempty"`  // from 1; zero: not a criterion
	SucceededThings int     `json:"numberOfSucceededThings,omitempty"` // from 1; zero: not a criterion
}

// FailureType is a way to end badly, or all of them: the contract's word in
// abort and retry criteria.
type FailureType string

// The failure types. A retry criterion is never for REJECTED.
const (
	FailureFailed   FailureType = "FAILED"
	FailureRejected FailureType = "REJECTED"
	FailureTimedOut FailureType = "TIMED_OUT"
	FailureAll      FailureType = "ALL"
)

// AbortCriterion cancels the job when, of at least MinExecuted executions that
// ended, ThresholdPercent or more ended as Failure says (jobs-lifecycle.md
// section 11).
type AbortCriterion struct {
	Failure          FailureType `json:"failureType"`
	ThresholdPercent float64     `json:"thresholdPercentage"`       // above 0, at most 100, at most two decimals
	MinExecuted      int         `json:"minNumberOfExecutedThings"` // from 1
}

// RetryCriterion gives a thing another execution when one ended as Failure
// says, Max times (jobs-lifecycle.md section 10). Failure is FAILED, TIMED_OUT
// or ALL of these two.
type RetryCriterion struct {
	Failure FailureType `json:"failureType"`
	Max     int         `json:"numberOfRetries"` // 0 to 10
}

// Retries is how many retries of a job a thing has had since it was given the
// job, by what each of them followed.
type Retries struct {
	Failed   int `json:"failed,omitempty"`
	TimedOut int `json:"timedOut,omitempty"`
}

// Attempt is the retryAttempt of the execution that comes after r: 0 for the
// first one.
func (r Retries) Attempt() int { return r.Failed + r.TimedOut }

// Schedule is when a job may roll out (jobs-lifecycle.md section 9), as the
// caller wrote it. The zero Schedule is: at once, and without end.
type Schedule struct {
	StartTime   string              `json:"startTime,omitempty"`          // such as "2026-09-18 00:00", in UTC
	EndTime     string              `json:"endTime,omitempty"`            // the same form
	EndBehavior EndBehavior         `json:"endBehavior,omitempty"`        // has no effect without EndTime
	Windows     []MaintenanceWindow `json:"maintenanceWindows,omitempty"` // continuous jobs only
}

// IsZero reports whether nothing of s is set.
func (s Schedule) IsZero() bool {
	return s.StartTime == "" && s.EndTime == "" && s.EndBehavior == "" && len(s.Windows) == 0
}

// EndBehavior says what becomes of pending executions at a job's end time
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

// TimeoutMinutesMax is the longest that an in-progress timer may be.
const TimeoutMinutesMax = 7 * 24 * 60

// CheckTimeout returns an Invalid error unless minutes may be given as
// inProgressTimeoutInMinutes: 1 to TimeoutMinutesMax (jobs-lifecycle.md section
// 8). It is for a value that was given; JobConfig's zero means none was.
func CheckTimeout(minutes int64) error {
	if minutes >= 1 && minutes <= TimeoutMinutesMax {
		return nil
	}
	return Errorf(Invalid, "inProgressTimeoutInMinutes must be 1 to %d; it is %d", TimeoutMinutesMax, minutes)
}
