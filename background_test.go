package muster

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

// A record as version 0.1.0 and all before it have it: byte for byte, since
// folders of these go on.
func TestTheRecordOfAJobStays(t *testing.T) {
	const full = `{"ID":"fw","Namespace":"n","Targets":[{"Group":true,"Name":"g","ID":"i"}],"Selection":1,"Description":"d","Comment":"c","ReasonCode":"r","DocumentSource":"s","TemplateARN":"t","Config":{},"Links":true,"Packages":[{"Package":"p","Version":"1"}],"Status":2,"ForceCanceled":true,"CreatedAt":1,"UpdatedAt":2,"CompletedAt":3,"Gaps":true,"Rollout":{"Done":true,"Started":4,"Target":5,"Group":"g","After":"a","Pace":{},"Held":true},"PaceJoiners":true,"Waiting":true,"Over":true,"Settling":true,"Revealing":true,"Revealed":{"QueuedAt":6,"Thing":"x","Number":7},"Wake":8}`
	const empty = `{"ID":"fw","Namespace":"","Targets":null,"Selection":0,"Description":"","Comment":"","ReasonCode":"","DocumentSource":"","TemplateARN":"","Config":{},"Links":false,"Packages":null,"Status":1,"ForceCanceled":false,"CreatedAt":0,"UpdatedAt":0,"CompletedAt":0,"Gaps":false,"Rollout":{"Done":false,"Started":0,"Target":0,"Group":"","After":"","Pace":{}},"PaceJoiners":false,"Waiting":false,"Over":false,"Settling":false,"Revealing":false,"Revealed":{"QueuedAt":0,"Thing":"","Number":0},"Wake":0}`
	for _, record := range []string{full, empty} {
		var j Job
		if err := json.Unmarshal([]byte(record), &j); err != nil {
			t.Fatal(err)
		}
		if got, err := json.Marshal(j); err != nil || string(got) != record {
			t.Errorf("the record is written as %s, %v; want %s", got, err, record)
		}
	}
	var j Job
	if err := json.Unmarshal([]byte(full), &j); err != nil {
		t.Fatal(err)
	}
	want := Background{Waiting: true, Over: true, Settling: true, Revealing: true, Revealed: Mark{QueuedAt: 6, Thing: "x", Number: 7}, Wake: 8}
	if j.Background != want {
		t.Errorf("Background = %+v, want %+v", j.Background, want)
	}
}

func flagsOf(j Job) []JobFlag {
	return slices.DeleteFunc(JobFlags(), func(f JobFlag) bool { return !j.Has(f) })
}

func TestNote(t *testing.T) {
	type flags = []JobFlag
	place := Rollout{Started: 3, Target: 1, Group: "house", After: "lamp", Pace: Pace{Rate: 5}}
	done := Rollout{Done: true, Started: 3, Pace: Pace{Rate: 5}}
	windowed := Job{Status: JobInProgress, Selection: Continuous, Config: JobConfig{Schedule: Schedule{Windows: []MaintenanceWindow{{}}}}, Rollout: place}
	windowed.Revealed = Mark{Thing: "lamp"}
	plain := Job{Status: JobInProgress, Rollout: place}
	held := plain.Note(JobIsHeld)
	for _, test := range []struct {
		name     string
		j        Job
		event    JobEvent
		flags    flags
		rollout  Rollout
		revealed Mark
	}{
		{"a window closes", windowed, JobPauses, flags{FlagRevealing}, place, Mark{}},
		{"a window opens", windowed, JobStarts, flags{FlagRevealing}, place, Mark{}},
		{"without windows nothing is revealed", plain, JobStarts, nil, place, Mark{}},
		{"things are told", windowed.Note(JobPauses), JobIsRevealed, nil, place, Mark{}},
		{"a job that waited is paused", windowed.Note(JobMustWait), JobPauses, flags{FlagRevealing}, place, Mark{}},
		{"its turn comes", plain.Note(JobMustWait), JobMayGoOn, nil, place, Mark{}},
		{"a job that waited is cancelled", plain.Note(JobMustWait), JobIsCanceled, flags{FlagSettling}, place, Mark{}},
		{"its executions have ended", plain.Note(JobIsCanceled), JobIsSettled, nil, place, Mark{}},
		{"the end time comes while a job is held", held, JobEnds, flags{FlagOver, FlagRolledOut}, done, Mark{}},
		{"and cancels what is pending", plain, JobEndsCanceling, flags{FlagSettling, FlagOver, FlagRolledOut}, done, Mark{}},
		{"in the middle of a window", windowed, JobEnds, flags{FlagRevealing, FlagOver, FlagRolledOut}, done, Mark{}},
		{"before the job has started", Job{}, JobEnds, flags{FlagOver, FlagRolledOut}, Rollout{Done: true, Started: 1}, Mark{}},
		{"every target has been expanded", plain, JobIsRolledOut, flags{FlagRolledOut}, done, Mark{}},
		{"a target is added", plain.Note(JobIsRolledOut), JobGainsTargets, nil, Rollout{Started: 3, Pace: Pace{Rate: 5}}, Mark{}},
		{"the last execution ends before all things are told", windowed.Note(JobEndsCanceling), JobFinishes, flags{FlagOver, FlagRolledOut}, done, Mark{}},
	} {
		got := test.j.Note(test.event)
		if !slices.Equal(flagsOf(got), test.flags) || got.Rollout != test.rollout || got.Revealed != test.revealed {
			t.Errorf("%s: %s, %+v, %+v; want %s, %+v, %+v", test.name, flagsOf(got), got.Rollout, got.Revealed, test.flags, test.rollout, test.revealed)
		}
		if got.Status != test.j.Status {
			t.Errorf("%s: Note made the status %s", test.name, got.Status)
		}
	}
}

