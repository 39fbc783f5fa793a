package main

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/listing"
)

// fanOut measures what should not grow with the things that a job is for: the rollout,
// what devices and operators ask afterwards, and the folder. Each number of things has
// folders of its own, in which they are all in one group and have one job.
func (b *bench) fanOut(ctx context.Context) ([]figure, error) {
	var figures []figure
	var smallest rolledOut
	for i, n := range b.groups {
		r, err := b.rollOut(ctx, n)
		if err != nil {
			return figures, fmt.Errorf("%d things: %w", n, err)
		}
		if i == 0 {
			smallest = r
		}
		figures = append(figures, r.figures(smallest)...)
	}
	return figures, nil
}

// rolledOut is what was measured with one number of things, summed over some folders.
type rolledOut struct {
	things, folders            int
	registering, took          time.Duration // things and group made; job given until the last execution was durable
	cpu                        time.Duration // of this process, for the job
	before, after              int           // bytes of the folders, without the job and with it
	describe, list, pair, page work
	last                       atRest // of the last folder
}

// work is requests and the processor time that they took.
type work struct {
	n   int
	cpu time.Duration
}

// oneGroup is the group of all things, and its job.
const oneGroup = "fleet"

// rollOut measures one number of things: a small one in several folders, since one alone
// would be over in a moment.
func (b *bench) rollOut(ctx context.Context, n int) (rolledOut, error) {
	r := rolledOut{things: n, folders: max(1, b.reads/n)}
	for i := range r.folders {
		folder := filepath.Join(b.dir, oneGroup)
		if err := b.rollOutIn(ctx, folder, &r); err != nil {
			return r, err
		}
		if i == r.folders-1 {
			var err error
			if r.last, err = b.atRest(ctx, folder, n); err != nil {
				return r, err
			}
		}
		if err := os.RemoveAll(folder); err != nil {
			return r, err
		}
	}
	return r, nil
}

// rollOutIn adds what one folder shows. The folder is closed after each step, so that its
// size has everything and the requests find nothing in memory that a server would not.
func (b *bench) rollOutIn(ctx context.Context, folder string, r *rolledOut) error {
	err := b.in(folder, func(w *world) error {
		began := time.Now()
		err := w.addGroup(ctx, oneGroup, r.things)
		r.registering += time.Since(began)
		return err
	})
	if err != nil {
		return err
	}
	if r.folders == 1 {
		b.progress("%d things registered", r.things)
	}
	before, err := b.bytesAtRest(folder)
	if err != nil {
		return err
	}
	r.before += before
	err = b.in(folder, func(w *world) error {
		cpu := ownTime()
		took, err := w.fanOut(ctx, oneGroup, oneGroup, r.things)
		r.took, r.cpu = r.took+took, r.cpu+ownTime()-cpu
		return err
	})
	if err != nil {
		return err
	}
	after, err := b.bytesAtRest(folder)
	if err != nil {
		return err
	}
	r.after += after
	return b.in(folder, func(w *world) error { return b.askRandomly(ctx, w, r) })
}

// weighable is how many things a folder has at least whose size says something: the last
// flush may stay as it is, and a thing takes a sixth more there than where it is compacted.
const weighable = 100_000

// bytesAtRest is the size of a folder that is open and has nothing left to compact or to
// delete. Otherwise the logs and tables of before would count, and a job would make the folder
// smaller, since compactions of its fleet take place meanwhile.
func (b *bench) bytesAtRest(folder string) (size int, err error) {
	const look, looks = 100 * time.Millisecond, 10
	err = b.in(folder, func(*world) error {
		for same := 0; same < looks; same++ {
			time.Sleep(look)
			if now := folderBytes(folder); now != size {
				size, same = now, 0
			}
		}
		return nil
	})
	return size, err
}

// in does something with a data folder while it is open.
func (b *bench) in(folder string, do func(*world) error) error {
	w, err := b.open(folder)
	if err != nil {
		return err
	}
	err = do(w)
	if closed := w.close(); err == nil {
		err = closed
	}
	return err
}

// askRandomly measures the requests of devices that are all over the folder, after as many
// that are not measured, and those of operators.
func (b *bench) askRandomly(ctx context.Context, w *world, r *rolledOut) error {
	n := min(b.reads, r.things) / 2 // things that are asked for, different ones
	order := rand.Perm(n)
	thing := func(i int) string { return thingName(oneGroup, order[i]*(r.things/n)) }
	callers := b.callers[len(b.callers)/2]
	describe := func(_, i int) error {
		_, err := w.service.Jobs.DescribeExecution(ctx, jobs.DescribeInput{Thing: muster.ThingName(thing(i)), Job: oneGroup})
		return err
	}
	list := func(_, i int) error {
		p, err := w.service.Jobs.GetPending(ctx, muster.ThingName(thing(i)), muster.Namespace(""))
		if err == nil && len(p.Queued) != 1 {
			err = fmt.Errorf("%s has %d executions that wait", thing(i), len(p.Queued))
		}
		return err
	}
	if err := inParallel(callers, n, describe); err != nil {
		return err
	}
	for _, step := range []struct {
		w       *work
		callers int
		n       int
		do      func(worker, i int) error
	}{
		{&r.describe, callers, n, describe},
		{&r.list, callers, n, list},
		{&r.page, 1, max(1, b.asks/r.folders), func(int, int) error {
			_, err := w.service.Jobs.ExecutionsOfJob(ctx, oneGroup, 0, listing.Page{Limit: listing.Max})
			return err
		}},
		{&r.pair, callers, n, func(_, i int) error { return w.pair(ctx, thing(i), oneGroup) }},
	} {
		cpu := ownTime()
		if err := inParallel(step.callers, step.n, step.do); err != nil {
			return err
		}
		step.w.n, step.w.cpu = step.w.n+step.n, step.w.cpu+ownTime()-cpu
	}
	return nil
}

