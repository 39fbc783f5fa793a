package sim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// book is the expected state of the service. The simulation keeps it by what it
// ordered and was answered, with separate rules: it shares no code with the
// engine. audit_test.go compares with it what was stored.
type book struct {
	now     muster.Instant
	limit   int  // the server's maximumPerMinute; zero: none
	strict  bool // REJECTED from IN_PROGRESS is refused
	removes bool // running executions of things that left are REMOVED

	things map[muster.ThingName]*thing
	groups map[muster.GroupName]*group
	jobs   map[muster.JobID]*job
	live   map[store.QueueKey]map[muster.JobID]muster.Execution

	made  int            // how many things and groups were
	down  muster.Instant // when the process came up last
	late  muster.Instant // by how much the background work of this step is
	asked []request      // what is under way or was answered in this step
	broke func(format string, args ...any)
}

// Things and groups are numbered as they are made, to distinguish those with the same
// name; 0 is for none.
type thing struct {
	number int
	site   string // its only attribute
	groups map[muster.GroupName]bool
}

type group struct {
	number   int
	parent   muster.GroupName
	children int
	members  map[muster.ThingName]bool
	rule     func(*thing) bool // of a dynamic group; nil for a static one
}

// job is one that was ordered and is not gone.
type job struct {
	id        muster.JobID
	namespace muster.Namespace
	document  string
	targets   []muster.Target // with the numbers as ids
	selection muster.Selection
	config    muster.JobConfig // as it is by now
	calendar  calendar

	stored   *muster.Job   // as it was durable last
	within   []*muster.Job // as it was within the transaction that is being judged
	stopped  stop          // what was acknowledged
	stopping bool          // it was in this very step
	rates    rates
	given    int64 // first executions by the rollout
	made     int   // executions of any kind in this step

	counts  muster.Counts
	runs    map[muster.ThingName][]muster.Execution // by number
	former  map[muster.ThingName]muster.Instant     // when the last one of an earlier thing of the name was queued (A26)
	owed    map[muster.ThingName]debt
	again   map[muster.ThingName]bool // retries that are owed
	left    map[muster.ThingName]bool // it was out of reach since its latest was made
	lenient map[muster.ThingName]bool // whether it must be given cannot be known
}

// stop is how an operator ended a job.
type stop uint8

const (
	runs stop = iota
	canceled
	forced
	deleted
)

// debt is the reason why a thing must get a job.
type debt uint8

const (
	atStart debt = iota + 1 // it was a target when the rollout began: at the rate
	byJoin                  // it came under a target of a continuous job: at once
)

// request is what a client asked of the service in this step.
type request struct {
	thing  muster.ThingName
	job    muster.JobID // empty: whatever is next
	status muster.Status
	by     muster.Actor
	drop   bool // the deletion of an execution
}

func newBook(broke func(string, ...any)) *book {
	return &book{
		things: map[muster.ThingName]*thing{}, groups: map[muster.GroupName]*group{},
		jobs: map[muster.JobID]*job{}, live: map[store.QueueKey]map[muster.JobID]muster.Execution{}, broke: broke,
	}
}

// lineage yields a group and all above it.
func (b *book) lineage(g muster.GroupName) func(func(muster.GroupName) bool) {
	return func(yield func(muster.GroupName) bool) {
		for g != "" && yield(g) {
			if b.groups[g] == nil {
				return
			}
			g = b.groups[g].parent
		}
	}
}

// covers reports whether a job is for a thing now.
func (b *book) covers(j *job, name muster.ThingName) bool {
	t := b.things[name]
	if t == nil {
		return false
	}
	if j.has(b.present(muster.Target{Name: string(name)})) {
		return true
	}
	for g := range t.groups {
		for above := range b.lineage(g) {
			if j.has(b.present(muster.Target{Group: true, Name: string(above)})) {
				return true
			}
		}
	}
	return false
}

// number returns the number of the next thing or group.
func (b *book) number() int {
	b.made++
	return b.made
}

// present returns a target as the thing or group that has the name now.
func (b *book) present(t muster.Target) muster.Target {
	number := 0
	if g := b.groups[muster.GroupName(t.Name)]; t.Group && g != nil {
		number = g.number
	}
	if thing := b.things[muster.ThingName(t.Name)]; !t.Group && thing != nil {
		number = thing.number
	}
	t.ID = fmt.Sprint(number)
	return t
}

// gives reports whether a job may still give things executions.
func (j *job) gives() bool { return (j.stopped == runs || j.stopping) && giving(j.stored) }

func giving(j *muster.Job) bool {
	return j != nil && j.Rollout.Started != 0 && j.Status.Active() && !j.Over
}

