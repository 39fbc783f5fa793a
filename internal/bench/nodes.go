package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// nodesSections begins the names of the sections about several nodes, which need PostgreSQL and a
// NATS server.
const nodesSections = "nodes"

// setup is a number of nodes that share the callers.
type setup struct {
	name string
	*site
	runs []nodeRun // for each number of callers
}

// nodeRun is what was measured with one number of callers: in all, and the rates and processor
// times of an operation by round, in microseconds.
type nodeRun struct {
	each                      latencies
	cost                      spent
	refused                   int // transactions that had to run again
	rate, node, database, bus []float64
}

// severalNodes measures the work of devices on 1, 2 and 3 nodes on one database server, and on one that
// is alone, in alternation. Each number of nodes has a database of its own. The nodes are in
// this process; the callers are divided among them.
func severalNodes(ctx context.Context, b *bench) (figures []figure, err error) {
	c, err := launchCosts(true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.end()) }()
	var setups []*setup
	defer func() {
		for _, s := range setups {
			err = errors.Join(err, s.close())
		}
	}()
	things := 0
	for _, n := range b.nodePairs {
		things += n
	}
	for n := range 4 {
		s := &setup{name: "on " + plural(n, "node"), runs: make([]nodeRun, len(b.nodeCallers))}
		of := c
		if n == 0 {
			s.name, of = "on one node that is alone", &costs{server: c.server}
		}
		if s.site, err = openSite(ctx, of, max(1, n)); err != nil {
			return nil, err
		}
		setups = append(setups, s)
		if err := s.addTo(ctx, engineGroup, things); err != nil {
			return nil, err
		}
	}
	b.progress("%d things registered on each", things)

	order := rand.Perm(things) // the same in every round, so that each thing has finished its older jobs
	for round := range b.nodeRounds {
		job := fmt.Sprintf("round-%d", round)
		for _, s := range setups {
			if _, err := s.nodes[0].fanOut(ctx, job, engineGroup, things); err != nil {
				return nil, err
			}
		}
		from := 0
		for i, callers := range b.nodeCallers {
			n := b.nodePairs[callers]
			for k := range setups {
				s := setups[(round+k)%len(setups)]
				if err := s.pairs(ctx, i, callers, order[from:from+n], job); err != nil {
					return nil, err
				}
			}
			from += n
			b.progress("%s, round %d: %s", plural(callers, "caller"), round+1, ratesOf(setups, i))
		}
	}
	for i, callers := range b.nodeCallers {
		for k, s := range setups {
			figures = append(figures, s.figures(i, callers, besides(setups, k))...)
		}
	}
	return figures, nil
}

// besides returns what a setup is compared with: several nodes with one, one with one that is alone.
func besides(setups []*setup, k int) *setup {
	switch k {
	case 0:
		return nil
	case 1:
		return setups[0]
	}
	return setups[1]
}

func ratesOf(setups []*setup, i int) string {
	var text strings.Builder
	text.WriteString("pairs/s")
	for _, s := range setups {
		rates := s.runs[i].rate
		fmt.Fprintf(&text, ", %s %.0f", s.name, rates[len(rates)-1])
	}
	return text.String()
}

// pairs measures one pair for each of some things, and adds it to the run of callers number i.
func (s *setup) pairs(ctx context.Context, i, callers int, things []int, job string) error {
	var here pairRun
	refused := s.refused()
	cost, err := s.measure(func() (err error) {
		here, err = runPairs(callers, len(things), func(worker, i int) error {
			return s.nodes[worker%len(s.nodes)].pair(ctx, thingName(engineGroup, things[i]), job)
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	run, operations := &s.runs[i], float64(2*len(things))
	run.each = append(run.each, here.each...)
	run.cost = run.cost.plus(cost)
	run.refused += s.refused() - refused
	run.rate = append(run.rate, perSecond(len(things), here.took))
	run.node = append(run.node, float64(cost.node.Nanoseconds())/1000/operations)
	run.database = append(run.database, float64(cost.database.Nanoseconds())/1000/operations)
	run.bus = append(run.bus, float64(cost.bus.Nanoseconds())/1000/operations)
	return nil
}

// all returns the processor times of an operation by round, all processes together.
func (r nodeRun) all() []float64 {
	sums := make([]float64, len(r.node))
	for i := range sums {
		sums[i] = r.node[i] + r.database[i] + r.bus[i]
	}
	return sums
}

func (r nodeRun) times() string {
	return fmt.Sprintf("%.1f + %.1f + %.1f µs", median(r.node), median(r.database), median(r.bus))
}

func (s *setup) figures(i, callers int, beside *setup) []figure {
	run := s.runs[i]
	commits := float64(run.cost.commits)
	rate := figure{name: fmt.Sprintf("start-next + update, durable, %s, %s", plural(callers, "caller"), s.name), value: count(median(run.rate)) + " pairs/s"}
	took := figure{name: "… latency of a pair, p50 / p99", value: run.each.String()}
	spent := figure{name: "… processor time of an operation, Muster + database + NATS", value: run.times()}
	if beside != nil {
		other := beside.runs[i]
		rate.beside, rate.ratio = beside.name+" "+count(median(other.rate))+" pairs/s", percent(median(ratios(run.rate, other.rate)), 1)
		took.beside = beside.name + " " + other.each.String()
		spent.beside, spent.ratio = beside.name+" "+other.times(), fmt.Sprintf("%+.0f %%", 100*(median(ratios(run.all(), other.all()))-1))
		spent.aim = map[int]string{1: "", 2: "≤ +15 %", 3: "≤ +35 %"}[len(s.nodes)]
	}
	return []figure{
		rate, took, spent,
		{
			name:  "… operations, round trips and statements of a transaction, and views beside it",
			value: fmt.Sprintf("%.0f, %.2f, %.1f, %.2f", float64(2*len(run.each))/commits, float64(run.cost.trips)/commits, float64(run.cost.statements)/commits, float64(run.cost.views)/commits),
		},
		{name: "… transactions run again, of a thousand", value: fmt.Sprintf("%.2f", 1000*float64(run.refused)/commits), aim: "< 1"},
	}
}

// median returns the middle of some numbers, of which there must be one.
func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// ratios returns the ratio of two measurements in each round, in which they were made one after
// the other.
func ratios(all, beside []float64) []float64 {
	each := make([]float64, len(all))
	for i := range each {
		each[i] = all[i] / beside[i]
	}
	return each
}
