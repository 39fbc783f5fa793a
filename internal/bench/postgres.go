package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/internal/nats"
	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store/pgstore"
)

// postgresSections begins the names of the sections that need PostgreSQL.
const postgresSections = "postgres"

// relational is a service in this process, on a database server of its own that keeps what it
// has committed.
type relational struct {
	*world
	*costs
}

// costs are what work on a database server costs.
type costs struct {
	server *postgres.Server
	bus    *nats.Server // nil: there is none

	mu    sync.Mutex
	spent spent // so far; its processor time and bytes are read anew
}

// spent is what work costs.
type spent struct {
	node, database, bus        time.Duration // processor time of this process, and of the servers
	wal                        int           // bytes of the database server's log
	commits, trips, statements int           // of transactions that have changed something
	views                      int           // snapshots that were only read, of nodes
}

func (s spent) plus(more spent) spent {
	return spent{
		s.node + more.node, s.database + more.database, s.bus + more.bus, s.wal + more.wal,
		s.commits + more.commits, s.trips + more.trips, s.statements + more.statements, s.views + more.views,
	}
}

func (s spent) minus(less spent) spent {
	return spent{
		s.node - less.node, s.database - less.database, s.bus - less.bus, s.wal - less.wal,
		s.commits - less.commits, s.trips - less.trips, s.statements - less.statements, s.views - less.views,
	}
}

func openRelational(ctx context.Context) (*relational, error) {
	server, err := postgres.Launch(postgres.Options{})
	if err != nil {
		return nil, err
	}
	r := &relational{costs: &costs{server: server}}
	name, err := server.Create()
	if err == nil {
		var s *pgstore.Store
		if s, err = pgstore.Open(ctx, pgstore.Options{Database: server.URL(name), OnCommit: r.committed}); err == nil {
			r.world = newWorld(s)
		}
	}
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return r, nil
}

func (r *relational) close() error { return errors.Join(r.world.close(), r.server.Close()) }

func (c *costs) committed(one pgstore.Commit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spent.commits++
	c.spent.trips += one.Trips
	c.spent.statements += one.Statements
}

func (c *costs) viewed(pgstore.View) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spent.views++
}

// so returns what was spent so far.
func (c *costs) so() (spent, error) {
	c.mu.Lock()
	s := c.spent
	c.mu.Unlock()
	s.node, s.database = ownTime(), c.server.ProcessorTime()
	if c.bus != nil {
		s.bus = timeOf(c.bus.Process().Pid)
	}
	place, err := c.server.Query("postgres", "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")
	if err == nil {
		s.wal, err = strconv.Atoi(place)
	}
	return s, err
}

// measure returns what do costs.
func (c *costs) measure(do func() error) (spent, error) {
	before, err := c.so()
	if err != nil {
		return spent{}, err
	}
	if err := do(); err != nil {
		return spent{}, err
	}
	after, err := c.so()
	return after.minus(before), err
}

// enginePostgres measures the work of a device as engine does, on PostgreSQL, in alternation
// with Pebble, and with the same statements without the service. The latter are a benchmark of
// store/pgstore, since only that package knows them.
func (b *bench) enginePostgres(ctx context.Context) ([]figure, error) {
	ceiling, err := buildCeiling(ctx, b.dir, "pgstore")
	if err != nil {
		return nil, err
	}
	r, err := openRelational(ctx)
	if err != nil {
		return nil, err
	}
	defer r.close()
	beside, err := b.open(filepath.Join(b.dir, "beside"))
	if err != nil {
		return nil, err
	}
	defer beside.close()
	for _, w := range []*world{beside, r.world} {
		if err := w.addGroup(ctx, engineGroup, b.things); err != nil {
			return nil, err
		}
	}
	b.progress("%d things registered on both", b.things)

	order := rand.Perm(b.things) // the same in every round, so that each thing has finished its older jobs
	runs := make([]pairsOnPostgres, len(b.callers))
	for round := range b.rounds {
		job := fmt.Sprintf("round-%d", round)
		for _, w := range []*world{beside, r.world} {
			if _, err := w.fanOut(ctx, job, engineGroup, b.things); err != nil {
				return nil, err
			}
		}
		from := 0
		for i, callers := range b.callers {
			n := b.pairs[callers]
			things := order[from : from+n]
			from += n
			run := &runs[i]
			pairs := func(w *world) (pairRun, error) {
				return runPairs(callers, n, func(_, i int) error { return w.pair(ctx, thingName(engineGroup, things[i]), job) })
			}
			onPebble, err := pairs(beside)
			if err != nil {
				return nil, err
			}
			run.pebble = run.pebble.plus(onPebble)
			var here pairRun
			cost, err := r.measure(func() (err error) { here, err = pairs(r.world); return err })
			if err != nil {
				return nil, err
			}
			run.here, run.cost = run.here.plus(here), run.cost.plus(cost)
			alone, err := statementsAlone(ctx, ceiling, groupOf(callers), 2*n)
			if err != nil {
				return nil, err
			}
			run.alone = run.alone.plus(alone, b.rounds)
			b.progress("%s, round %d: %.0f pairs/s, statements alone %.0f, Pebble %.0f", plural(callers, "caller"), round+1,
				perSecond(n, here.took), alone.rate/2, perSecond(n, onPebble.took))
		}
	}
	var figures []figure
	for i, callers := range b.callers {
		figures = append(figures, runs[i].figures(callers)...)
	}
	return figures, nil
}

