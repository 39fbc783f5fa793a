package main

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"
)

// fanOut measures CreateJob for larger and larger groups, and then a server on the
// resulting folder.
func (b *bench) fanOut(ctx context.Context) ([]figure, error) {
	folder := filepath.Join(b.dir, "fanout")
	figures, err := b.fanOuts(ctx, folder)
	if err != nil {
		return figures, err
	}
	more, err := b.atRest(ctx, folder)
	return append(figures, more...), err
}

func (b *bench) fanOuts(ctx context.Context, folder string) ([]figure, error) {
	w, err := b.open(folder)
	if err != nil {
		return nil, err
	}
	defer w.close()
	var figures []figure
	first, things, registering := 0.0, 0, time.Duration(0)
	for _, n := range b.groups {
		group, began := groupOf(n), time.Now()
		if err := w.addGroup(ctx, group, n); err != nil {
			return figures, err
		}
		things, registering = things+n, registering+time.Since(began)
		b.progress("%d things registered", things)
		took, err := w.fanOut(ctx, group, group, n)
		if err != nil {
			return figures, err
		}
		rate := perSecond(n, took)
		f := figure{
			name:  fmt.Sprintf("CreateJob for a group of %s until the last execution is durable", count(n)),
			value: fmt.Sprintf("%s executions/s (%.1f s)", count(rate), took.Seconds()), aim: "≥ 20,000/s, flat",
		}
		if first == 0 {
			first = rate
		} else {
			f.beside, f.ratio = fmt.Sprintf("group of %s: %s/s", count(b.groups[0]), count(first)), percent(rate, first)
		}
		figures = append(figures, f)
	}
	return append(figures, figure{
		name: "CreateThing + AddThingToThingGroup, durable, 2,048 callers", value: count(perSecond(things, registering)) + " things/s",
	}), nil
}

func groupOf(n int) string { return fmt.Sprintf("fleet%d", n) }

// atRest measures a server on a large folder.
func (b *bench) atRest(ctx context.Context, folder string) ([]figure, error) {
	disk := folderBytes(folder)
	s, err := b.serve(ctx, folder)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	time.Sleep(b.rest)
	rest := s.resident()
	things := 0
	for _, n := range b.groups {
		things += n
	}
	c, err := s.callAPI(ctx, "iot")
	if err != nil {
		return nil, err
	}
	defer c.close()
	of := fmt.Sprintf("with %s things and as many executions", count(things))
	figures := []figure{
		{name: "memory at rest " + of, value: megabytes(rest), beside: "on disk " + megabytes(disk)},
		{name: "start until it listens, that folder", value: millis(s.opened)},
	}
	job := groupOf(b.groups[len(b.groups)-1])
	for _, question := range []struct{ name, path string }{
		{"describe-job", "/jobs/" + job},
		{"first page of list-job-executions-for-job", "/jobs/" + job + "/things?maxResults=250"},
	} {
		if _, err := c.repeat(b.asks/10, "GET", question.path); err != nil { // warm up
			return figures, err
		}
		each, err := c.repeat(b.asks, "GET", question.path)
		if err != nil {
			return figures, err
		}
		name := fmt.Sprintf("%s of a job with %s, over HTTP, p50 / p99", question.name, count(b.groups[len(b.groups)-1]))
		figures = append(figures, figure{name: name, value: each.String(), aim: "< 5 ms"})
	}
	return append(figures, figure{name: "memory after that", value: megabytes(s.resident())}), nil
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
