package service

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/storetest"
)

// Devices work on jobs that come while they do, on a disk whose sync takes 50 to 500 ms: each is
// told of what happens to it in order, nothing that was acknowledged is lost, and nobody waits
// longer than the syncs before his take.
func TestASlowDiskDelaysAndReordersNothing(t *testing.T) {
	const devices, rollouts, slowest = 20, 6, 500 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 2)) // used by one sync at a time
		disk := func() error {
			time.Sleep(50*time.Millisecond + time.Duration(rng.Int64N(int64(slowest-50*time.Millisecond))))
			return nil
		}
		env := newEnvOnJust(t, storetest.Late(memstore.New(), storetest.Pauses{Durable: disk}), Options{})
		var names []string
		for i := range devices {
			names = append(names, fmt.Sprint("lamp", i))
		}
		env.thing(names...)
		env.group("lamps", names...)
		ended := make(chan int, devices)
		for _, name := range names {
			go func() { ended <- work(env, name, rollouts, slowest) }()
		}
		for n := range rollouts {
			env.job(fmt.Sprint("job", n), "@lamps")
		}
		for range devices {
			if done := <-ended; done != rollouts {
				t.Errorf("a device has done %d jobs, want %d", done, rollouts)
			}
		}
		for n := range rollouts {
			if c := env.counts(fmt.Sprint("job", n)); c.Of(muster.Succeeded) != devices {
				t.Errorf("job %d succeeded on %d devices, want %d", n, c.Of(muster.Succeeded), devices)
			}
		}
		wantInOrder(t, env.told(), names)
	})
}

// work lets a device do so many jobs, and returns how many it has done.
func work(env *env, thing string, want int, slowest time.Duration) (done int) {
	const before = 8 // syncs: of the batches that may be on their way, and its own
	ask := func(what string, fn func(done func(jobs.Described, error))) (jobs.Described, bool) {
		began := time.Now()
		d, err := commit.Await(env.t.Context(), fn)
		if took := time.Since(began); err != nil || took > before*slowest {
			env.t.Errorf("%s of %s = %v after %v", what, thing, err, took)
			return d, false
		}
		return d, true
	}
	for idle := 0; done < want && idle < 100; {
		d, ok := ask("start-next", func(answer func(jobs.Described, error)) {
			env.StartNext(jobs.StartNextInput{Thing: muster.ThingName(thing)}, answer)
		})
		if !ok {
			return done
		}
		if d.Execution == nil {
			idle++
			time.Sleep(time.Second)
			continue
		}
		_, ok = ask("update", func(answer func(jobs.Described, error)) {
			env.UpdateExecution(jobs.UpdateInput{Thing: muster.ThingName(thing), Job: d.Execution.Job, Status: muster.Succeeded}, answer)
		})
		if !ok {
			return done
		}
		done++
	}
	return done
}

// wantInOrder fails the test unless each thing was told of each of its jobs in the order of the
// versions, and in the end that there is none.
func wantInOrder(t *testing.T, notes, things []string) {
	t.Helper()
	last := map[string]string{}
	version := map[string]int{}
	for _, note := range notes {
		thing, next, ok := strings.Cut(note, " next ")
		if !ok {
			continue
		}
		last[thing] = next
		var job, status string
		var v int
		if n, _ := fmt.Sscanf(next, "%s %s v%d", &job, &status, &v); n < 3 {
			continue
		}
		key := thing + " " + job
		if v < version[key] {
			t.Fatalf("%s was told of version %d after %d", key, v, version[key])
		}
		version[key] = v
	}
	for _, thing := range things {
		if last[thing] != "none" {
			t.Errorf("%s was told last that its next job is %q, want none", thing, last[thing])
		}
	}
	if len(version) < len(things) {
		t.Errorf("only %d jobs were told of as next", len(version))
	}
}
