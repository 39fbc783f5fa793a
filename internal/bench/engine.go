package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// engineGroup is the group of the things of this part, used in random order.
const engineGroup = "engine"

// engine measures the work of a device, start-next and update, on a service in
// this process, in alternation with what Pebble alone can do with the same keys
// and bytes. The latter is a benchmark of store/pebblestore, since only that
// package knows them.
func (b *bench) engine(ctx context.Context) ([]figure, error) {
	ceiling, err := buildCeiling(ctx, b.dir, "pebblestore")
	if err != nil {
		return nil, err
	}
	w, err := b.open(filepath.Join(b.dir, "engine"))
	if err != nil {
		return nil, err
	}
	defer w.close()
	if err := w.addGroup(ctx, engineGroup, b.things); err != nil {
		return nil, err
	}
	order := rand.Perm(b.things) // the same in every round, so that each thing has finished its older jobs
	runs := make([]pairRun, len(b.callers))
	alone := make([]float64, len(b.callers)) // pairs a second
	for round := range b.rounds {
		job := fmt.Sprintf("round-%d", round)
		if _, err := w.fanOut(ctx, job, engineGroup, b.things); err != nil {
			return nil, err
		}
		from := 0
		for i, callers := range b.callers {
			n := b.pairs[callers]
			things := order[from : from+n]
			from += n
			run, err := runPairs(callers, n, func(_, i int) error { return w.pair(ctx, thingName(engineGroup, things[i]), job) })
			if err != nil {
				return nil, err
			}
			raw, err := pebbleAlone(ctx, ceiling, callers, 2*n)
			if err != nil {
				return nil, err
			}
			b.progress("%s, round %d: %.0f pairs/s, Pebble alone %.0f", plural(callers, "caller"), round+1, perSecond(n, run.took), raw/2)
			runs[i] = runs[i].plus(run)
			alone[i] += raw / 2 / float64(b.rounds) // a pair is two operations
		}
	}
	var figures []figure
	for i, callers := range b.callers {
		n := len(runs[i].each)
		rate := perSecond(n, runs[i].took)
		figures = append(figures,
			figure{
				name:  "start-next + update, durable, " + plural(callers, "caller"),
				value: count(rate) + " pairs/s", beside: "Pebble alone " + count(alone[i]) + " pairs/s", ratio: percent(rate, alone[i]), aim: "≥ 85 % at 64",
			},
			figure{name: "… processor time of a pair", value: micros(runs[i].cpu, n)},
			figure{name: "… latency of a pair, p50 / p99", value: runs[i].each.String()},
			runs[i].flushed("pair", n),
		)
	}
	return figures, nil
}

// buildCeiling builds the benchmarks of a store without the engine, in dir, and returns the
// path of the program.
func buildCeiling(ctx context.Context, dir, store string) (program string, err error) {
	program = filepath.Join(dir, store+".test")
	if out, err := exec.CommandContext(ctx, "go", "test", "-c", "-o", program, "./store/"+store).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the ceiling: %w: %s", err, out)
	}
	return program, nil
}

// pairRun is the measurement of many pairs.
type pairRun struct {
	took, cpu time.Duration // cpu is this process's
	each      latencies
	flushes   int // of the disk
}

func (r pairRun) plus(more pairRun) pairRun {
	return pairRun{r.took + more.took, r.cpu + more.cpu, append(r.each, more.each...), r.flushes + more.flushes}
}

// flushed is the line of the disk's flushes for n pieces of work.
func (r pairRun) flushed(piece string, n int) figure {
	return figure{name: "… flushes of the disk for a " + piece, value: fmt.Sprintf("%.3f", float64(r.flushes)/float64(n)), beside: count(r.flushes) + " in all"}
}

// runPairs does n pieces of work with a number of concurrent callers.
func runPairs(callers, n int, do func(worker, i int) error) (pairRun, error) {
	run := pairRun{each: make(latencies, n)}
	cpu, flushes, began := ownTime(), diskFlushes(), time.Now()
	err := inParallel(callers, n, func(worker, i int) error {
		began := time.Now()
		err := do(worker, i)
		run.each[i] = time.Since(began)
		return err
	})
	run.took, run.cpu, run.flushes = time.Since(began), ownTime()-cpu, diskFlushes()-flushes
	return run, err
}

// pebbleAlone returns the operations a second of the benchmark in
// store/pebblestore that does not use the store interface and the service.
func pebbleAlone(ctx context.Context, program string, callers, n int) (float64, error) {
	out, err := exec.CommandContext(ctx, program, "-test.run=^$",
		fmt.Sprintf("-test.bench=Pair/pebble/callers=%d$", callers), fmt.Sprintf("-test.benchtime=%dx", n)).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("the ceiling: %w: %s", err, out)
	}
	fields := strings.Fields(string(out))
	for i, unit := range fields {
		if unit == "ops/s" && i > 0 {
			return strconv.ParseFloat(fields[i-1], 64)
		}
	}
	return 0, fmt.Errorf("the ceiling says nothing: %s", out)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(n) + " " + noun + "s"
}
