package explain

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/rollout"
)

var update = flag.Bool("update", false, "write the golden files")

// now is an instant of tests: a Saturday.
var now = muster.At(time.Date(2026, 11, 28, 8, 29, 22, 0, time.UTC))

// certificate is the id of one.
const certificate = "5c1d9aa3b0e4f6875c1d9aa3b0e4f6875c1d9aa3b0e4f6875c1d9aa3b0e4f687"

func ago(d time.Duration) muster.Instant { return now.Add(-d) }

// ready returns facts of a thing whose device is connected and listens, and a job that rolls out and has not reached it.
func ready() Facts {
	return Facts{
		Now: now, Account: muster.Account{ID: "000000000000", Region: "eu-central-1"}, Thing: "pump-7", JobID: "fw", HasThing: true,
		Job: &Job{Job: muster.Job{
			ID: "fw", Status: muster.JobInProgress, CreatedAt: ago(time.Hour), UpdatedAt: ago(time.Hour),
			Targets: []muster.Target{{Group: true, Name: "hall"}},
			Config:  muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: 5}},
			Rollout: muster.Rollout{Started: ago(time.Hour)},
		}},
		Target: Target{State: NotReached, Group: "hall", Ahead: 12},
		Device: Device{
			Certificates: []Certificate{{ID: certificate, Status: muster.CertificateActive, Policies: []string{"devices"}}},
			Connectivity: muster.Connectivity{Connected: true, At: ago(2 * time.Hour)},
			Diary:        muster.Diary{Came: muster.Arrival{At: ago(2 * time.Hour)}},
			DiaryAsOf:    ago(2 * time.Second), Listens: Yes,
		},
	}
}

// given returns facts of the same with an execution that has a status.
func given(status muster.Status) Facts {
	f := ready()
	x := muster.Execution{Thing: f.Thing, Job: f.JobID, Number: 1, Status: status, Version: 1, QueuedAt: ago(40 * time.Minute), UpdatedAt: ago(40 * time.Minute)}
	if status != muster.Queued {
		x.StartedAt, x.UpdatedAt = ago(30*time.Minute), ago(20*time.Minute)
	}
	f.Execution = &x
	f.Target = Target{State: Reached, Group: "hall"}
	if !status.Terminal() {
		f.Queue.Entries = []muster.Entry{entryOf(x)}
	}
	return f
}

func entryOf(x muster.Execution) muster.Entry {
	return muster.Entry{Job: x.Job, Number: x.Number, Version: x.Version, Status: x.Status, QueuedAt: x.QueuedAt, StartedAt: x.StartedAt, UpdatedAt: x.UpdatedAt, Windowed: x.Windowed}
}

// behindOf puts another execution before the one of f.
func behindOf(f *Facts, first muster.Execution) {
	f.Queue.Entries = append(f.Queue.Entries, entryOf(first))
	slices.SortFunc(f.Queue.Entries, func(a, b muster.Entry) int { return strings.Compare(string(a.Job), string(b.Job)) })
	f.Queue.First = &first
}

// windowed gives the job of f a window that opens at two in the night.
func windowed(f *Facts) {
	f.Job.Selection = muster.Continuous
	f.Job.Status = muster.JobScheduled
	f.Job.Config.Schedule.Windows = []muster.MaintenanceWindow{{StartTime: "cron(0 2 * * ? *)", DurationMinutes: 60}}
}

// away has the device disconnect.
func away(f *Facts) {
	f.Device.Connectivity = muster.Connectivity{At: ago(25 * time.Minute), Reason: "MQTT_KEEP_ALIVE_TIMEOUT"}
	f.Device.Diary.Left = muster.Departure{At: ago(25 * time.Minute), Reason: "MQTT_KEEP_ALIVE_TIMEOUT"}
	f.Device.Listens = No
}

