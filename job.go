package muster

// JobStatus is the state of a job (jobs-lifecycle.md section 2).
type JobStatus uint8

// The five states of a job. The zero JobStatus is no state: filters use it for
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

// Active reports whether the job may still give things executions.
func (s JobStatus) Active() bool { return s == JobScheduled || s == JobInProgress }

// JobEvent is what happens to a job as a whole.
type JobEvent uint8

// The events of a job's life: first those that may change its Status (Apply),
// then those that change only its flags (Note).
const (
	JobStarts          JobEvent = iota + 1 // its start time came, or a maintenance window opened
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

// jobMoves is the state machine of a job: from, event, to. What has no row is
// refused. A forced CancelJob of a cancelled job ends the survivors (J5, J8).
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

// JobMoves calls yield for every permitted change of a job, in a fixed order.
func JobMoves(yield func(from JobStatus, event JobEvent, to JobStatus) bool) {
	for _, from := range JobStatuses() {
		for event := JobStarts; event < jobEventCount; event++ {
			if to, ok := jobMoves[from][event]; ok && !yield(from, event, to) {
				return
			}
		}
	}
}

// Selection says whether a job ends with its targets of today.
type Selection uint8

// The two selections; Snapshot is the contract's default.
const (
	Snapshot   Selection = iota // the members at the start of the rollout
	Continuous                  // those, and whoever joins a target later
)

func (s Selection) String() string {
	if s == Continuous {
		return "CONTINUOUS"
	}
	return "SNAPSHOT"
}

// Target is one thing or one group that a job is for: the one that had the name
// when it became a target. One that was deleted stays deleted, also when another
// gets its name (arbitration A22).
type Target struct {
	Group bool // Name is a GroupName; otherwise a ThingName
	Name  string
	ID    string `json:",omitempty"` // of that thing or group; empty in a request, which means the present one
}

// Job is an operator's order: a document for the things that its targets name.
// The document is kept apart, since most readers of a job do not want it. Jobs
// are values; rules return changed copies.
type Job struct {
	ID             JobID
	Namespace      Namespace
	Targets        []Target
	Selection      Selection
	Description    string
	Comment        string // from the latest cancel, abort or association
	ReasonCode     string
	DocumentSource string // the URL it was made from, if it was
	TemplateARN    string // of the job template it was made from, which may be gone
	Config         JobConfig
	Links          bool      // its document has links, so that each execution gets one of its own
	Packages       []Release // the versions that it brings: Config.Packages with the names that DefaultVersion had

	Status        JobStatus
	ForceCanceled bool
	CreatedAt     Instant
	UpdatedAt     Instant // job-level changes only (J6)
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

// Rollout is the durable cursor of a job's fan-out: targets are taken in order,
// and in a group its things by name.
type Rollout struct {
	Done    bool    // every target has been expanded
	Started Instant // when membership was captured; later joiners do not count
	Target  int     // index of the target in work; those before it are done
	Group   string  // the group in work below that target, in hierarchy order
	After   string  // the last thing of Group that was looked at
	Pace    Pace    // what the planner remembers of the rate
	Held    bool    `json:",omitempty"` // until the dynamic groups among the targets know their members
}

// Ahead reports whether the rollout has still to begin with a target.
func (r Rollout) Ahead(target int) bool {
	return !r.Done && (target > r.Target || target == r.Target && r.Group == "")
}

// Concurrent reports whether the service is creating or cancelling executions
// (jobs-lifecycle.md section 2.1).
func (j Job) Concurrent() bool {
	return (j.Settling && j.Status != JobDeleting) || j.RollsOutNow()
}

// RollsOut reports whether the job is to be given to things, now or when its
// turn comes.
func (j Job) RollsOut() bool { return j.Status == JobInProgress && !j.Rollout.Done }

// RollsOutNow reports whether the job rolls out and its turn has come.
func (j Job) RollsOutNow() bool { return j.RollsOut() && !j.Waiting }

// Windowed reports whether the job has maintenance windows.
func (j Job) Windowed() bool { return len(j.Config.Schedule.Windows) > 0 }

// Hides reports whether devices do not see QUEUED executions of the job just
// now, because it is outside its maintenance windows.
func (j Job) Hides() bool { return j.Windowed() && j.Status == JobScheduled && !j.Over }

// Gives reports whether things that come under a target of the job may still be
// given it, now or when the next window opens.
func (j Job) Gives() bool { return j.Status.Active() && !j.Over && j.Rollout.Started != 0 }

// Processing returns the targets that are not rolled out yet.
func (j Job) Processing() []Target {
	if j.Rollout.Done || !j.Status.Active() || (j.Rollout.Started == 0 && !j.Waiting) {
		return nil
	}
	return j.Targets[min(j.Rollout.Target, len(j.Targets)):]
}

// WithTargets returns the job with more targets, rolling out to those that are
// new. all begins with the targets that it has.
func (j Job) WithTargets(all []Target) Job {
	if j.Rollout.Done {
		j.Rollout.Target = len(j.Targets)
	}
	j.Targets = all
	return j.Note(JobGainsTargets)
}

// Apply returns the job after event at the instant now. It fails with
// InvalidTransition when the state machine has no such row.
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

// Ended reports whether a job in this state, with these counts, is complete
// (jobs-lifecycle.md section 12).
func (j Job) Ended(c Counts) bool {
	return j.Status.Active() && (j.Selection == Snapshot || j.Over) && j.Rollout.Done && c.Pending() == 0
}