// groupOf is about how many operations of so many callers make a transaction: while one is on
// its way, the callers of the one before it come back.
func groupOf(callers int) int { return min(max(1, callers/2), 500) }

// pairsOnPostgres is the measurement of many pairs.
type pairsOnPostgres struct {
	here, pebble pairRun
	cost         spent
	alone        alone
}

// alone is what the statements alone do: operations a second, and microseconds of processor
// time for each.
type alone struct{ rate, node, database float64 }

// plus adds one of so many measurements to their mean.
func (a alone) plus(one alone, of int) alone {
	n := float64(of)
	return alone{a.rate + one.rate/n, a.node + one.node/n, a.database + one.database/n}
}

func (p pairsOnPostgres) figures(callers int) []figure {
	n := len(p.here.each)
	rate := perSecond(n, p.here.took)
	aims := map[int][2]string{64: {"≥ 80 %, ≥ 10,000 pairs/s", "≥ 80 %"}, 1024: {"≥ 80 %", "≥ 80 %, ≤ 20 + 25 µs"}}[callers]
	pebble := perSecond(n, p.pebble.took)
	return []figure{
		{
			name:  "start-next + update, durable, " + plural(callers, "caller"),
			value: count(rate) + " pairs/s", beside: "the statements alone " + count(p.alone.rate/2) + " pairs/s", ratio: percent(rate, p.alone.rate/2), aim: aims[0],
		},
		{name: "… beside Pebble", value: count(rate) + " pairs/s", beside: "Pebble " + count(pebble) + " pairs/s", ratio: percent(rate, pebble)},
		{name: "… latency of a pair, p50 / p99", value: p.here.each.String(), beside: "Pebble " + p.pebble.each.String()},
		{
			name:  "… processor time of an operation, Muster + database",
			value: micros(p.cost.node, 2*n) + " + " + micros(p.cost.database, 2*n), aim: aims[1],
			ratio:  percent(p.alone.node+p.alone.database, float64((p.cost.node+p.cost.database).Nanoseconds())/1000/float64(2*n)),
			beside: fmt.Sprintf("the statements alone %.1f + %.1f µs; Pebble %s", p.alone.node, p.alone.database, micros(p.pebble.cpu, 2*n)),
		},
		{
			name:   "… round trips and statements of a transaction",
			value:  fmt.Sprintf("%.2f, %.1f", float64(p.cost.trips)/float64(p.cost.commits), float64(p.cost.statements)/float64(p.cost.commits)),
			beside: fmt.Sprintf("%.0f operations a transaction", float64(2*n)/float64(p.cost.commits)),
		},
		{name: "… bytes of the database's log for a pair", value: count(p.cost.wal / n)},
	}
}

