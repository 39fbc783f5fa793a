package muster

import (
	"errors"
	"math/rand/v2"
	"testing"
)

func queued() Execution {
	return Execution{Thing: "lamp", Job: "fw", Number: 1, Status: Queued, Version: 1, QueuedAt: 1000, UpdatedAt: 1000}
}

func TestApply(t *testing.T) {
	version := func(v int64) *int64 { return &v }
	running := queued()
	running.Status, running.Version, running.StartedAt, running.Details = InProgress, 2, 2000, map[string]string{"step": "one"}
	ended := running
	ended.Status, ended.Version = Succeeded, 3

	for _, test := range []struct {
		name   string
		from   Execution
		update Update
		want   Execution // compared when kind is zero
		kind   Kind
	}{
		{
			name: "a start sets startedAt and the job's timer", from: queued(),
			update: Update{By: Device, To: InProgress, JobMinutes: 2},
			want: Execution{
				Thing: "lamp", Job: "fw", Number: 1, Status: InProgress, Version: 2,
				QueuedAt: 1000, StartedAt: 5000, UpdatedAt: 5000, JobDeadline: 125_000,
			},
		},
		{
			name: "a progress report keeps the details it does not mention", from: running,
			update: Update{By: Device, To: InProgress},
			want: Execution{
				Thing: "lamp", Job: "fw", Number: 1, Status: InProgress, Version: 3, Details: map[string]string{"step": "one"},
				QueuedAt: 1000, StartedAt: 2000, UpdatedAt: 5000,
			},
		},
		{
			name: "an empty map clears the details", from: running,
			update: Update{By: Device, To: InProgress, Details: map[string]string{}},
			want: Execution{
				Thing: "lamp", Job: "fw", Number: 1, Status: InProgress, Version: 3,
				QueuedAt: 1000, StartedAt: 2000, UpdatedAt: 5000,
			},
		},
		{
			name: "a queued execution may succeed at once and was never started", from: queued(),
			update: Update{By: Device, To: Succeeded, Details: map[string]string{"a": "b"}, StepMinutes: 5, JobMinutes: 5},
			want: Execution{
				Thing: "lamp", Job: "fw", Number: 1, Status: Succeeded, Version: 2, Details: map[string]string{"a": "b"},
				QueuedAt: 1000, UpdatedAt: 5000,
			},
		},
		{
			name: "force cancels what runs and says so", from: running,
			update: Update{By: Forced, To: Canceled},
			want: Execution{
				Thing: "lamp", Job: "fw", Number: 1, Status: Canceled, Version: 3, Details: map[string]string{"step": "one"},
				QueuedAt: 1000, StartedAt: 2000, UpdatedAt: 5000, ForceCanceled: true,
			},
		},
		{name: "without force what runs goes on", from: running, update: Update{By: Operator, To: Canceled}, kind: InvalidTransition},
		{name: "only the clock times out", from: running, update: Update{By: Device, To: TimedOut}, kind: InvalidTransition},
		{name: "a timer does not run while queued", from: queued(), update: Update{By: Clock, To: TimedOut}, kind: InvalidTransition},
		{name: "final means final", from: ended, update: Update{By: Device, To: Succeeded}, kind: InvalidTransition},
		{name: "the version comes before the transition", from: ended, update: Update{By: Device, To: Succeeded, ExpectedVersion: version(1)}, kind: VersionConflict},
		{name: "strictness refuses a late rejection", from: running, update: Update{By: Device, To: Rejected, Strict: true}, kind: InvalidTransition},
	} {
		t.Run(test.name, func(t *testing.T) {
			given := test.from
			got, err := test.from.Apply(test.update, 5000)
			if !test.from.Equal(given) {
				t.Errorf("Apply changed what it was given to %+v", test.from)
			}
			if test.kind == 0 {
				if err != nil || !got.Equal(test.want) {
					t.Errorf("Apply = %+v, %v\nwant %+v", got, err, test.want)
				}
				return
			}
			var e *Error
			if !errors.As(err, &e) || e.Kind != test.kind || e.State == nil || !e.State.Equal(given) {
				t.Errorf("Apply error = %#v, want kind %d with the state as it is", err, test.kind)
			}
			if !got.Equal(given) {
				t.Errorf("a refused Apply returned %+v, want the execution as it was", got)
			}
		})
	}
}

