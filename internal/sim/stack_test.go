package sim

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/internal/teststore"
	"github.com/muster-iot/muster/jobs"
)

// TestFullStack simulates the whole service in one bubble of virtual time: Pebble on
// a disk that crashes, or PostgreSQL, service, scheduler, gateway, control plane and data plane
// over connections in memory, with devices of package device.
func TestFullStack(t *testing.T) {
	for seed := range seeds(t, 1, 1.0/3) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			on := platter(&folder{files: vfs.NewCrashableMem()})
			if teststore.Postgres(t) {
				on = newDatabase(t)
			}
			began := time.Now()
			var virtual time.Duration
			var s *site
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				s = playSite(t, seed, on, stackFault{})
				virtual = time.Since(start)
			})
			s.report()
			t.Logf("%d crashes in %v of virtual time, in %v", s.crashes, virtual.Round(time.Second), time.Since(began).Round(time.Millisecond))
		})
	}
}

const (
	gadgets    = 12
	crashesMax = 8
)

// playSite simulates a deployment from its first start to the end of all its jobs.
func playSite(t *testing.T, seed uint64, on platter, fault stackFault) *site {
	s := &site{
		t: t, seed: seed, fault: fault, rng: rand.New(rand.NewPCG(seed, 11)), log: slog.New(slog.DiscardHandler), platter: on,
		tripped: make(chan string, 1), orders: map[string]*campaign{}, acks: map[claim]ack{},
	}
	s.start()
	setUp := s.client()
	s.insist(setUp, http.MethodPost, "/thing-groups/all", struct{}{})
	names := make([]string, gadgets)
	for i := range names {
		names[i] = fmt.Sprintf("gadget-%02d", i)
		s.insist(setUp, http.MethodPost, "/things/"+names[i], struct{}{})
		s.insist(setUp, http.MethodPut, "/thing-groups/addThingToThingGroup", map[string]string{"thingName": names[i], "thingGroupName": "all"})
	}

	ctx, over := context.WithCancel(context.Background())
	patient := make(chan struct{})
	var everybody sync.WaitGroup
	var subscribers []*subscriber
	for i, name := range names {
		g := &gadget{s: s, name: name, rng: rand.New(rand.NewPCG(seed, 100+uint64(i))), patient: patient}
		g.https, g.picks, g.nature = g.rng.IntN(3) == 0, g.rng.IntN(2) == 0, natures[g.rng.IntN(len(natures)-1)]
		everybody.Go(func() { g.run(ctx) })
		u := &subscriber{s: s, thing: name}
		subscribers = append(subscribers, u)
		everybody.Go(func() { u.run(ctx) })
	}
	ordering, ordered := context.WithCancel(ctx)
	var operators sync.WaitGroup
	operators.Go(func() { s.order(ordering, rand.New(rand.NewPCG(seed, 12))) })

	for range crashesMax {
		time.Sleep(time.Duration(s.rng.Int64N(int64(3 * time.Hour))))
		s.crash(1 + s.rng.IntN(40))
		if len(s.wrong()) > 0 {
			break
		}
	}
	ordered()
	operators.Wait()
	close(patient)
	if len(s.wrong()) == 0 {
		s.finish(subscribers)
	}
	over()
	everybody.Wait()
	s.network.cut()
	if s.process != nil {
		s.end()
	}
	return s
}

// order acts as an operator, through the control plane.
func (s *site) order(ctx context.Context, rng *rand.Rand) {
	client := s.client()
	for n := 0; sleeps(ctx, time.Duration(rng.Int64N(int64(90*time.Minute)))); n++ {
		switch roll := rng.IntN(10); {
		case roll < 6:
			s.orderJob(client, rng, fmt.Sprintf("job-%d", n))
		case roll < 8:
			s.cancel(client, s.someJob(rng), rng.IntN(2) == 0)
		default:
			s.delete(client, s.someJob(rng))
		}
	}
}