// situations has one of each kind, by the code and what is particular.
var situations = []struct {
	name string
	code Code
	of   muster.Status // of the execution; zero for none
	with func(*Facts)
}{
	{"no thing", NoThing, 0, func(f *Facts) { f.HasThing = false }},
	{"no job", NoJob, 0, func(f *Facts) { f.Job = nil }},

	{"succeeded", Ended, muster.Succeeded, nil},
	{"failed and says why", Ended, muster.Failed, func(f *Facts) {
		f.Execution.Details = map[string]string{"step": "verify", "reason": "flash verify mismatch at 0x8000", "a": "b"}
	}},
	{"failed after its retries", Ended, muster.Failed, func(f *Facts) {
		f.Job.Config.Retry = []muster.RetryCriterion{{Failure: muster.FailureFailed, Max: 2}}
		f.Execution.Retries.Failed = 2
	}},
	{"failed with retries that it does not get", Ended, muster.Failed, func(f *Facts) {
		f.Job.Config.Retry = []muster.RetryCriterion{{Failure: muster.FailureAll, Max: 3}}
		f.Execution.Retries.TimedOut = 1
		f.Target.State = LeftTargets
	}},
	{"rejected days ago", Ended, muster.Rejected, func(f *Facts) { f.Execution.UpdatedAt = ago(60 * time.Hour) }},
	{"timed out", Ended, muster.TimedOut, nil},
	{"removed", Ended, muster.Removed, nil},
	{"cancelled by a user", Ended, muster.Canceled, func(f *Facts) { f.End.Who = "ann" }},
	{"cancelled with its job", Ended, muster.Canceled, func(f *Facts) {
		f.Job.Status, f.Job.UpdatedAt, f.Job.CanceledBy = muster.JobCanceled, f.Execution.UpdatedAt, "user ann"
	}},
	{"cancelled with its job, by nobody knows whom", Ended, muster.Canceled, func(f *Facts) {
		f.Job.Status, f.Job.UpdatedAt = muster.JobCanceled, f.Execution.UpdatedAt
	}},
	{"cancelled before its job was", Ended, muster.Canceled, func(f *Facts) {
		f.Job.Status, f.Job.UpdatedAt, f.Job.CanceledBy = muster.JobCanceled, f.Execution.UpdatedAt+1, "user ann"
	}},
	{"cancelled by an abort", Ended, muster.Canceled, func(f *Facts) {
		aborted(f)
		f.Job.UpdatedAt = f.Execution.UpdatedAt
	}},
	{"cancelled at the end time", Ended, muster.Canceled, func(f *Facts) {
		f.Job.Over = true
		f.Job.Config.Schedule = muster.Schedule{StartTime: "2026-11-28 06:00", EndTime: "2026-11-28 08:00", EndBehavior: muster.CancelAtEnd}
	}},
	{"its execution was deleted", Ended, 0, func(f *Facts) { f.Target.State = Reached }},

	{"the job completed", JobOver, 0, func(f *Facts) { f.Job.Status, f.Job.CompletedAt = muster.JobCompleted, ago(time.Minute) }},
	{"the job was cancelled", JobOver, 0, func(f *Facts) { f.Job.Status, f.Job.CanceledBy = muster.JobCanceled, "user ann" }},
	{"the job was cancelled by nobody knows whom", JobOver, 0, func(f *Facts) {
		f.Job.Status, f.Job.Comment, f.Job.ReasonCode = muster.JobCanceled, "wrong version", "OPS"
	}},
	{"the job was aborted", JobOver, 0, aborted},
	{"the job is being deleted", JobOver, 0, func(f *Facts) { f.Job.Status = muster.JobDeleting }},
	{"the job is past its end", JobOver, 0, func(f *Facts) {
		f.Job.Config.Schedule = muster.Schedule{StartTime: "2026-11-28 06:00", EndTime: "2026-11-28 08:00"}
	}},
	{"the job is past its end and takes back what is queued", JobOver, muster.Queued, func(f *Facts) {
		f.Job.Config.Schedule = muster.Schedule{StartTime: "2026-11-28 06:00", EndTime: "2026-11-28 08:00", EndBehavior: muster.CancelAtEnd}
	}},
	{"the job is cancelled by force", JobOver, muster.InProgress, func(f *Facts) { f.Job.Status, f.Job.ForceCanceled = muster.JobCanceled, true }},

	{"in no target", NotInTargets, 0, func(f *Facts) {
		f.Target = Target{}
		for _, name := range []string{"attic", "cellar", "yard"} {
			f.Job.Targets = append(f.Job.Targets, muster.Target{Group: true, Name: name})
		}
	}},
	{"in no target of a continuous job", NotInTargets, 0, func(f *Facts) { f.Target, f.Job.Selection = Target{}, muster.Continuous }},
	{"joined late", NotInTargets, 0, func(f *Facts) { f.Target = Target{State: JoinedLate, Group: "hall", JoinedAt: ago(time.Minute)} }},
	{"joined late, it is not known when", NotInTargets, 0, func(f *Facts) { f.Target = Target{State: JoinedLate, Group: "hall"} }},
	{"left", NotInTargets, 0, func(f *Facts) { f.Target, f.Job.Selection = Target{State: LeftTargets}, muster.Continuous }},
	{"does not match", NotInTargets, 0, func(f *Facts) {
		f.Target = Target{Group: "canaries", Query: "attributes.ring:canary AND thingTypeName:pump", Fails: "attributes.ring:canary", Has: "prod"}
	}},
	{"does not match, having nothing", NotInTargets, 0, func(f *Facts) {
		f.Target = Target{Group: "canaries", Query: "attributes.ring:canary", Fails: "attributes.ring:canary"}
	}},

	{"starts later", JobScheduled, 0, func(f *Facts) {
		f.Job.Status, f.Job.Rollout.Started = muster.JobScheduled, 0
		f.Job.Config.Schedule.StartTime = "2026-11-28 09:00"
	}},
	{"starts tomorrow, with windows", JobScheduled, 0, func(f *Facts) {
		windowed(f)
		f.Job.Rollout.Started, f.Job.Config.Schedule.StartTime = 0, "2026-11-29 01:00"
	}},
	{"a group is built", GroupBuilding, 0, func(f *Facts) {
		f.Job.Rollout.Held = true
		f.Job.Building = Building{Group: "canaries", Looked: 430, Of: 1000, Since: ago(43 * time.Second)}
	}},
	{"a group is built, it is not known which", GroupBuilding, 0, func(f *Facts) { f.Job.Rollout.Held = true }},
	{"a group is built, and the thing may be in it", GroupBuilding, 0, func(f *Facts) {
		f.Target = Target{}
		f.Job.Building = Building{Group: "canaries"}
	}},
	{"joined before the group is built", GroupBuilding, 0, func(f *Facts) {
		f.Job.Rollout.Held = true
		f.Target = Target{State: JoinedLate, Group: "hall", JoinedAt: ago(time.Minute)}
	}},
	{"in line", JobInLine, 0, func(f *Facts) {
		f.Job.Waiting, f.Job.Line = true, Line{Place: 2, Of: 3, Before: []muster.JobID{"cfg-1", "cfg-2"}}
	}},
	{"in line, it is not known where", JobInLine, 0, func(f *Facts) { f.Job.Waiting = true }},
	{"the rate", WaitingForRate, 0, nil},
	{"the rate, next", WaitingForRate, 0, func(f *Facts) { f.Target.Ahead = 0 }},
	{"the rate, one before", WaitingForRate, 0, func(f *Facts) { f.Target.Ahead, f.Target.About = 1, true }},
	{"the rate, many before", WaitingForRate, 0, func(f *Facts) { f.Target.Ahead, f.Target.AtLeast = 10_000, true }},
	{"no rate", WaitingForRate, 0, func(f *Facts) { f.Job.Config.Rollout.MaximumPerMinute = 0 }},
	{"no rate, next", WaitingForRate, 0, func(f *Facts) { f.Job.Config.Rollout.MaximumPerMinute, f.Target.Ahead = 0, 0 }},
	{"a rate that grows", WaitingForRate, 0, func(f *Facts) {
		f.Job.Config.Rollout = muster.RolloutConfig{MaximumPerMinute: 100, Exponential: &muster.ExponentialRate{BasePerMinute: 10, Factor: 2, NotifiedThings: 20}}
		f.Target.Ahead = 1_000
	}},
	{"no room", WaitingForRate, 0, func(f *Facts) { f.Job.NoRoom = true }},
	{"to join", WaitingToJoin, 0, func(f *Facts) {
		f.Job.Selection = muster.Continuous
		f.Target = Target{State: JoinWaits, Group: "hall", JoinedAt: ago(time.Minute), Ahead: 7}
	}},
	{"to join again", WaitingToJoin, muster.Succeeded, func(f *Facts) {
		f.Job.Selection = muster.Continuous
		f.Target = Target{State: JoinWaits, Group: "hall", JoinedAt: ago(time.Minute), Ahead: 7}
	}},
	{"outside windows", WindowClosed, 0, windowed},
	{"outside windows, hidden", WindowClosed, muster.Queued, windowed},
	{"outside the last window", WindowClosed, 0, func(f *Facts) {
		windowed(f)
		f.Job.Config.Schedule.StartTime, f.Job.Config.Schedule.EndTime = "2026-11-27 01:00", "2026-11-29 01:00"
	}},
	{"a retry waits", RetryWaits, muster.Failed, func(f *Facts) {
		windowed(f)
		f.End.Retry = true
		f.Job.Config.Retry = []muster.RetryCriterion{{Failure: muster.FailureFailed, Max: 3}}
	}},
	{"a retry waits no longer", RetryWaits, muster.TimedOut, func(f *Facts) {
		windowed(f)
		f.End.Retry = true
		f.Job.Config.Schedule.Windows[0].StartTime = "cron(0 8 * * ? *)"
	}},

	{"beyond the list", BeyondTheList, muster.Queued, func(f *Facts) { many(f, muster.PlainCap, false) }},
	{"beyond the list of jobs with windows", BeyondTheList, muster.Queued, func(f *Facts) { many(f, muster.WindowedCap, true) }},
	{"behind one at work", Behind, muster.Queued, func(f *Facts) {
		behindOf(f, muster.Execution{Job: "cfg-3", Number: 1, Status: muster.InProgress, QueuedAt: ago(2 * time.Hour), StartedAt: ago(time.Hour)})
	}},
	{"behind one at work with a deadline", Behind, muster.Queued, func(f *Facts) {
		behindOf(f, muster.Execution{Job: "cfg-3", Number: 1, Status: muster.InProgress, QueuedAt: ago(2 * time.Hour), StartedAt: ago(time.Hour), JobDeadline: now.Minutes(5)})
	}},
	{"behind one that is queued", Behind, muster.Queued, func(f *Facts) {
		behindOf(f, muster.Execution{Job: "cfg-3", Number: 1, Status: muster.Queued, QueuedAt: ago(30 * time.Hour)})
	}},

	{"another namespace", OtherNamespace, muster.Queued, func(f *Facts) {
		f.Device.Listens, f.Device.Elsewhere = No, []muster.Namespace{"aws-gg-deployment"}
	}},
	{"the default namespace only", OtherNamespace, muster.Queued, func(f *Facts) {
		f.Job.Namespace = "blue"
		f.Device.Listens, f.Device.Elsewhere = No, []muster.Namespace{""}
	}},
	{"refused to subscribe", Refused, muster.Queued, func(f *Facts) {
		f.Device.Diary.Denied = muster.Denial{At: ago(time.Minute), Action: "iot:Subscribe", Resource: "topicfilter/$aws/things/pump-7/jobs/notify-next", Count: 4}
	}},
	{"denied to receive", Refused, muster.Queued, func(f *Facts) {
		f.Device.Diary.Denied = muster.Denial{At: ago(time.Minute), Action: "iot:Receive", Resource: "topic/$aws/things/pump-7/jobs/notify", Policy: "devices", Statement: "#2", Count: 1, AsClientID: true}
	}},
	{"refused to connect", Refused, muster.Queued, func(f *Facts) {
		away(f)
		f.Device.Certificates[0].Status = muster.CertificateInactive
		f.Device.Diary.Refused = muster.ConnectRefusal{At: ago(time.Minute), AsClientID: true, Why: "the certificate is INACTIVE", Certificate: certificate, Count: 9}
	}},
	{"refused to report", Refused, muster.InProgress, func(f *Facts) {
		f.Device.Diary.Denied = muster.Denial{At: ago(time.Minute), Action: "iot:Publish", Resource: "topic/$aws/things/pump-7/jobs/fw/update", Count: 2}
	}},
	{"refused what is no matter of jobs", NotListening, muster.Queued, func(f *Facts) {
		f.Device.Listens = No
		f.Device.Diary.Denied = muster.Denial{At: ago(time.Minute), Action: "iot:Publish", Resource: "topic/telemetry/pump-7", Count: 2}
	}},
	{"never connected", NeverConnected, muster.Queued, stranger},
	{"never connected, without certificate", NeverConnected, muster.Queued, func(f *Facts) { stranger(f); f.Device.Certificates = nil }},
	{"never connected, inactive", NeverConnected, muster.Queued, func(f *Facts) {
		stranger(f)
		f.Device.Certificates[0].Status = muster.CertificateInactive
	}},
	{"never connected, expired", NeverConnected, muster.Queued, func(f *Facts) {
		stranger(f)
		f.Device.Certificates[0].NotAfter = ago(50 * time.Hour)
	}},
	{"never connected, without policy", NeverConnected, muster.Queued, func(f *Facts) {
		stranger(f)
		f.Device.Certificates[0].Policies = nil
	}},
	{"offline", Offline, muster.Queued, away},
	{"offline with a session", Offline, muster.Queued, func(f *Facts) {
		away(f)
		f.Device.Listens, f.Device.Diary.Left.Kept = Yes, now.Minutes(35)
	}},
	{"offline since days", Offline, muster.Queued, func(f *Facts) {
		away(f)
		f.Device.Connectivity = muster.Connectivity{At: ago(80 * time.Hour), Reason: muster.UnknownReason}
		f.Device.Diary.Left = muster.Departure{}
		f.Device.Diary.Came.At = ago(90 * time.Hour)
	}},
	{"a request long ago", Offline, muster.Queued, func(f *Facts) {
		stranger(f)
		f.Device.Diary.HTTPS = ago(11 * time.Minute)
	}},
	{"asked and went", Offline, muster.Queued, func(f *Facts) {
		away(f)
		f.Device.Diary.Asked = muster.Request{At: ago(30 * time.Minute), Operation: "DescribeJobExecution"}
	}},
	{"not listening", NotListening, muster.Queued, func(f *Facts) { f.Device.Listens = No }},
	{"asks wrongly", AsksWrongly, muster.Queued, func(f *Facts) {
		f.Device.Diary.Failed = muster.Request{At: ago(time.Minute), Operation: "UpdateJobExecution", Code: "InvalidRequest", Message: "The status is not one that a device may report", Job: "fw", Count: 3}
	}},
	{"reports with an old version", AsksWrongly, muster.InProgress, func(f *Facts) {
		f.Device.Diary.Failed = muster.Request{At: ago(time.Minute), Operation: "UpdateJobExecution", Code: "VersionMismatch", Job: "fw", Count: 1}
	}},
	{"throttled", Throttled, muster.Queued, func(f *Facts) {
		f.Device.Diary.Failed = muster.Request{At: ago(300 * time.Millisecond), Operation: "StartNextPendingJobExecution", Code: "RequestThrottled", Count: 12}
	}},
	{"told", Told, muster.Queued, func(f *Facts) {
		f.Device.Diary.Told = muster.Telling{At: ago(39 * time.Minute), Job: "fw"}
		f.Others = Others{Sample: 300, ToStart: 50 * minute}
	}},
	{"told and acknowledged", Told, muster.Queued, func(f *Facts) {
		f.Device.Diary.Told = muster.Telling{At: ago(39 * time.Minute), Acked: ago(39 * time.Minute), Job: "fw"}
	}},
	{"asked and did not start", Told, muster.Queued, func(f *Facts) {
		f.Device.Diary.Asked = muster.Request{At: ago(9 * time.Minute), Operation: "GetPendingJobExecutions"}
	}},
	{"not known to be told", Told, muster.Queued, nil},
	{"asks over HTTPS", Told, muster.Queued, func(f *Facts) {
		stranger(f)
		f.Device.Diary.HTTPS = ago(9 * time.Minute)
		f.Execution.QueuedAt = ago(8 * time.Minute)
	}},
	{"nobody knows who listens", Told, muster.Queued, func(f *Facts) { away(f); f.Device.Listens = NotKnown }},

	{"the link expired", LinkExpired, muster.InProgress, func(f *Facts) {
		f.Job.Links, f.Execution.PresignedAt = true, ago(30*time.Minute)
		f.Job.Config.Presigned = muster.PresignedConfig{RoleARN: "arn:aws:iam::000000000000:role/downloads", ExpiresInSec: 900}
	}},
	{"silent", Silent, muster.InProgress, func(f *Facts) { f.Others = Others{Sample: 300, Silence99: 2 * minute} }},
	{"silent with a deadline", Silent, muster.InProgress, func(f *Facts) {
		f.Others = Others{Sample: 300, Silence99: 2 * minute}
		f.Execution.StepDeadline = now.Minutes(2)
	}},
	{"offline at work", Silent, muster.InProgress, func(f *Facts) {
		away(f)
		f.Execution.UpdatedAt = ago(26 * time.Minute)
	}},
	{"working", Working, muster.InProgress, func(f *Facts) { f.Execution.Details = map[string]string{"step": "download 43 %"} }},
	{"working slowly", Working, muster.InProgress, func(f *Facts) {
		f.Execution.JobDeadline, f.Job.Config.TimeoutMinutes = now.Minutes(30), 60
		f.Others = Others{Sample: 300, Work90: 12 * minute}
	}},
	{"working without a word", Working, muster.InProgress, func(f *Facts) { f.Execution.UpdatedAt = f.Execution.StartedAt }},
	{"working for a cancelled job", Working, muster.InProgress, func(f *Facts) { f.Job.Status = muster.JobCanceled }},
}

