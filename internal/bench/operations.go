package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/internal/uuid"
)

// startedOf is the share of the things of a job that have started it, one of so many.
const startedOf = 20

// operations measures what operators ask of a large job and of many audit records, over signed requests to the real
// binary.
func operations(ctx context.Context, b *bench) ([]figure, error) {
	folder := filepath.Join(b.dir, "operations")
	if err := prepareOperations(ctx, b, folder); err != nil {
		return nil, err
	}
	s, err := b.serve(ctx, folder)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	counted := func() (int, error) {
		n, err := s.metric(ctx, "muster_audit_records")
		return int(n), err
	}
	if err := awaitCount(ctx, b.records, 100*time.Millisecond, counted); err != nil {
		return nil, err
	}
	b.progress("all audit records are counted")
	c, err := s.callAPI(ctx, "iot")
	if err != nil {
		return nil, err
	}
	defer c.close()
	why, err := whyFigures(c, b)
	if err != nil {
		return why, err
	}
	who, err := whoFigures(c, b)
	return append(why, who...), err
}

// prepareOperations makes a folder with a job for many things, of which some have started it, and with audit records.
func prepareOperations(ctx context.Context, b *bench, folder string) error {
	w, err := b.open(folder)
	if err != nil {
		return err
	}
	defer w.close()
	if err := w.addGroup(ctx, oneGroup, b.population); err != nil {
		return err
	}
	if _, err := w.fanOut(ctx, oneGroup, oneGroup, b.population); err != nil {
		return err
	}
	err = inParallel(registering, b.population/startedOf, func(_, i int) error { return w.begin(ctx, thingName(oneGroup, startedOf*i)) })
	if err != nil {
		return err
	}
	b.progress("%d things have a job", b.population)
	return w.addRecords(ctx, b.records)
}

// addRecords writes n audit records of the past, a tenth of a second after each other.
func (w *world) addRecords(ctx context.Context, n int) error {
	const step = 1000
	begin := muster.At(time.Now()) - muster.Instant(n)*100
	for from := 0; from < n; from += step {
		records := make([]audit.Record, min(step, n-from))
		for i := range records {
			records[i] = recordNumber(from+i, begin)
		}
		if err := w.service.Audit.Take(ctx, records); err != nil {
			return err
		}
	}
	return nil
}

// The audit records are of so many users and things.
const (
	auditUsers  = 50
	auditThings = 20_000
)

var auditOperations = []string{"CreateThing", "UpdateThing", "CreateJob", "CancelJob"}

func recordNumber(i int, begin muster.Instant) audit.Record {
	return audit.Record{
		At: begin + muster.Instant(i)*100, RequestID: uuid.New(), AccessKeyID: fmt.Sprintf("AKIA%016d", i%auditUsers), User: fmt.Sprint("user", i%auditUsers), Address: "192.0.2.1",
		Service: "iot", Operation: auditOperations[i%len(auditOperations)], Resources: []string{account.ARN("thing", fmt.Sprint("lamp", i%auditThings))}, Outcome: audit.Done,
		Changes: []audit.Change{{Resource: fmt.Sprint("thing/lamp", i%auditThings), Field: "version", Old: "1", New: "2"}},
	}
}

// whyFigures asks why the job does not move.
func whyFigures(c *caller, b *bench) ([]figure, error) {
	of := func(path string) func() string {
		return func() string { return fmt.Sprintf(path, thingName(oneGroup, rand.IntN(b.population))) }
	}
	things := count(b.population) + " things"
	var figures []figure
	for _, q := range []struct {
		name, aim string
		path      func() string
	}{
		{"why a job for " + things + " does not move on one", "p99 ≤ 10 ms", of("/muster/v1/jobs/" + oneGroup + "/things/%s/explanation")},
		{"why the jobs of a thing do not move", "p99 ≤ 10 ms", of("/muster/v1/things/%s/explanation")},
		{"the timeline of a thing", "p99 ≤ 20 ms", of("/muster/v1/things/%s/timeline")},
	} {
		each, err := c.askEach(b.asks, q.path)
		if err != nil {
			return figures, err
		}
		figures = append(figures, figure{name: q.name + ", p50 / p99", value: each.String(), aim: q.aim})
	}
	path := "/muster/v1/jobs/" + oneGroup + "/explanations"
	first, err := c.repeat(1, "GET", path)
	if err != nil {
		return figures, err
	}
	warm, err := c.repeat(b.asks/10, "GET", path)
	return append(figures,
		figure{name: "for which causes " + things + " wait, asked first", value: millis(first.at(0))},
		figure{name: "… asked again, p50 / p99", value: warm.String(), aim: "≤ 300 ms"},
	), err
}

// whoFigures looks for audit records, 50 at a time.
func whoFigures(c *caller, b *bench) ([]figure, error) {
	var figures []figure
	for _, q := range []struct{ name, query string }{
		{"the newest", ""},
		{"those of a thing", "&resource=" + account.ARN("thing", "lamp") + "%d"},
		{"those of a user", "&principal=user%d"},
		{"those of an operation by a user", "&operation=CreateThing&principal=user%d"},
	} {
		each, err := c.askEach(b.asks, func() string {
			if path := "/muster/v1/audit?maxResults=50" + q.query; q.query != "" {
				return fmt.Sprintf(path, rand.IntN(auditUsers))
			}
			return "/muster/v1/audit?maxResults=50"
		})
		if err != nil {
			return figures, err
		}
		figures = append(figures, figure{name: fmt.Sprintf("of %s audit records %s, p50 / p99", count(b.records), q.name), value: each.String(), aim: "p99 ≤ 20 ms"})
	}
	return figures, nil
}

// askEach sends n requests with a path for each, and returns how long each took.
func (c *caller) askEach(n int, path func() string) (latencies, error) {
	all := make(latencies, n)
	for i := range all {
		one, err := c.repeat(1, "GET", path())
		if err != nil {
			return nil, err
		}
		all[i] = one[0]
	}
	return all, nil
}