// figures are the lines of one number of things, compared with the smallest one.
func (r rolledOut) figures(smallest rolledOut) []figure {
	executions := r.things * r.folders
	rate := func(r rolledOut) float64 { return perSecond(r.things*r.folders, r.took) }
	figures := []figure{
		{
			name:  fmt.Sprintf("CreateJob for %s things until the last execution is durable", count(r.things)),
			value: fmt.Sprintf("%s executions/s (%s)", count(rate(r)), millis(r.took/time.Duration(r.folders))), aim: "≥ 20,000/s",
		},
		{name: "… processor time of an execution", value: micros(r.cpu, executions)},
	}
	if r.things != smallest.things {
		figures[0] = figures[0].growing(count(rate(smallest))+"/s", rate(smallest)/rate(r), smallest.things)
		figures[1] = figures[1].grown(work{executions, r.cpu}, work{smallest.things * smallest.folders, smallest.cpu}, smallest.things)
	}
	for _, line := range []struct {
		name         string
		has, without work
	}{
		{"… start-next + update, processor time of a pair", r.pair, smallest.pair},
		{"… describe an execution", r.describe, smallest.describe},
		{"… list what is pending", r.list, smallest.list},
		{"… first 250 executions of the job", r.page, smallest.page},
	} {
		f := figure{name: line.name, value: micros(line.has.cpu, line.has.n)}
		if r.things != smallest.things {
			f = f.grown(line.has, line.without, smallest.things)
		}
		figures = append(figures, f)
	}
	if r.things >= weighable {
		figures = append(figures, figure{
			name: "… bytes on disk of an execution", value: count((r.after - r.before) / executions),
			beside: fmt.Sprintf("its thing, in a group, %s", count(r.before/executions)), aim: "≤ 150",
		})
	}
	return append(figures, r.last.figures()...)
}

// grown compares the processor time of something with that among the smallest number of things.
func (f figure) grown(has, without work, smallest int) figure {
	return f.growing(micros(without.cpu, without.n), float64(has.cpu)*float64(without.n)/(float64(without.cpu)*float64(has.n)), smallest)
}

func (f figure) growing(beside string, ratio float64, smallest int) figure {
	f.beside, f.ratio, f.aim = fmt.Sprintf("%s with %s things", beside, count(smallest)), times(ratio, 1), "≤ 1.2 ×"
	return f
}

// atRest is a server on a folder in which all executions wait but for some.
type atRest struct {
	opened, verified        time.Duration
	memory, afterwards      int // bytes, before and after the questions
	describeJob, executions latencies
}

// atRest measures a server on such a folder, and its verification.
func (b *bench) atRest(ctx context.Context, folder string, things int) (r atRest, err error) {
	s, err := b.serve(ctx, folder)
	if err != nil {
		return r, err
	}
	defer func() { s.stop() }()
	r.opened = s.opened
	time.Sleep(b.rest)
	r.memory = s.resident()
	c, err := s.callAPI(ctx, "iot")
	if err != nil {
		return r, err
	}
	defer c.close()
	for _, question := range []struct {
		answered *latencies
		path     string
	}{
		{&r.describeJob, "/jobs/" + oneGroup},
		{&r.executions, "/jobs/" + oneGroup + "/things?maxResults=250"},
	} {
		if _, err := c.repeat(b.asks/10, "GET", question.path); err != nil { // warm up
			return r, err
		}
		if *question.answered, err = c.repeat(b.asks, "GET", question.path); err != nil {
			return r, err
		}
	}
	r.afterwards = s.resident()
	s.stop()
	began := time.Now()
	if out, err := exec.CommandContext(ctx, b.muster, "admin", "verify", folder).CombinedOutput(); err != nil {
		return r, fmt.Errorf("verify: %w: %s", err, out)
	}
	r.verified = time.Since(began)
	b.progress("%d things: listens after %s, verified in %s", things, millis(r.opened), millis(r.verified))
	return r, nil
}

func (r atRest) figures() []figure {
	return []figure{
		{name: "… a server on that folder: start until it listens", value: millis(r.opened), aim: "< 10 s"},
		{name: "… its memory at rest", value: megabytes(r.memory), beside: "after these questions " + megabytes(r.afterwards)},
		{name: "… describe-job over HTTP, p50 / p99", value: r.describeJob.String(), aim: "< 5 ms"},
		{name: "… first 250 executions over HTTP, p50 / p99", value: r.executions.String(), aim: "< 5 ms"},
		{name: "… admin verify", value: millis(r.verified), aim: "< 5 min"},
	}
}

// folderBytes is the size of all files below a folder.
func folderBytes(folder string) int {
	total := int64(0)
	_ = filepath.WalkDir(folder, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // a file that went away has no size
		}
		if info, err := d.Info(); err == nil {
			total += info.Size()
		}
		return nil
	})
	return int(total)
}