// others are situations that look like one of those and are none.
var others = []struct {
	name string
	code Code
	of   muster.Status
	with func(*Facts)
}{
	{"a gateway listens, and the device keeps no session any more", Told, muster.Queued, func(f *Facts) {
		away(f)
		f.Device.Listens, f.Device.Diary.Left.Kept = Yes, ago(time.Minute)
	}},
	{"a gateway listens for a device that was never seen", Told, muster.Queued, func(f *Facts) { stranger(f); f.Device.Listens = Yes }},
	{"it is not known who listens for a device that was never seen", Told, muster.Queued, func(f *Facts) { stranger(f); f.Device.Listens = NotKnown }},
	{"it is not known who listens for a device that is connected", Told, muster.Queued, func(f *Facts) { f.Device.Listens = NotKnown }},
	{"refused to publish before its last report", Working, muster.InProgress, func(f *Facts) {
		f.Device.Diary.Denied = muster.Denial{At: ago(25 * time.Minute), Action: "iot:Publish", Resource: "topic/$aws/things/pump-7/jobs/fw/update", Count: 2}
	}},
	{"refused to connect before its last report", Working, muster.InProgress, func(f *Facts) {
		away(f)
		f.Device.Listens = NotKnown
		f.Device.Diary.Refused = muster.ConnectRefusal{At: ago(22 * time.Minute), Why: "the certificate is INACTIVE", Count: 9}
		f.Device.Diary.Came.At = ago(2 * time.Hour)
	}},
	{"another client of its name is refused", Told, muster.Queued, func(f *Facts) {
		f.Device.Diary.Refused = muster.ConnectRefusal{At: ago(time.Minute), Why: "the certificate is INACTIVE", Count: 9}
	}},
	{"refused to connect before it came", Offline, muster.Queued, func(f *Facts) {
		away(f)
		f.Device.Diary.Refused = muster.ConnectRefusal{At: ago(3 * time.Hour), Why: "the certificate is INACTIVE", Count: 9}
	}},
	{"nothing was refused since an action succeeded", Told, muster.Queued, func(f *Facts) {
		f.Device.Diary.Denied = muster.Denial{At: ago(time.Minute), Action: "iot:Subscribe", Resource: "topicfilter/$aws/things/pump-7/jobs/notify"}
	}},
	{"a request failed before there was the job", Told, muster.Queued, func(f *Facts) {
		f.Device.Diary.Failed = muster.Request{At: ago(50 * time.Minute), Operation: "UpdateJobExecution", Code: "InvalidRequest", Count: 3}
	}},
	{"a request failed for another job", Told, muster.Queued, func(f *Facts) {
		f.Device.Diary.Failed = muster.Request{At: ago(time.Minute), Operation: "UpdateJobExecution", Code: "InvalidRequest", Job: "cfg-3", Count: 3}
	}},
	{"a request failed before its last report", Working, muster.InProgress, func(f *Facts) {
		f.Device.Diary.Failed = muster.Request{At: ago(21 * time.Minute), Operation: "UpdateJobExecution", Code: "VersionMismatch", Job: "fw", Count: 1}
	}},
	{"reported since its URLs expired", Working, muster.InProgress, func(f *Facts) {
		f.Job.Links, f.Execution.PresignedAt, f.Job.Config.Presigned.ExpiresInSec = true, ago(30*time.Minute), 300
	}},
	{"was given no URLs", Working, muster.InProgress, func(f *Facts) { f.Job.Links, f.Job.Config.Presigned.ExpiresInSec = true, 60 }},
	{"reported by other means since it went offline", Working, muster.InProgress, away},
	{"reports as often as others", Working, muster.InProgress, func(f *Facts) { f.Others = Others{Sample: 300, Silence99: 20 * minute} }},
	{"asks in the namespace of the job and listens in another", Told, muster.Queued, func(f *Facts) {
		f.Device.Listens, f.Device.Elsewhere = No, []muster.Namespace{"blue"}
		f.Device.Diary.Asked = muster.Request{At: ago(time.Minute), Operation: "GetPendingJobExecutions"}
	}},
	{"its execution was deleted, and the job is over", JobOver, 0, func(f *Facts) { f.Target.State, f.Job.Over = Reached, true }},
	{"its execution was deleted, and the job is cancelled", JobOver, 0, func(f *Facts) { f.Target.State, f.Job.Status = Reached, muster.JobCanceled }},
	{"a retry that the job gives no more", Ended, muster.Failed, func(f *Facts) { windowed(f); f.End.Retry, f.Job.Over = true, true }},
	{"QUEUED past the end of a job that leaves it", Told, muster.Queued, func(f *Facts) { f.Job.Over = true }},
	{"IN_PROGRESS past the end of a job that takes back what is QUEUED", Working, muster.InProgress, func(f *Facts) {
		f.Job.Over, f.Job.Config.Schedule.EndBehavior = true, muster.CancelAtEnd
	}},
	{"first in its queue, with others after it", Told, muster.Queued, func(f *Facts) {
		behindOf(f, muster.Execution{Job: "cfg-3", Number: 1, Status: muster.Queued, QueuedAt: ago(time.Minute)})
	}},
	{"with a job before it that is hidden", Told, muster.Queued, func(f *Facts) {
		behindOf(f, muster.Execution{Job: "cfg-3", Number: 1, Status: muster.Queued, QueuedAt: ago(time.Hour)})
		f.Queue.Entries[0].Hidden = true
	}},
	{"told of another job", Told, muster.Queued, func(f *Facts) { f.Device.Diary.Told = muster.Telling{At: ago(time.Minute), Job: "cfg-3"} }},
}