// statementsAlone runs the benchmark in store/pgstore that uses neither the store interface nor
// the service.
func statementsAlone(ctx context.Context, program string, group, n int) (a alone, err error) {
	out, err := exec.CommandContext(ctx, program, "-test.run=^$",
		fmt.Sprintf("-test.bench=Pair/alone/group=%d$", group), fmt.Sprintf("-test.benchtime=%dx", n)).CombinedOutput()
	if err != nil {
		return a, fmt.Errorf("the ceiling: %w: %s", err, out)
	}
	fields := strings.Fields(string(out))
	for i := 1; i < len(fields); i++ {
		figure := map[string]*float64{"ops/s": &a.rate, "node-µs/op": &a.node, "database-µs/op": &a.database}[fields[i]]
		if figure == nil {
			continue
		}
		if *figure, err = strconv.ParseFloat(fields[i-1], 64); err != nil {
			return a, err
		}
	}
	if a.rate == 0 {
		return a, fmt.Errorf("the ceiling says nothing: %s", out)
	}
	return a, nil
}

// fanOutPostgres measures a job for many things on PostgreSQL, and what is asked about it then.
// Each number of things has a database of its own.
func (b *bench) fanOutPostgres(ctx context.Context) ([]figure, error) {
	var figures []figure
	for _, n := range b.fleets {
		r, err := openRelational(ctx)
		if err != nil {
			return figures, err
		}
		more, err := r.rollOut(ctx, n)
		if err == nil {
			b.progress("%d things: %s", n, more[0].value)
			figures = append(figures, more...)
			more, err = r.questions(ctx, n, b.asks)
			figures = append(figures, more...)
		}
		if closed := r.close(); err == nil {
			err = closed
		}
		if err != nil {
			return figures, fmt.Errorf("%d things: %w", n, err)
		}
	}
	return figures, nil
}

// rollOut measures how n things are registered and given a job.
func (r *relational) rollOut(ctx context.Context, n int) ([]figure, error) {
	registering, err := r.measure(func() error { return r.addGroup(ctx, oneGroup, n) })
	if err != nil {
		return nil, err
	}
	var took time.Duration
	cost, err := r.measure(func() (err error) { took, err = r.fanOut(ctx, oneGroup, oneGroup, n); return err })
	if err != nil {
		return nil, err
	}
	return []figure{
		{
			name:  fmt.Sprintf("a job for %s things, until the last execution is durable", count(n)),
			value: millis(took), beside: count(perSecond(n, took)) + " executions/s", aim: map[int]string{1_000_000: "≤ 90 s"}[n],
		},
		r.each("… processor time of an execution, Muster + database", cost, n),
		r.each("… of a thing and its place in a group, registered before", registering, n),
	}, nil
}

// each is the line of what one of n costs.
func (r *relational) each(name string, cost spent, n int) figure {
	return figure{
		name: name, value: micros(cost.node, n) + " + " + micros(cost.database, n),
		beside: fmt.Sprintf("%s bytes of log; %s transactions with %.1f round trips", count(cost.wal/n), count(cost.commits), float64(cost.trips)/float64(max(1, cost.commits))),
	}
}

// questions measures what operators and devices ask about a job for n things, so many of each,
// one at a time.
func (r *relational) questions(ctx context.Context, n, asks int) ([]figure, error) {
	var figures []figure
	for _, question := range []struct {
		name string
		ask  func() error
	}{
		{"… describe-job", func() error {
			_, err := r.service.Jobs.DescribeJob(ctx, oneGroup)
			return err
		}},
		{"… first 250 executions of the job", func() error {
			_, err := r.service.Jobs.ExecutionsOfJob(ctx, oneGroup, 0, listing.Page{Limit: listing.Max})
			return err
		}},
		{"… describe-job-execution of a random thing", func() error {
			_, err := r.service.Jobs.DescribeExecution(ctx, jobs.DescribeInput{Thing: muster.ThingName(thingName(oneGroup, rand.IntN(n))), Job: oneGroup})
			return err
		}},
	} {
		each := make(latencies, asks)
		cost, err := r.measure(func() error {
			for i := range each {
				began := time.Now()
				if err := question.ask(); err != nil {
					return err
				}
				each[i] = time.Since(began)
			}
			return nil
		})
		if err != nil {
			return figures, err
		}
		figures = append(figures, figure{
			name: question.name + ", p50 / p99", value: each.String(), aim: "< 5 ms",
			beside: "processor time " + micros(cost.node, asks) + " + " + micros(cost.database, asks),
		})
	}
	return figures, nil
}