// hides reports whether devices do not see what is queued of a job.
func (j *job) hides() bool {
	return len(j.calendar.windows) > 0 && j.stored.Status == muster.JobScheduled && !j.stored.Over
}

// latest returns a thing's newest execution of a job, or nil.
func (j *job) latest(name muster.ThingName) *muster.Execution {
	all := j.runs[name]
	if len(all) == 0 {
		return nil
	}
	return &all[len(all)-1]
}

func (j *job) find(name muster.ThingName, number int64) *muster.Execution {
	for i, x := range j.runs[name] {
		if x.Number == number {
			return &j.runs[name][i]
		}
	}
	return nil
}

// begin records which things a job is for when its rollout begins.
func (b *book) begin(j *job) {
	for name := range b.things {
		if b.covers(j, name) {
			j.owed[name] = atStart
		}
	}
}

// lag is how late a snapshot may be of its members (jobs-lifecycle.md section 4).
const lag = 3 * second

// moving changes the registry, and records what that means for continuous jobs:
// things that join must get them, and things that leave need not any more.
func (b *book) moving(names []muster.ThingName, change func()) {
	type pair struct {
		j    *job
		name muster.ThingName
	}
	before := map[pair]bool{}
	for _, j := range b.jobs {
		for _, name := range names {
			switch {
			case !j.gives():
			case j.selection == muster.Continuous:
				before[pair{j, name}] = b.covers(j, name)
			case b.now <= j.stored.Rollout.Started+lag:
				j.lenient[name] = true
			}
		}
	}
	change()
	for p, was := range before {
		switch is := b.covers(p.j, p.name); {
		case was && !is:
			delete(p.j.owed, p.name)
			delete(p.j.again, p.name)
			p.j.left[p.name] = true
		case is && p.j.owed[p.name] == atStart && p.j.hides():
			p.j.owed[p.name] = byJoin // if it joined, it gets the job when the window opens
		case is && !was:
			if x := p.j.latest(p.name); x == nil || x.Status.Terminal() {
				p.j.owed[p.name] = byJoin
			}
		}
	}
}

// forget records for all jobs that a thing was deleted.
func (b *book) forget(name muster.ThingName) {
	for _, j := range b.jobs {
		delete(j.owed, name)
		delete(j.again, name)
		j.left[name], j.lenient[name] = true, true
	}
}

// effective returns what a status means once the job has decided
// (jobs-lifecycle.md J12): an execution that is about to end has ended.
func (j *job) effective(x muster.Execution) (status muster.Status, gone bool) {
	if j.stopped == deleted || j.stored.Status == muster.JobDeleting {
		return x.Status, true
	}
	if j.ends(j.stored, x.Status) {
		return muster.Canceled, false
	}
	return x.Status, false
}

// ends reports whether an execution in a status ends when the job is like that.
func (j *job) ends(as *muster.Job, status muster.Status) bool {
	switch {
	case status.Terminal():
		return false
	case as.Status == muster.JobCanceled:
		return as.ForceCanceled || status == muster.Queued
	case as.Over && j.calendar.behavior == muster.ForceAtEnd:
		return true
	}
	return as.Over && j.calendar.behavior == muster.CancelAtEnd && status == muster.Queued
}

// pending returns what a device must be shown, in order (jobs-data-plane.md
// section 5).
func (b *book) pending(key store.QueueKey) []muster.Execution {
	var all []muster.Execution
	for id, x := range b.live[key] {
		j := b.jobs[id]
		if j == nil {
			continue
		}
		status, gone := j.effective(x)
		if gone || status.Terminal() || (status == muster.Queued && j.hides()) {
			continue
		}
		all = append(all, x)
	}
	slices.SortFunc(all, func(x, y muster.Execution) int {
		return cmp.Or(cmp.Compare(y.Status, x.Status), cmp.Compare(x.QueuedAt, y.QueuedAt), cmp.Compare(x.Job, y.Job))
	})
	return all
}

// shown cuts what is pending to what a list shows: ten of plain jobs and five
// of jobs with windows.
func (b *book) shown(key store.QueueKey) []muster.Execution {
	room := map[bool]int{false: 10, true: 5}
	return slices.DeleteFunc(b.pending(key), func(x muster.Execution) bool {
		windowed := len(b.jobs[x.Job].calendar.windows) > 0
		room[windowed]--
		return room[windowed] < 0
	})
}

// over ends a step: its requests no longer explain later changes.
func (b *book) over() {
	b.asked = b.asked[:0]
	for _, j := range b.jobs {
		j.stopping, j.made = false, 0
	}
}

// names returns the keys of a map in order, so that a seed picks the same.
func names[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
