// Package contract checks the whole service against its contract. It generates
// requests from the API models: mostly meaningful ones, some with exactly one mistake,
// and some that no client would send. The real handlers of both planes and of MQTT
// answer them, and every answer is judged only by the models and the tables of the
// specification.
//
// The same seed gives the same requests as long as the service gives the same
// answers. The package is for tests. No server code imports it, and it opens no
// socket.
package contract

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/store"
)

// Options say what a run tries.
type Options struct {
	Seed uint64
	// Store is an empty store for the service, which the caller closes. Nil is one in
	// memory.
	Store store.Store
	// More is called before each request with the report so far, and returns whether
	// there is to be another request.
	More func(*Report) bool
	// Tamper may put a handler in front of the service that changes answers, to test
	// that the changes are found. Nil puts none.
	Tamper func(http.Handler) http.Handler
	// Trace gets everything that happens, in order, so that a finding can be
	// explained. Nil discards it.
	Trace func(event string)
}

// Finding is an answer that the contract does not allow.
type Finding struct {
	Seed    uint64
	Step    int    // how many requests were sent before it
	What    string // what is special about the request
	Request string // as a command line, or as topic and payload
	Answer  string
	Problem string
}

func (f Finding) String() string {
	return fmt.Sprintf("seed %d, step %d: %s\n  what:    %s\n  request: %s\n  answer:  %s", f.Seed, f.Step, f.Problem, f.What, f.Request, f.Answer)
}

// findingsMax is the number of findings after which a run ends.
const findingsMax = 20

// run is one history of requests in one world.
type run struct {
	*world
	*generator
	judge   *judge
	served  []*wire.Operation
	others  []*wire.Operation // that answer 501
	report  *Report
	seed    uint64
	told    map[string]bool // findings that were reported
	trace   func(string)
	weights int // of all served operations together
}

// Run sends requests until o.More returns false or there are findingsMax findings. It
// returns an error if the test itself fails or the service cannot continue.
func Run(ctx context.Context, o Options) (*Report, error) {
	w, err := newWorld(o.Store, o.Tamper)
	if err != nil {
		return nil, err
	}
	g, err := newGenerator(o.Seed, w.time)
	if err != nil {
		return nil, err
	}
	j, err := newJudge()
	if err != nil {
		return nil, err
	}
	r := &run{world: w, generator: g, judge: j, report: newReport(), seed: o.Seed, told: map[string]bool{}, trace: o.Trace}
	if r.trace == nil {
		r.trace = func(string) {}
	}
	r.list()
	for o.More(r.report) && len(r.report.Findings) < findingsMax {
		if err := r.step(ctx); err != nil {
			return nil, err
		}
	}
	if err := r.verify(ctx); err != nil {
		return nil, err
	}
	return r.report, w.stop()
}

// list divides all operations into those that are served and the others.
func (r *run) list() {
	served := map[*wire.Operation]bool{}
	for _, op := range awsiot.Implemented() {
		served[op] = true
		r.served = append(r.served, op)
		r.weights += weight(op)
		r.report.expect(op)
	}
	for _, op := range wire.Operations() {
		transfer := strings.Contains(op.Name, "Transfer") // refused with an explanation
		if !served[op] && !transfer {
			r.others = append(r.others, op)
		}
	}
}

// operation chooses one of the operations that are served.
func (r *run) operation() *wire.Operation {
	n := r.rand.IntN(r.weights)
	for _, op := range r.served {
		if n -= weight(op); n < 0 {
			return op
		}
	}
	return r.served[0] // never
}

// step makes one attempt of a random kind.
func (r *run) step(ctx context.Context) error {
	if r.likely(30) {
		d := time.Duration(r.rand.IntN(90_000)) * time.Millisecond
		if r.likely(4) {
			d = time.Duration(r.rand.IntN(300)) * time.Minute
		}
		r.trace("time passes: " + d.String())
		if err := r.pass(ctx, d); err != nil {
			return err
		}
	}
	if r.likely(8) {
		if err := r.connect(ctx); err != nil {
			return err
		}
	}
	switch n := r.rand.IntN(100); {
	case n < 18:
		r.device()
	case n < 60:
		r.valid()
	case n < 80:
		r.breach()
	case n < 90:
		r.oddity()
	case n < 95:
		r.malformed()
	case n < 98:
		r.stranger()
	default:
		r.unserved()
	}
	return nil
}

// connect makes a device connect or disconnect.
func (r *run) connect(ctx context.Context) error {
	now := muster.Connectivity{Connected: true, At: r.clock(), Reason: muster.NoReason}
	if r.likely(40) {
		now.Connected, now.Reason = false, "CONNECTION_LOST"
	}
	return r.service.Registry.RecordConnections(ctx, []registry.ConnectionChange{{Client: r.common("ThingName"), Connectivity: now}})
}

// verify checks the store with service.Verify.
func (r *run) verify(ctx context.Context) error {
	problems, err := service.Verify(ctx, r.store)
	for _, p := range problems {
		r.report.find(Finding{Seed: r.seed, Step: r.report.Requests, What: "the store at the end", Problem: p.String()})
	}
	return err
}