func TestSituationsThatLookAlikeAreToldApart(t *testing.T) {
	for _, s := range others {
		f := factsOf(s.of, s.with)
		e := Explain(f)
		if e.Code != s.code {
			t.Errorf("%s: %s: %q, want %s", s.name, e.Code, e.Say, s.code)
		}
		check(t, f, e)
	}
	told := Explain(factsOf(others[len(others)-1].of, others[len(others)-1].with))
	if strings.Contains(told.Say, "told") {
		t.Errorf("it was told of another job: %q", told.Say)
	}
}

func TestAClockThatWasSetBack(t *testing.T) {
	f := given(muster.Succeeded)
	f.Now = f.Execution.UpdatedAt - 1
	if e := Explain(f); e.Code != Ended || e.Since != 0 {
		t.Errorf("%s since %s, want %s since it is not known when", e.Code, orNever(e.Since), Ended)
	}
}

func aborted(f *Facts) {
	f.Job.Status, f.Job.ReasonCode = muster.JobCanceled, rollout.AbortReasonCode
	f.Job.Config.Abort = []muster.AbortCriterion{{Failure: muster.FailureAll, ThresholdPercent: 11.5, MinExecuted: 8}}
	f.Job.Comment, _ = rollout.Abort(f.Job.Config.Abort, muster.Counts{}.Add(muster.Failed, 3).Add(muster.Succeeded, 37).Add(muster.TimedOut, 2))
}