func (s *site) orderJob(client *http.Client, rng *rand.Rand, id string) {
	o := &campaign{id: id, document: fmt.Sprintf(`{"nonce":%d}`, rng.Uint32())}
	in := map[string]any{"targets": []string{"arn:aws:iot:us-east-1:000000000000:thinggroup/all"}, "document": o.document}
	if rng.IntN(2) == 0 {
		in["jobExecutionsRolloutConfig"] = map[string]any{"maximumPerMinute": 1 + rng.IntN(10)}
	}
	if rng.IntN(2) == 0 {
		in["timeoutConfig"] = map[string]any{"inProgressTimeoutInMinutes": 20 + rng.IntN(100)}
	}
	if rng.IntN(2) == 0 {
		in["jobExecutionsRetryConfig"] = map[string]any{"criteriaList": []any{map[string]any{"failureType": "ALL", "numberOfRetries": 1 + rng.IntN(3)}}}
	}
	if rng.IntN(4) == 0 {
		in["abortConfig"] = map[string]any{"criteriaList": []any{map[string]any{
			"failureType": "FAILED", "action": "CANCEL", "thresholdPercentage": 30, "minNumberOfExecutedThings": 4,
		}}}
	}
	for attempt := 1; ; attempt++ {
		status, body := s.request(client, http.MethodPut, "/jobs/"+id, in)
		if status == http.StatusOK || status == http.StatusConflict { // the answer to the first attempt got lost
			break
		}
		if attempt > patience {
			s.fail("CreateJob(%s) is never answered", id)
			return
		}
		if status != 0 && status < 500 {
			s.fail("CreateJob(%s) = %d %s", id, status, body)
			return
		}
		time.Sleep(time.Minute)
	}
	s.say("CreateJob %s %v", id, in)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders[id] = o
}

func (s *site) someJob(rng *rand.Rand) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := names(s.orders)
	if len(all) == 0 {
		return ""
	}
	return all[rng.IntN(len(all))]
}

func (s *site) cancel(client *http.Client, id string, force bool) {
	if id == "" {
		return
	}
	status, _ := s.request(client, http.MethodPut, fmt.Sprintf("/jobs/%s/cancel?force=%v", id, force), struct{}{})
	s.say("CancelJob %s force=%v: %d", id, force, status)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders[id].canceled = s.orders[id].canceled || status == http.StatusOK
}

func (s *site) delete(client *http.Client, id string) {
	if id == "" {
		return
	}
	s.mu.Lock()
	s.orders[id].doomed = true
	s.mu.Unlock()
	status, _ := s.request(client, http.MethodDelete, fmt.Sprintf("/jobs/%s?force=true", id), nil)
	s.say("DeleteJob %s: %d", id, status)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders[id].deleted = s.orders[id].deleted || status == http.StatusOK
}

// finish waits until all jobs have come to their end, which they must within some
// days, and checks what was promised to all clients.
func (s *site) finish(subscribers []*subscriber) {
	ctx := context.Background()
	for range 6 * 24 {
		time.Sleep(time.Hour)
		total, err := s.process.service.Jobs.Totals(ctx)
		if err != nil {
			s.fail("Totals: %v", err)
			return
		}
		if total.Pending() == 0 {
			break
		}
	}
	time.Sleep(time.Hour)
	s.remembered()
	for _, id := range names(s.orders) {
		o := s.orders[id]
		d, err := s.process.service.Jobs.DescribeJob(ctx, muster.JobID(id))
		switch {
		case o.doomed && err != nil:
		case err != nil:
			s.fail("DescribeJob(%s): %v", id, err)
		case d.Status != muster.JobCompleted && d.Status != muster.JobCanceled, d.Counts.Pending() > 0:
			s.fail("in the end job %s is %s with %v", id, d.Status, d.Counts)
		case d.Status == muster.JobCompleted && d.Counts.Total() < gadgets:
			s.fail("job %s is complete and was given to %v, want %d things", id, d.Counts, gadgets)
		}
	}
	for _, u := range subscribers {
		d, err := s.process.service.Jobs.DescribeExecution(ctx, jobs.DescribeInput{Thing: muster.ThingName(u.thing)})
		if err != nil || d.Execution != nil || u.told() != "" {
			s.fail("%s was told that %q is next; it is %+v, %v", u.thing, u.told(), d.Execution, err)
		}
	}
}
