package rollout

import (
	"testing"

	"github.com/muster-iot/muster"
)

// Each row leaves out what decides the row before it and keeps everything after
// it, so that the table is the order of Next.
func TestNextPrefersWhatIsMostUrgent(t *testing.T) {
	everything := muster.Job{Status: muster.JobInProgress, Selection: muster.Continuous, Config: muster.JobConfig{Schedule: muster.Schedule{Windows: windows("cron(0 2 * * ? *)", 90)}}}
	everything.Rollout.Started = 1
	everything.Settling, everything.Revealing = true, true
	changes := t0 + 5*minute
	j, f := everything, Facts{Schedule: State{Next: changes}, Deferred: true, Joining: true, RoomAt: t0 + minute}
	for _, row := range []struct {
		name    string
		without func()
		want    Piece
	}{
		{"settle", func() {}, Piece{Work: Settle, Wake: t0}},
		{"reveal", func() { j.Settling = false }, Piece{Work: Reveal, Wake: t0}},
		{"resume", func() { j.Revealing = false }, Piece{Work: Resume, Wake: t0}},
		{"wait for room", func() { f.Deferred = false }, Piece{Work: Wait, Wake: t0 + minute}},
		{"but not past a change of the schedule", func() { f.RoomAt = changes + 1 }, Piece{Work: Wait, Wake: changes}},
		{"admit", func() { f.RoomAt = 0 }, Piece{Work: Admit, Wake: changes}},
		{"roll out", func() { f.Joining = false }, Piece{Work: RollOut, Wake: changes}},
		{"a rollout waits for room, too", func() { f.RoomAt = t0 + minute }, Piece{Work: Wait, Wake: t0 + minute}},
		{"unless it is not its turn", func() { j.Waiting = true }, Piece{Work: Nothing, Wake: changes}},
		{"nothing before the schedule changes", func() { j.Waiting, j.Rollout.Done = false, true }, Piece{Work: Nothing, Wake: changes}},
		{"nothing for ever", func() { f.Schedule.Next = 0 }, Piece{Work: Nothing}},
	} {
		row.without()
		if got := Next(j, f, t0); got != row.want {
			t.Errorf("%s: Next = %v, want %v", row.name, got, row.want)
		}
	}
}

func TestNextOutsideTheWindows(t *testing.T) {
	closed := muster.Job{Status: muster.JobScheduled, Selection: muster.Continuous, Config: muster.JobConfig{Schedule: muster.Schedule{Windows: windows("cron(0 2 * * ? *)", 90)}}}
	closed.Rollout.Started = 1
	opens := t0 + 5*minute
	f := Facts{Schedule: State{Phase: Closed, Next: opens}, Deferred: true, Joining: true, RoomAt: t0 + minute}
	if got, want := Next(closed, f, t0), (Piece{Work: Nothing, Wake: opens}); got != want {
		t.Errorf("things wait for the window: Next = %v, want %v", got, want)
	}
	closed.Revealing = true
	if got, want := Next(closed, f, t0), (Piece{Work: Reveal, Wake: t0}); got != want {
		t.Errorf("the window has just closed: Next = %v, want %v", got, want)
	}
}

// What waits for a job that gives nothing any more is struck off, which takes no
// room.
func TestNextForgetsWhoWaitsForAnEndedJob(t *testing.T) {
	j := muster.Job{Status: muster.JobCanceled, Selection: muster.Continuous}
	j.Rollout.Started = 1
	for _, test := range []struct {
		name string
		f    Facts
		want Piece
	}{
		{"things wait for a window", Facts{Deferred: true, RoomAt: t0 + minute}, Piece{Work: Resume, Wake: t0}},
		{"things wait for the pace", Facts{Joining: true, RoomAt: t0 + minute}, Piece{Work: Admit}},
		{"nothing waits", Facts{RoomAt: t0 + minute}, Piece{Work: Nothing}},
	} {
		if got := Next(j, test.f, t0); got != test.want {
			t.Errorf("%s: Next = %v, want %v", test.name, got, test.want)
		}
	}
}

func TestNextErasesADeletedJobLast(t *testing.T) {
	settling := muster.Job{Status: muster.JobDeleting, Background: muster.Background{Settling: true, Revealing: true}}
	settled := muster.Job{Status: muster.JobDeleting}
	for _, test := range []struct {
		name string
		j    muster.Job
		f    Facts
		want Piece
	}{
		{"with its last execution", settling, Facts{}, Piece{Work: Settle, Then: Erase, Wake: t0}},
		{"not while things wait for a window", settling, Facts{Deferred: true}, Piece{Work: Settle, Wake: t0}},
		{"nor for the pace", settling, Facts{Joining: true}, Piece{Work: Settle, Wake: t0}},
		{"these go first", settled, Facts{Deferred: true, Joining: true}, Piece{Work: Resume, Wake: t0}},
		{"then those", settled, Facts{Joining: true}, Piece{Work: Admit}},
		{"also when the disk is full", settled, Facts{RoomAt: t0 + minute}, Piece{Work: Erase}},
	} {
		if got := Next(test.j, test.f, t0); got != test.want {
			t.Errorf("%s: Next = %v, want %v", test.name, got, test.want)
		}
	}
	other := muster.Job{Status: muster.JobCanceled, Background: muster.Background{Settling: true}}
	if got, want := Next(other, Facts{}, t0), (Piece{Work: Settle, Wake: t0}); got != want {
		t.Errorf("a cancelled job stays: Next = %v, want %v", got, want)
	}
}