// many puts n other executions before the one of f.
func many(f *Facts, n int, windows bool) {
	f.Execution.Windowed = windows
	f.Queue.Entries[0].Windowed = windows
	for i := range n {
		behindOf(f, muster.Execution{Job: muster.JobID(fmt.Sprintf("cfg-%02d", i)), Number: 1, Status: muster.Queued, QueuedAt: ago(time.Hour) + muster.Instant(i), Windowed: windows})
	}
}

// stranger has the device never seen.
func stranger(f *Facts) {
	f.Device.Connectivity, f.Device.Diary, f.Device.Listens = muster.Connectivity{}, muster.Diary{}, No
}

// factsOf returns the facts of a situation.
func factsOf(of muster.Status, with func(*Facts)) Facts {
	f := ready()
	if of != 0 {
		f = given(of)
	}
	if with != nil {
		with(&f)
	}
	return f
}

func TestEachSituationIsExplained(t *testing.T) {
	var text strings.Builder
	seen := map[Code]bool{}
	for _, s := range situations {
		f := factsOf(s.of, s.with)
		e := Explain(f)
		if e.Code != s.code {
			t.Errorf("%s: %s: %q, want %s", s.name, e.Code, e.Say, s.code)
		}
		if got := CodeOf(f); got != e.Code {
			t.Errorf("%s: CodeOf = %s, Explain has %s", s.name, got, e.Code)
		}
		seen[e.Code] = true
		fmt.Fprintf(&text, "%s\n    %s: %s\n    since %s, next %s", s.name, e.Code, e.Say, orNever(e.Since), orNever(e.Next.At))
		if e.Next.Estimate && e.Next.At != 0 {
			fmt.Fprint(&text, " (estimate)")
		}
		fmt.Fprintf(&text, ": %s\n", e.Next.Say)
		for _, h := range e.Help {
			fmt.Fprintf(&text, "    $ %s  # %s\n", h.Command, h.Say)
		}
		for _, fact := range e.Facts {
			fmt.Fprintf(&text, "    - %s: %s\n", fact.What, fact.Is)
		}
		fmt.Fprintln(&text)
	}
	for _, c := range Codes() {
		if !seen[c] {
			t.Errorf("no situation is %s", c)
		}
	}
	golden(t, "situations.txt", text.String())
}