// Every state that events can bring a job to, in whatever order: what holds in all
// of them is what jobFlags leaves out of its rows.
func TestFlagsAgreeWithTheStatus(t *testing.T) {
	type state struct {
		status   JobStatus
		windowed bool
		flags    string
	}
	seen := map[state]bool{}
	ahead := []Job{{Status: JobScheduled}, {Status: JobScheduled, Config: JobConfig{Schedule: Schedule{Windows: []MaintenanceWindow{{}}}}}}
	for len(ahead) > 0 {
		j := ahead[0]
		ahead = ahead[1:]
		s := state{j.Status, j.Windowed(), fmt.Sprint(flagsOf(j))}
		if seen[s] {
			continue
		}
		seen[s] = true
		for what, wrong := range map[string]bool{
			"waits and does not roll out":                 j.Waiting && !j.RollsOut(),
			"is held and rolled out":                      j.Rollout.Held && j.Rollout.Done,
			"settles and nothing ended it":                j.Settling && j.Status.Active() && !j.Over,
			"is over and not rolled out":                  j.Over && !j.Rollout.Done,
			"reveals and has no windows":                  j.Revealing && !j.Windowed(),
			"is completed and has work of its executions": j.Status == JobCompleted && (j.Settling || j.Revealing),
		} {
			if wrong {
				t.Errorf("a job %s with the flags %s %s", s.status, s.flags, what)
			}
		}
		for event := JobStarts; event < jobEventCount; event++ {
			if next, happens := after(j, event); happens {
				ahead = append(ahead, next)
			}
		}
	}
	if len(seen) < 30 {
		t.Errorf("events lead to %d states only", len(seen))
	}
}

// after returns j after event, if that can happen to it.
func after(j Job, event JobEvent) (Job, bool) {
	switch event {
	case JobStarts, JobPauses, JobEnds, JobEndsCanceling:
		if j.Over || !j.Status.Active() {
			return j, false
		}
	case JobFinishes:
		if !j.Rollout.Done {
			return j, false
		}
	case JobIsSettled:
		return j.Note(event), j.Settling
	case JobIsRevealed:
		return j.Note(event), j.Revealing
	case JobMustWait, JobIsHeld, JobIsReleased, JobIsRolledOut:
		if event == JobIsRolledOut {
			j = j.BeginRollout(1)
		}
		return j.Note(event), j.RollsOutNow()
	case JobMayGoOn:
		return j.Note(event), j.Waiting
	case JobGainsTargets:
		return j.WithTargets(nil), j.Status == JobInProgress && !j.Over
	}
	if event >= JobEnds {
		return j.Note(event), true
	}
	next, err := j.Apply(event, 1)
	return next, err == nil
}