func TestOnSchedule(t *testing.T) {
	noon := t0 - t0%day + day/2
	at := func(i muster.Instant) string { return FormatTime(i) }
	start, end := noon, noon+4*60*minute
	from, until := muster.Schedule{StartTime: at(start)}, muster.Schedule{EndTime: at(end)}
	windowed := muster.Schedule{Windows: windows("cron(0 12 * * ? *)", 60), EndTime: at(end)}
	closes := noon + 60*minute
	job := func(status muster.JobStatus, s muster.Schedule, started muster.Instant) muster.Job {
		j := muster.Job{Status: status, Selection: muster.Continuous, Config: muster.JobConfig{Schedule: s}, UpdatedAt: 7}
		j.Rollout.Started, j.Wake, j.Revealed = started, 9, muster.Mark{Thing: "lamp"}
		return j
	}
	for _, test := range []struct {
		name string
		j    muster.Job
		now  muster.Instant
		want func(*muster.Job)
		next muster.Instant
	}{
		{"no schedule: it starts at once", job(muster.JobScheduled, muster.Schedule{}, 0), noon, func(j *muster.Job) {
			j.Status, j.UpdatedAt, j.Rollout.Started, j.Wake, j.Revealed = muster.JobInProgress, noon, noon, 0, muster.Mark{}
		}, 0},
		{"before the start time", job(muster.JobScheduled, from, 0), noon - 1, func(j *muster.Job) { j.Wake = start }, start},
		{"the start time comes", job(muster.JobScheduled, from, 0), noon, func(j *muster.Job) {
			j.Status, j.UpdatedAt, j.Rollout.Started, j.Wake, j.Revealed = muster.JobInProgress, noon, noon, 0, muster.Mark{}
		}, 0},
		{"a window opens, and its things are told", job(muster.JobScheduled, windowed, 3), noon, func(j *muster.Job) {
			j.Status, j.UpdatedAt, j.Wake, j.Revealing, j.Revealed = muster.JobInProgress, noon, closes, true, muster.Mark{}
		}, closes},
		{"it stays open", job(muster.JobInProgress, windowed, 3), noon + 1, func(j *muster.Job) { j.Wake = closes }, closes},
		{"it closes, and its things are told", job(muster.JobInProgress, windowed, 3), closes, func(j *muster.Job) {
			j.Status, j.UpdatedAt, j.Wake, j.Revealing, j.Revealed = muster.JobScheduled, closes, end, true, muster.Mark{}
		}, end},
		{"the end time comes", job(muster.JobInProgress, until, 3), end, func(j *muster.Job) {
			j.Over, j.UpdatedAt, j.Rollout.Done, j.Wake, j.Revealed = true, end, true, 0, muster.Mark{}
		}, 0},
		{"before the job was given to anything", job(muster.JobScheduled, windowed, 0), end, func(j *muster.Job) {
			j.Over, j.UpdatedAt, j.Rollout.Done, j.Rollout.Started, j.Wake, j.Revealing, j.Revealed = true, end, true, 1, 0, true, muster.Mark{}
		}, 0},
		{"it is over already", func() muster.Job { j := job(muster.JobInProgress, until, 3); j.Over = true; return j }(), end, func(j *muster.Job) { j.Wake = 0 }, 0},
		{"it was cancelled", job(muster.JobCanceled, until, 3), end, func(j *muster.Job) { j.Wake = 0 }, 0},
	} {
		want := test.j
		test.want(&want)
		got, state, err := OnSchedule(test.j, test.now)
		if err != nil || got.Status != want.Status || got.UpdatedAt != want.UpdatedAt || got.Rollout != want.Rollout || got.Background != want.Background || state.Next != test.next {
			t.Errorf("%s: OnSchedule = %+v, %+v, %v; want %+v until %d", test.name, got, state, err, want, test.next)
		}
	}
	if _, _, err := OnSchedule(job(muster.JobScheduled, muster.Schedule{StartTime: "tomorrow"}, 0), noon); err == nil {
		t.Error("OnSchedule takes a schedule that cannot be read")
	}
}

func TestTheEndBehaviorSaysWhetherAJobSettles(t *testing.T) {
	end := t0 - t0%minute
	for behavior, settles := range map[muster.EndBehavior]bool{"": false, muster.StopRollout: false, muster.CancelAtEnd: true, muster.ForceAtEnd: true} {
		j := muster.Job{Status: muster.JobInProgress, Config: muster.JobConfig{Schedule: muster.Schedule{EndTime: FormatTime(end), EndBehavior: behavior}}}
		j.Rollout = muster.Rollout{Started: 3, Target: 1, Group: "house", After: "lamp", Held: true, Pace: muster.Pace{Rate: 5}}
		got, _, err := OnSchedule(j, end)
		want := muster.Rollout{Done: true, Started: 3, Pace: muster.Pace{Rate: 5}}
		if err != nil || got.Settling != settles || got.Rollout != want {
			t.Errorf("%q: OnSchedule = %+v, %v; want settling %t and the rollout %+v", behavior, got, err, settles, want)
		}
	}
}
