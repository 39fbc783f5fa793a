package contract

import (
	"flag"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/muster-iot/muster/internal/teststore"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

var (
	duration = flag.Duration("for", 0, "how long to go on after the first histories, with the seeds from -seed on or random ones")
	trace    = flag.Bool("history", false, "log every request and answer")
	chosen   = flag.Uint64("seed", 0, "the only seed to try, or the first with -for; zero means a few fixed ones")
)

// requests is how many requests one history has.
const requests = 2000

// seedsMax is the number of fixed seeds with which every operation must succeed.
const seedsMax = 20

// exceptions are served operations of which no request can succeed here, with the
// reason.
var exceptions = []string{
	"iotdata DeleteConnection", // nobody is connected here
	"iotdata GetThingShadow",   // needs a job with a published version that ends SUCCEEDED, which random requests hardly ever reach
}

func TestContract(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long, and its requests come one after the other")
	}
	total := newReport()
	next := rand.Uint64
	if *chosen != 0 {
		total.Add(history(t, *chosen, requests))
		next = func() uint64 { *chosen++; return *chosen }
	}
	if *chosen == 0 || *duration > 0 {
		for seed := uint64(1); seed <= 2 || seed <= seedsMax && len(missing(total)) > 0; seed++ {
			total.Add(history(t, seed, requests))
		}
	}
	for began := time.Now(); time.Since(began) < *duration; {
		total.Add(history(t, next(), requests))
	}
	for _, f := range total.Findings {
		t.Error(f)
	}
	t.Log(total)
	for _, name := range missing(total) {
		t.Errorf("%s never succeeded: teach the generator what it needs (meaning.go)", name)
	}
}

// missing returns the operations that should have succeeded and have not.
func missing(r *Report) []string {
	return slices.DeleteFunc(r.NeverSucceeded(), func(name string) bool { return slices.Contains(exceptions, name) })
}

// history runs n requests from one seed.
func history(t *testing.T, seed uint64, n int) *Report {
	t.Helper()
	t.Logf("seed %d", seed)
	cryptotest.SetGlobalRandom(t, seed) // also the random numbers of the service
	s := teststore.New(t, func() store.Store { return memstore.New() })
	defer s.Close()
	o := Options{Seed: seed, Store: s, More: func(r *Report) bool { return r.Requests < n }}
	if *trace {
		o.Trace = func(event string) { t.Log(event) }
	}
	report, err := Run(t.Context(), o)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	return report
}

func TestTheSameSeedGivesTheSameHistory(t *testing.T) {
	first, second := history(t, 7, 600), history(t, 7, 600)
	if first.String() != second.String() {
		t.Errorf("seed 7 gives\n%s\nand then\n%s", first, second)
	}
}