func orNever(at muster.Instant) string {
	if at == 0 {
		return "-"
	}
	return instant(at)
}

// golden compares text with a file of testdata.
func golden(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("the text is not that of %s; look at the difference, and run with -update if it is meant:\n%s", file, text)
	}
}

func TestTheFormOfAnExplanation(t *testing.T) {
	var text strings.Builder
	for _, s := range situations {
		e := Explain(factsOf(s.of, s.with))
		data, err := json.MarshalIndent(e, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains([]string{"offline", "the rate", "a rate that grows", "no job"}, s.name) {
			fmt.Fprintf(&text, "%s\n", data)
		}
		var read Explanation
		if err := json.Unmarshal(data, &read); err != nil {
			t.Fatal(err)
		}
		if again, err := json.MarshalIndent(read, "", "  "); err != nil || string(again) != string(data) {
			t.Errorf("%s: it was read as %s, want %s", s.name, again, data)
		}
	}
	golden(t, "explanations.json", text.String())
}

func TestWhatIsNoExplanationIsNotRead(t *testing.T) {
	for _, text := range []string{`[]`, `{"execution":{"status":"LOST"}}`, `{"since":"yesterday"}`, `{"next":{"at":7}}`} {
		if err := json.Unmarshal([]byte(text), new(Explanation)); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}

func BenchmarkExplain(b *testing.B) {
	for _, s := range situations {
		if slices.Contains([]string{"offline", "the rate, next", "working", "told"}, s.name) {
			f := factsOf(s.of, s.with)
			b.Run(s.name, func(b *testing.B) {
				for b.Loop() {
					Explain(f)
				}
			})
			b.Run(s.name+", the code only", func(b *testing.B) {
				for b.Loop() {
					CodeOf(f)
				}
			})
		}
	}
	f := ready()
	f.Target.Ahead = 3_000_000
	f.Job.Config.Rollout.MaximumPerMinute = 1000
	b.Run("three million ahead", func(b *testing.B) {
		for b.Loop() {
			Explain(f)
		}
	})
	f = ready()
	windowed(&f)
	f.Job.Config.Schedule.Windows[0].StartTime = "cron(0 8 * * ? *)"
	f.Target.Ahead = 40_000
	b.Run("over many windows", func(b *testing.B) {
		for b.Loop() {
			Explain(f)
		}
	})
}
