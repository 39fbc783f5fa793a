package service

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/reserve"
)

// fillingDisk is a disk whose level a test sets.
type fillingDisk struct{ level atomic.Uint32 }

func (f *fillingDisk) set(l reserve.Level) { f.level.Store(uint32(l)) }

func (f *fillingDisk) room(u reserve.Use, _ int64) error {
	return reserve.Level(f.level.Load()).Check(u)
}

func newFillingEnv(t *testing.T) (*env, *fillingDisk) {
	f := &fillingDisk{}
	return newEnvOn(t, newStore(t), Options{Room: f.room}), f
}

// A rollout waits below the mark, keeps its place, looks again from time to time
// without spinning, and goes on by itself; devices that have the job work on.
func TestARolloutWaitsForRoom(t *testing.T) {
	env, disk := newFillingEnv(t)
	env.fleet("all", 300)
	env.campaign("job1", muster.Snapshot, muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: 60}}, "@all")
	env.minutes(1)
	before := env.queued("job1")
	if before == 0 || before == 300 {
		t.Fatalf("%d executions after a minute; the rollout should be in the middle", before)
	}
	for _, level := range []reserve.Level{reserve.Low, reserve.Critical} {
		disk.set(level)
		env.minutes(3)
		if got := env.queued("job1"); got != before {
			t.Errorf("disk %s: %d executions, want %d as before", level, got, before)
		}
		a, err := env.Work(t.Context())
		if err != nil || a.More || a.Next <= env.clock() || a.Next > env.clock().Add(commit.RoomWait) {
			t.Errorf("disk %s: Work() = %+v, %v at %d, want to be called again within %s", level, a, err, env.clock(), commit.RoomWait)
		}
	}
	env.start("t000")
	env.mustReport("t000", "job1", muster.Succeeded)
	disk.set(reserve.Plenty)
	env.minutes(6)
	if got := env.counts("job1"); got.Of(muster.Queued) != 299 || got.Of(muster.Succeeded) != 1 {
		t.Errorf("with room again there are %v, want 299 queued and 1 succeeded", got)
	}
}

func TestJoinersAtTheirPaceWaitForRoom(t *testing.T) {
	env, disk := newFillingEnv(t)
	env.thing("lamp", "pump", "fan")
	env.group("all", "lamp")
	env.campaign("job1", muster.Continuous, muster.JobConfig{}, "@all")
	if err := env.SetJobOptions(t.Context(), "job1", jobs.JobOptions{PaceJoiners: true}); err != nil {
		t.Fatal(err)
	}
	env.settleDown()
	disk.set(reserve.Low)
	env.moves("pump", "all", "")
	env.settleDown()
	if got := env.queued("job1"); got != 1 {
		t.Errorf("%d executions without room, want 1", got)
	}
	disk.set(reserve.Plenty)
	env.minutes(1)
	if got := env.queued("job1"); got != 2 {
		t.Errorf("%d executions with room again, want 2", got)
	}
}

// What finishes work goes on until the disk is full: time-outs, cancelling and
// deleting.
func TestWorkIsFinishedWithoutRoomToGrow(t *testing.T) {
	env, disk := newFillingEnv(t)
	env.thing("lamp", "pump")
	env.campaign("timed", muster.Snapshot, muster.JobConfig{TimeoutMinutes: 1}, "lamp")
	env.start("lamp")
	env.campaign("doomed", muster.Snapshot, muster.JobConfig{}, "pump")
	disk.set(reserve.Critical)
	env.minutes(2)
	if got := env.counts("timed").Of(muster.TimedOut); got != 1 {
		t.Errorf("%d executions timed out, want 1", got)
	}
	if _, err := env.CancelJob(t.Context(), "doomed", jobs.Cancellation{}); err != nil {
		t.Fatal(err)
	}
	env.settleDown()
	if err := env.DeleteJob(t.Context(), "doomed", nil, false); err != nil {
		t.Fatal(err)
	}
	env.settleDown()
	if _, err := env.DescribeJob(t.Context(), "doomed"); err == nil {
		t.Error("the deleted job is still there")
	}
}

// On a full disk nothing is written, nothing spins, and everything can be read.
func TestAFullDiskIsOnlyRead(t *testing.T) {
	env, disk := newFillingEnv(t)
	env.thing("lamp")
	env.campaign("job1", muster.Snapshot, muster.JobConfig{TimeoutMinutes: 1}, "lamp")
	env.start("lamp")
	disk.set(reserve.Full)
	_, err := env.report("lamp", "job1", muster.Succeeded)
	if refusal, ok := errors.AsType[*muster.Error](err); !ok || refusal.Kind != muster.NoRoom {
		t.Errorf("a report = %v, want NoRoom", err)
	}
	if _, err := env.CreateThing(t.Context(), muster.Thing{Name: "pump"}); err == nil {
		t.Error("CreateThing() = nil on a full disk")
	}
	if d := env.describe("lamp", "job1"); d.Execution.Status != muster.InProgress {
		t.Errorf("the execution is %s, want IN_PROGRESS", d.Execution.Status)
	}
	env.pass(120_000)
	a, err := env.Work(t.Context())
	if err != nil || a.More || a.Next != env.clock().Add(commit.RoomWait) {
		t.Errorf("Work() = %+v, %v; want to be called again in %s", a, err, commit.RoomWait)
	}
	disk.set(reserve.Plenty)
	env.settleDown()
	if got := env.counts("job1").Of(muster.TimedOut); got != 1 {
		t.Errorf("%d executions timed out with room again, want 1", got)
	}
}
