package muster

// JobStatus is the state of a job (jobs-lifecycle.md section 2).
type JobStatus uint8

// The five states of a job. The zero JobStatus is not a state: filters use it for
// "any".
const (
	JobScheduled JobStatus = iota + 1
	JobInProgress
	JobCompleted
	JobCanceled
	JobDeleting
)

var jobStatusNames = [...]string{"", "SCHEDULED", "IN_PROGRESS", "COMPLETED", "CANCELED", "DELETION_IN_PROGRESS"}

// JobStatuses lists all states in order.
func JobStatuses() []JobStatus {
	return []JobStatus{JobScheduled, JobInProgress, JobCompleted, JobCanceled, JobDeleting}
}

// String returns the contract's word for s, or "" for the zero JobStatus.
func (s JobStatus) String() string { return jobStatusNames[s] }

// ParseJobStatus returns the JobStatus that word names.
func ParseJobStatus(word string) (JobStatus, bool) { return byName[JobStatus](jobStatusNames[:], word) }

// Active reports whether the job may still create executions.
func (s JobStatus) Active() bool { return s == JobScheduled || s == JobInProgress }

// JobEvent is something that happens to a job as a whole.
type JobEvent uint8

// The events of a job's life: first those that may change its Status (Apply),
// then those that change only its flags (Note).
const (
	JobStarts          JobEvent = iota + 1 // its start time has come, or a maintenance window opened
	JobPauses                              // a maintenance window closed
	JobFinishes                            // rolled out, and every execution is terminal
	JobIsCanceled                          // CancelJob, or an abort criterion
	JobIsForceCanceled                     // CancelJob with force
	JobIsDeleted                           // DeleteJob
	JobIsForceDeleted                      // DeleteJob with force

	JobEnds          // its end time came: what is pending stays
	JobEndsCanceling // its end time came: what is pending is cancelled
	JobIsSettled     // no execution is left that has to end
	JobIsRevealed    // every thing knows that a window opened or closed
	JobMustWait      // too many jobs roll out
	JobMayGoOn       // its turn to roll out came
	JobIsHeld        // a dynamic group among its targets does not know its members
	JobIsReleased    // the group knows them
	JobIsRolledOut   // every target has been expanded
	JobGainsTargets  // AssociateTargets
	jobEventCount    = JobGainsTargets + 1
)

var jobEventNames = [...]string{
	"", "starts", "pauses", "finishes", "CancelJob", "CancelJob with force", "DeleteJob", "DeleteJob with force",
	"ends", "ends and cancels", "is settled", "is revealed", "must wait", "may go on", "is held", "is released", "is rolled out", "AssociateTargets",
}

func (e JobEvent) String() string { return jobEventNames[e] }

// jobMoves is the state machine of a job: from, event, to. An event without a row
// is refused. A forced CancelJob of a cancelled job cancels the executions that the
// first CancelJob left IN_PROGRESS (jobs-lifecycle.md J5, jobs-control-plane.md J8).
var jobMoves = map[JobStatus]map[JobEvent]JobStatus{
	JobScheduled: {
		JobStarts: JobInProgress, JobFinishes: JobCompleted,
		JobIsCanceled: JobCanceled, JobIsForceCanceled: JobCanceled, JobIsForceDeleted: JobDeleting,
	},
	JobInProgress: {
		JobPauses: JobScheduled, JobFinishes: JobCompleted,
		JobIsCanceled: JobCanceled, JobIsForceCanceled: JobCanceled, JobIsForceDeleted: JobDeleting,
	},
	JobCompleted: {JobIsDeleted: JobDeleting, JobIsForceDeleted: JobDeleting},
	JobCanceled:  {JobIsForceCanceled: JobCanceled, JobIsDeleted: JobDeleting, JobIsForceDeleted: JobDeleting},
}

// JobMoves yields every permitted change of a job, in a fixed order.
func JobMoves(yield func(from JobStatus, event JobEvent, to JobStatus) bool) {
	for _, from := range JobStatuses() {
		for event := JobStarts; event < jobEventCount; event++ {
			if to, ok := jobMoves[from][event]; ok && !yield(from, event, to) {
				return
			}
		}
	}
}

// Selection says which members of its target groups a job is for.
type Selection uint8

// The two selections; Snapshot is the contract's default.
const (
	Snapshot   Selection = iota // the members when the rollout starts
	Continuous                  // these, and all that join later
)

func (s Selection) String() string {
	if s == Continuous {
		return "CONTINUOUS"
	}
	return "SNAPSHOT"
}

// Target is a thing or a group that a job is for. It means the resource that had
// the name when it became a target, not a later one of the same name (arbitration
// A22).
type Target struct {
	Group bool // Name is a GroupName; otherwise it is a ThingName
	Name  string
	ID    string `json:",omitempty"` // of that thing or group; empty in a request, which means the existing one
}

