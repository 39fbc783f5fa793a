package muster

import "math/bits"

// Background is what is left to do for a job when nobody asks for anything; package
// rollout decides what comes first. Together with Rollout.Done and Rollout.Held it
// is the part of a job's state that its Status does not tell: flags that events set
// and clear (Note). The zero Background has nothing left to do. Its names are those
// of stored records.
type Background struct {
	// Waiting is set while the job is to roll out and its turn has not come, since
	// too many others do (arbitration A13).
	Waiting bool
	// Over is set when the end time has passed: nothing is given the job any more.
	Over bool
	// Settling is set while the executions of a job that was cancelled, deleted
	// or came to its end time are still being ended in the background.
	Settling bool
	// Revealing is set while the things are told that a maintenance window
	// opened or closed; Revealed is the last execution that was dealt with.
	Revealing bool
	Revealed  Mark
	// Wake is when the job's background work is due; zero when there is none.
	Wake Instant
}

// Due reports whether background work is due at the instant now.
func (b Background) Due(now Instant) bool { return b.Wake != 0 && b.Wake <= now }

// Mark is a position in the list of a job's executions, which begins with the one
// queued last.
type Mark struct {
	QueuedAt Instant
	Thing    ThingName
	Number   int64
}

// JobFlag is a flag of a job's background life. JobFlags can be or-ed.
type JobFlag uint8

// The flags: of Background those of the same name, of Rollout Done and Held.
const (
	FlagSettling JobFlag = 1 << iota
	FlagRevealing
	FlagWaiting
	FlagOver
	FlagRolledOut
	FlagHeld
)

// JobFlags lists all flags in order.
func JobFlags() []JobFlag {
	return []JobFlag{FlagSettling, FlagRevealing, FlagWaiting, FlagOver, FlagRolledOut, FlagHeld}
}

// String returns the name of one flag.
func (f JobFlag) String() string {
	return [...]string{"Settling", "Revealing", "Waiting", "Over", "RolledOut", "Held"}[bits.TrailingZeros8(uint8(f))]
}

// jobFlags is the state machine of a job's flags: what each event sets and clears.
// Only jobs with maintenance windows take FlagRevealing: others hide nothing. A job
// waits, and is held, only while it is IN_PROGRESS and not rolled out; a row that
// cannot meet a flag leaves it out.
var jobFlags = map[JobEvent]struct{ sets, clears JobFlag }{
	JobStarts:          {sets: FlagRevealing},
	JobPauses:          {sets: FlagRevealing, clears: FlagWaiting},
	JobFinishes:        {clears: FlagSettling | FlagRevealing},
	JobIsCanceled:      {sets: FlagSettling, clears: FlagWaiting},
	JobIsForceCanceled: {sets: FlagSettling, clears: FlagWaiting},
	JobIsDeleted:       {sets: FlagSettling},
	JobIsForceDeleted:  {sets: FlagSettling, clears: FlagWaiting},
	JobEnds:            {sets: FlagOver | FlagRolledOut | FlagRevealing, clears: FlagWaiting | FlagHeld},
	JobEndsCanceling:   {sets: FlagOver | FlagRolledOut | FlagRevealing | FlagSettling, clears: FlagWaiting | FlagHeld},
	JobIsSettled:       {clears: FlagSettling},
	JobIsRevealed:      {clears: FlagRevealing},
	JobMustWait:        {sets: FlagWaiting},
	JobMayGoOn:         {clears: FlagWaiting},
	JobIsHeld:          {sets: FlagHeld},
	JobIsReleased:      {clears: FlagHeld},
	JobIsRolledOut:     {sets: FlagRolledOut},
	JobGainsTargets:    {clears: FlagRolledOut},
}

// JobFlagMoves calls yield for every event that may change flags, in a fixed order.
func JobFlagMoves(yield func(event JobEvent, sets, clears JobFlag) bool) {
	for event := JobStarts; event < jobEventCount; event++ {
		if m, ok := jobFlags[event]; ok && !yield(event, m.sets, m.clears) {
			return
		}
	}
}

// Note returns the job after an event that leaves its Status: its flags, and what
// goes with them. A window that turns is revealed from the first execution on, and a
// rollout that is done keeps no place among the targets. A job whose end time came
// before it started is taken for one that has started. Note never fails; events that
// may change the Status go through Apply.
func (j Job) Note(event JobEvent) Job {
	switch event {
	case JobStarts, JobPauses, JobIsRevealed:
		j.Revealed = Mark{}
	case JobEnds, JobEndsCanceling:
		j.Revealed = Mark{}
		j.Rollout = Rollout{Started: max(j.Rollout.Started, 1), Pace: j.Rollout.Pace}
	case JobIsRolledOut:
		j.Rollout = Rollout{Started: j.Rollout.Started, Pace: j.Rollout.Pace}
	}
	move := jobFlags[event]
	for _, f := range JobFlags() {
		is := j.flag(f)
		*is = *is && move.clears&f == 0 || move.sets&f != 0 && (f != FlagRevealing || j.Windowed())
	}
	return j
}

// Has reports whether a flag is set.
func (j Job) Has(f JobFlag) bool { return *j.flag(f) }

// flag returns where a flag is stored.
func (j *Job) flag(f JobFlag) *bool {
	switch f {
	case FlagSettling:
		return &j.Settling
	case FlagRevealing:
		return &j.Revealing
	case FlagWaiting:
		return &j.Waiting
	case FlagOver:
		return &j.Over
	case FlagRolledOut:
		return &j.Rollout.Done
	}
	return &j.Rollout.Held
}

// BeginRollout returns the job with a rollout that is no longer held, at the instant
// now. One that was held at its first target starts now, so that it includes all
// members of now.
func (j Job) BeginRollout(now Instant) Job {
	if j.Rollout.Held && j.Rollout.Target == 0 {
		j.Rollout.Started = now
	}
	return j.Note(JobIsReleased)
}
