package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// warmUp is how long requests are sent before they count.
const warmUp = 500 * time.Millisecond

// requests measures jobs requests of many connections: what the gateway costs
// with identity and policy but no engine, what the real server costs, and how
// long one takes at a given rate.
func (b *bench) requests(ctx context.Context) ([]figure, error) {
	f, err := b.fleet(ctx)
	if err != nil {
		return nil, err
	}
	alone, err := b.serveGateway(ctx, f.folder)
	if err != nil {
		return nil, err
	}
	gatewayCost, err := b.requestCosts(ctx, alone, f, true)
	alone.stop()
	if err != nil {
		return nil, err
	}
	s, err := b.serve(ctx, f.folder)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	wholeCost, err := b.requestCosts(ctx, s, f, false)
	if err != nil {
		return nil, err
	}
	var figures []figure
	for i, whole := range wholeCost {
		own := gatewayCost[i]
		aim := "≤ 20 µs"
		if whole.secure {
			aim = "≤ 28 µs"
		}
		figures = append(figures,
			figure{
				name:  fmt.Sprintf("processor time of a request, %s, %s, policy included, answered from memory", whole.wire(), plural(whole.clients, "connection")),
				value: micros(own.cpu, own.n), beside: count(perSecond(own.n, own.took)) + " requests/s, closed loop", aim: aim,
			},
			figure{name: "… jobs/get answered by the engine" + whole.note(), value: micros(whole.cpu, whole.n), beside: count(perSecond(whole.n, whole.took)) + " requests/s, closed loop"},
		)
	}
	for _, secure := range []bool{false, true} {
		each, err := b.openLoop(ctx, s, f, secure)
		if err != nil {
			return figures, err
		}
		figures = append(figures, figure{
			name:  fmt.Sprintf("jobs/get at %s requests/s over %s, %s: latency p50 / p99", count(b.rate), plural(b.requesters[len(b.requesters)-1], "connection"), wireName(secure)),
			value: each.String(), aim: "p99 ≤ 3 ms",
		})
	}
	return figures, nil
}

// requestCost is what n requests cost.
type requestCost struct {
	secure    bool
	clients   int
	n         int
	took, cpu time.Duration
}

func (c requestCost) wire() string { return wireName(c.secure) }

// note says what is different about the plain listener of the real server.
func (c requestCost) note() string {
	if c.secure {
		return ""
	}
	return " (the plain listener knows no identity)"
}

func wireName(secure bool) string {
	if secure {
		return "mTLS"
	}
	return "TCP"
}

func (b *bench) requestCosts(ctx context.Context, s *server, f *fleet, bare bool) ([]requestCost, error) {
	var costs []requestCost
	for _, secure := range []bool{false, true} {
		for _, n := range b.requesters {
			cost, err := b.closedLoop(ctx, s, s.endpoint(f, secure), n)
			if err != nil {
				return nil, fmt.Errorf("%s, %d connections: %w", wireName(secure), n, err)
			}
			cost.secure = secure
			what := "by the engine"
			if bare {
				what = "from memory"
			}
			b.progress("%s, %d connections, %s: %s", wireName(secure), n, what, micros(cost.cpu, cost.n))
			costs = append(costs, cost)
		}
	}
	return costs, nil
}

// closedLoop lets n clients send one request after the other.
func (b *bench) closedLoop(ctx context.Context, s *server, at endpoint, n int) (requestCost, error) {
	all, err := at.gather(ctx, n, deviceName, nil)
	if err != nil {
		return requestCost{}, err
	}
	defer all.close()
	var done atomic.Int64
	var over atomic.Bool
	var running sync.WaitGroup
	failed := make(chan error, n)
	for i, c := range all {
		running.Go(func() {
			wire := requestPacket(deviceName(i), "get", "{}")
			for !over.Load() {
				if err := c.request(wire); err != nil {
					failed <- err
					return
				}
				done.Add(1)
			}
		})
	}
	time.Sleep(warmUp)
	began, before, cpu := time.Now(), done.Load(), s.cpu()
	time.Sleep(b.requestFor)
	cost := requestCost{clients: n, cpu: s.cpu() - cpu, n: int(done.Load() - before), took: time.Since(began)}
	over.Store(true)
	running.Wait()
	close(failed)
	return cost, <-failed
}

// openLoop sends requests at a fixed rate, spread over many clients. The latency of
// a request counts from when it was due, so it includes waiting for an earlier one.
func (b *bench) openLoop(ctx context.Context, s *server, f *fleet, secure bool) (latencies, error) {
	n := b.requesters[len(b.requesters)-1]
	all, err := s.endpoint(f, secure).gather(ctx, n, deviceName, nil)
	if err != nil {
		return nil, err
	}
	defer all.close()
	gap := time.Second / time.Duration(b.rate)
	rounds := int(2 * b.requestFor / (gap * time.Duration(n)))
	each := make([]latencies, n)
	start := time.Now().Add(warmUp)
	err = inParallel(n, n, func(_, i int) error {
		wire := requestPacket(deviceName(i), "get", "{}")
		for round := range max(rounds, 1) {
			due := start.Add(gap * time.Duration(round*n+i))
			time.Sleep(time.Until(due))
			if err := all[i].request(wire); err != nil {
				return err
			}
			each[i] = append(each[i], time.Since(due))
		}
		return nil
	})
	return slices.Concat(each...), err
}