// Job is an operator's order to send a document to the things of its targets. The
// document is stored apart from it, since most readers of a job do not need it. Jobs
// are values; rules return changed copies.
type Job struct {
	ID             JobID
	Namespace      Namespace
	Targets        []Target
	Selection      Selection
	Description    string
	Comment        string // from the latest cancel, abort or association
	ReasonCode     string
	DocumentSource string // the URL that the document was read from; empty if it was given
	TemplateARN    string // of the job template that it was created from, which may be deleted since; or empty
	Config         JobConfig
	Links          bool      // its document has links, so each execution is given its own copy with presigned URLs
	Packages       []Release // the package versions that it brings: Config.Packages with DefaultVersion resolved

	Status        JobStatus
	ForceCanceled bool
	CreatedAt     Instant
	UpdatedAt     Instant // job-level changes only (jobs-lifecycle.md J6)
	CompletedAt   Instant // zero unless COMPLETED

	// Gaps is set when the first execution of a thing was deleted and a later one
	// is there: only the latest tells then whether a thing has had the job.
	Gaps bool
	// Rollout is how far the targets have been given executions.
	Rollout Rollout
	// PaceJoiners has things that join later go through the rollout's rate
	// (arbitration A7).
	PaceJoiners bool
	Background
}

// Rollout is the stored cursor of a job's rollout, which takes targets in order and
// the things of a group by name.
type Rollout struct {
	Done    bool    // every target has been expanded
	Started Instant // the members at this instant are rolled out to, not those that joined later
	Target  int     // index of the current target; all before it are done
	Group   string  // the current group: the target or one below it, in the order of the hierarchy
	After   string  // the last thing of Group that was looked at
	Pace    Pace    // what the planner remembers of the rate
	Held    bool    `json:",omitempty"` // it waits until membership of the dynamic groups among the targets is complete
}

// Ahead reports whether the rollout has not begun with a target yet.
func (r Rollout) Ahead(target int) bool {
	return !r.Done && (target > r.Target || target == r.Target && r.Group == "")
}

// Concurrent reports whether the service is creating or cancelling executions
// (jobs-lifecycle.md section 2.1).
func (j Job) Concurrent() bool {
	return (j.Settling && j.Status != JobDeleting) || j.RollsOutNow()
}

// RollsOut reports whether there are targets left to roll out to, now or when
// Waiting ends.
func (j Job) RollsOut() bool { return j.Status == JobInProgress && !j.Rollout.Done }

// RollsOutNow reports whether the job rolls out and its turn has come.
func (j Job) RollsOutNow() bool { return j.RollsOut() && !j.Waiting }

// Windowed reports whether the job has maintenance windows.
func (j Job) Windowed() bool { return len(j.Config.Schedule.Windows) > 0 }

// Hides reports whether QUEUED executions of the job are hidden from devices because
// it is outside its maintenance windows.
func (j Job) Hides() bool { return j.Windowed() && j.Status == JobScheduled && !j.Over }

// Gives reports whether things that join a target may still be given the job, now or
// when the next window opens.
func (j Job) Gives() bool { return j.Status.Active() && !j.Over && j.Rollout.Started != 0 }

// Processing returns the targets whose rollout is not complete.
func (j Job) Processing() []Target {
	if j.Rollout.Done || !j.Status.Active() || (j.Rollout.Started == 0 && !j.Waiting) {
		return nil
	}
	return j.Targets[min(j.Rollout.Target, len(j.Targets)):]
}

// WithTargets returns the job with the targets all, which begin with those that it
// has. Its rollout goes on with the new ones.
func (j Job) WithTargets(all []Target) Job {
	if j.Rollout.Done {
		j.Rollout.Target = len(j.Targets)
	}
	j.Targets = all
	return j.Note(JobGainsTargets)
}

// Apply returns the job after event at the instant now. It fails with
// InvalidTransition when jobMoves has no row for it.
func (j Job) Apply(event JobEvent, now Instant) (Job, error) {
	to, ok := jobMoves[j.Status][event]
	if !ok {
		return j, Errorf(InvalidTransition, "Job %s cannot take %s while its status is %s", j.ID, event, j.Status)
	}
	j.Status, j.UpdatedAt = to, now
	switch event {
	case JobFinishes:
		j.CompletedAt, j.Wake = now, 0
	case JobIsForceCanceled:
		j.ForceCanceled = true
	}
	return j.Note(event), nil
}

// Ended reports whether the job, with the counts c, is complete (jobs-lifecycle.md
// section 12).
func (j Job) Ended(c Counts) bool {
	return j.Status.Active() && (j.Selection == Snapshot || j.Over) && j.Rollout.Done && c.Pending() == 0
}
