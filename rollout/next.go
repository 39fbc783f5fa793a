package rollout

import "github.com/muster-iot/muster"

// Work is a kind of background work on one job.
type Work uint8

// The kinds of work, in the order in which Next prefers them.
const (
	Settle  Work = iota + 1 // end executions of a job that was cancelled, deleted or has come to its end time
	Reveal                  // show or hide queued executions, after a maintenance window opened or closed
	Resume                  // give things what they have waited for since a window closed
	Wait                    // keep the job's place until the disk has room for more executions
	Admit                   // give the job to things that joined and wait for its pace
	Erase                   // remove the last records of a deleted job
	RollOut                 // give the job to the next things of its targets
	Nothing                 // until the schedule changes, or an event makes the job due
)

var works = [...]struct{ name, when string }{
	Settle:  {"settle", "the job is Settling"},
	Reveal:  {"reveal", "the job is Revealing"},
	Resume:  {"resume", "things wait for a maintenance window, and it is open or the job gives nothing any more"},
	Wait:    {"wait", "the disk has no room, and the job would be given to things"},
	Admit:   {"admit", "things that joined wait for the pace, inside the windows"},
	Erase:   {"erase", "the job is DELETION_IN_PROGRESS"},
	RollOut: {"roll out", "the job is IN_PROGRESS, neither RolledOut nor Waiting"},
	Nothing: {"nothing", "otherwise"},
}

// Works lists all kinds of work, those that Next prefers first.
func Works() []Work { return []Work{Settle, Reveal, Resume, Wait, Admit, Erase, RollOut, Nothing} }

func (w Work) String() string { return works[w].name }

// When says when Next chooses w, if nothing before it applies.
func (w Work) When() string { return works[w].when }

// Facts are what Next must know of a job beyond its record, at the same instant.
type Facts struct {
	Schedule State          // that the job was brought in step with (OnSchedule)
	Deferred bool           // things wait for a window of the job, or for what it will never do
	Joining  bool           // things joined and wait for the pace of the job
	RoomAt   muster.Instant // when to look for room on the disk again; zero: there is room
}

// Piece is the next piece of a job's background work.
type Piece struct {
	Work Work
	// Then is done in the same transaction when Work has come to its end: Erase
	// after Settle, else zero.
	Then Work
	// Wake is when the job is due again after this piece; zero when only an event
	// can tell. Admit and RollOut may be due earlier: their rate decides.
	Wake muster.Instant
}

// Next returns what is to be done next for a job that is due at the instant now. It is
// the whole background life of a job. Executions that have to end come first, since
// their records are out of date until then. Things learn of a window before they are
// given anything in it, those that have waited are served before the rollout goes on,
// and a deleted job is erased only when nothing else of it is left.
//
// j is in step with its schedule (OnSchedule), and its Waiting is decided.
func Next(j muster.Job, f Facts, now muster.Instant) Piece {
	rollsOut, joiners := j.RollsOutNow(), f.Joining && !j.Hides()
	switch {
	case j.Settling:
		p := Piece{Work: Settle, Wake: now}
		if j.Status == muster.JobDeleting && !f.Deferred && !f.Joining {
			p.Then = Erase
		}
		return p
	case j.Revealing:
		return Piece{Work: Reveal, Wake: now}
	case f.Deferred && !j.Hides():
		return Piece{Work: Resume, Wake: now}
	case f.RoomAt != 0 && (joiners && j.Gives() || rollsOut):
		return Piece{Work: Wait, Wake: sooner(f.RoomAt, f.Schedule.Next)}
	case joiners:
		return Piece{Work: Admit, Wake: f.Schedule.Next}
	case j.Status == muster.JobDeleting:
		return Piece{Work: Erase}
	case rollsOut:
		return Piece{Work: RollOut, Wake: f.Schedule.Next}
	}
	return Piece{Work: Nothing, Wake: f.Schedule.Next}
}

// sooner returns the earlier of two instants; zero is never.
func sooner(a, b muster.Instant) muster.Instant {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// OnSchedule returns a job as its schedule has it at the instant now, with the
// state of the schedule (jobs-lifecycle.md section 9): it starts when its start
// time comes or a maintenance window opens, pauses when a window closes, and is
// over when its end time comes. Wake becomes when the schedule changes next, zero
// for never. A job that has ended, or is over, has no schedule any more: its
// state is the zero State. It fails with Invalid when the schedule cannot be read.
func OnSchedule(j muster.Job, now muster.Instant) (muster.Job, State, error) {
	j.Wake = 0
	if !j.Status.Active() || j.Over {
		return j, State{}, nil
	}
	t, err := Compile(j.Config.Schedule)
	if err != nil {
		return j, State{}, err
	}
	state := t.At(now)
	switch {
	case state.Phase == Ended:
		return end(j, now), state, nil
	case state.Phase == Open && j.Status == muster.JobScheduled:
		j, err = j.Apply(muster.JobStarts, now)
		if j.Rollout.Started == 0 {
			j.Rollout.Started = now
		}
	case state.Phase == Closed && j.Status == muster.JobInProgress:
		j, err = j.Apply(muster.JobPauses, now)
	}
	j.Wake = state.Next
	return j, state, err
}

// end returns a job whose end time has come; the end behavior says what becomes
// of what is pending (jobs-lifecycle.md section 9.3).
func end(j muster.Job, now muster.Instant) muster.Job {
	j.UpdatedAt = now
	if b := j.Config.Schedule.EndBehavior; b == muster.CancelAtEnd || b == muster.ForceAtEnd {
		return j.Note(muster.JobEndsCanceling)
	}
	return j.Note(muster.JobEnds)
}