// The worked example of jobs-lifecycle.md section 8.
func TestStepTimers(t *testing.T) {
	at := func(minute int) Instant { return Instant(12*60+minute) * 60_000 }
	e, err := queued().Apply(Update{By: Device, To: InProgress, JobMinutes: 20}, at(0))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		minute, step int
		want         Instant
	}{
		{0, NoStep, at(20)}, {5, 7, at(12)}, {10, 5, at(15)}, {13, 9, at(20)}, {14, NoStep, at(20)}, {15, ClearStep, at(20)},
	} {
		if e, err = e.Apply(Update{By: Device, To: InProgress, StepMinutes: row.step}, at(row.minute)); err != nil {
			t.Fatal(err)
		}
		if got := e.Deadline(); got != row.want {
			t.Errorf("at 12:%02d with step %d the deadline is %v, want %v", row.minute, row.step, got.Time(), row.want.Time())
		}
	}
}

// For random updates in any order: the version grows by one with each accepted change
// and never otherwise, final states stay, and timers run only while IN_PROGRESS.
func TestApplyProperties(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		e, now := queued(), Instant(1000)
		for range 12 {
			now += Instant(rng.IntN(100_000))
			u := Update{
				By: Actor(1 + rng.IntN(5)), To: Status(1 + rng.IntN(8)),
				StepMinutes: rng.IntN(4) - 1, JobMinutes: rng.IntN(3), Strict: rng.IntN(2) == 0,
			}
			next, err := e.Apply(u, now)
			if err != nil {
				if !next.Equal(e) {
					t.Fatalf("a refused %+v changed %+v to %+v", u, e, next)
				}
				continue
			}
			switch {
			case e.Status.Terminal():
				t.Fatalf("%+v moved on from the final %+v", u, e)
			case next.Version != e.Version+1 || next.UpdatedAt != now || next.Status != u.To:
				t.Fatalf("%+v made %+v of %+v", u, next, e)
			case next.Status != InProgress && next.Deadline() != 0:
				t.Fatalf("a timer runs in %+v", next)
			case e.StartedAt != 0 && next.StartedAt != e.StartedAt:
				t.Fatalf("startedAt moved from %+v to %+v", e, next)
			case e.JobDeadline != 0 && next.Status == InProgress && next.JobDeadline != e.JobDeadline:
				t.Fatalf("the in-progress timer moved from %+v to %+v", e, next)
			}
			e = next
		}
	}
}

func TestMovesLeaveEveryFinalStateAlone(t *testing.T) {
	reached := map[Status]bool{Queued: true}
	for from, to := range func(yield func(Status, Status) bool) {
		Moves(func(from, to Status, _ Actor) bool { return yield(from, to) })
	} {
		if from.Terminal() {
			t.Errorf("there is a move from the final %s to %s", from, to)
		}
		reached[to] = true
	}
	for _, s := range Statuses() {
		if !reached[s] {
			t.Errorf("nothing ever becomes %s", s)
		}
		if got, ok := ParseStatus(s.String()); !ok || got != s {
			t.Errorf("ParseStatus(%q) = %v, %v", s.String(), got, ok)
		}
	}
	if _, ok := ParseStatus(""); ok {
		t.Error("the empty word is a status")
	}
}

func TestCheckStep(t *testing.T) {
	for minutes, ok := range map[int64]bool{-2: false, -1: true, 0: false, 1: true, 10080: true, 10081: false, 1 << 40: false} {
		if err := CheckStep(minutes); (err == nil) != ok {
			t.Errorf("CheckStep(%d) = %v, want ok %v", minutes, err, ok)
		}
	}
}
