package service

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
)

// Random histories of a device that asks for documents in every way, of time
// that passes and of processes that end: each URL is the one issued last while
// half of its life remains, and else a new one.
func TestRandomHandOuts(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 2))
			s := newStore(t)
			env, _ := newLinkedEnv(t, s, noneHeard)
			env.thing("lamp")
			issued, half := muster.Instant(0), muster.Instant(withRole.Milliseconds()/2)
			handedOut := func(call string, d jobs.Described) {
				t.Helper()
				now := env.clock()
				if issued == 0 || now-issued > half {
					issued = now - now%1000
				}
				wantDocument(t, call, d, urlFrom(int(issued-testEpoch)/1000))
			}
			env.linkedJob("job", linked, "lamp")
			for step := range 60 {
				env.pass(rng.Int64N(withRole.Milliseconds() / 4))
				call := fmt.Sprintf("step %d", step)
				switch rng.IntN(5) {
				case 0:
					handedOut(call+", describe", env.describe("lamp", "job"))
				case 1:
					handedOut(call+", start-next", env.start("lamp"))
				case 2:
					d, err := env.reportAs(jobs.UpdateInput{Thing: "lamp", Job: "job", Status: muster.InProgress, WithDocument: true})
					if err != nil {
						t.Fatalf("%s, update: %v", call, err)
					}
					handedOut(call+", update", d)
				case 3:
					env.mustReport("lamp", "job", muster.InProgress) // without the document, which issues nothing
				case 4:
					passed := env.clock() - testEpoch
					env, _ = newLinkedEnv(t, s, noneHeard)
					env.pass(int64(passed))
				}
			}
		})
	}
}
