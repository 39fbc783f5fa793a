package commit_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/storetest"
)

// This file plays a small fleet on a store that promises no more than lanes do
// (storetest.Skewed). Its devices, operators and background work get in each other's way
// wherever a decision of one depends on what another changes; afterwards nothing may be
// wrong. With one of the guards of lanes.go switched off, something is.

// skewSeeds is how many histories are played; MUSTER_SEEDS asks for more.
const skewSeeds = 8

var scripts = map[string]func(*fleet, context.Context){
	"everything":              (*fleet).everything,
	"group meets reports":     (*fleet).groupMeetsReports,
	"attribute meets reports": (*fleet).attributeMeetsReports,
	"end meets retries":       (*fleet).endMeetsRetries,
	"leaving meets retries":   (*fleet).leavingMeetsRetries,
	"last ends":               (*fleet).lastEnds,
}

func TestLanesLeaveNothingWrong(t *testing.T) {
	for name, script := range scripts {
		for _, seed := range storetest.Seeds(t, skewSeeds) {
			if wrong := playFleet(t, seed, script, func(*commit.Committer) {}); len(wrong) > 0 {
				t.Errorf("%s, MUSTER_SEED=%d: %s", name, seed, strings.Join(wrong, "\n"))
			}
		}
	}
}

func TestEachGuardOfLanesIsNeeded(t *testing.T) {
	for script, without := range map[string]func(*commit.Committer){
		"group meets reports":     func(c *commit.Committer) { c.Without(commit.GuardAlone) },
		"attribute meets reports": func(c *commit.Committer) { c.Without(commit.GuardWide) },
		"end meets retries":       func(c *commit.Committer) { c.Without(commit.GuardAlone) },
		"leaving meets retries":   func(c *commit.Committer) { c.Without(commit.GuardTouch) },
		"last ends":               func(c *commit.Committer) { c.Without(commit.GuardLook) },
	} {
		t.Run(script, func(t *testing.T) {
			for seed := range uint64(100) {
				if wrong := playFleet(t, seed, scripts[script], without); len(wrong) > 0 {
					t.Logf("seed %d: %s", seed, strings.Join(wrong, "\n"))
					return
				}
			}
			t.Error("nothing is wrong without it in 100 histories")
		})
	}
}

// What a process has not looked at again when it stops, the next one does.
func TestASecondLookThatIsMissingIsDoneAfterAStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := storetest.Skewed(memstore.New(), 4, 0, 3*time.Millisecond)
		f := newFleet(t, s, 0)
		f.Commits.Without(commit.GuardLook)
		f.run(func(ctx context.Context) { f.begin(ctx); f.lastEnds(ctx) })
		if len(f.wrong) == 0 {
			t.Fatal("nothing is missing")
		}
		f = newFleet(t, s, 0)
		f.run(func(ctx context.Context) { f.work(ctx); f.judge() })
		for _, wrong := range f.wrong {
			t.Error(wrong)
		}
	})
}

// What a process has not looked at again when it stops, one that goes on does once it is told.
func TestASecondLookThatAnotherProcessHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, storetest.Skewed(memstore.New(), 4, 0, 3*time.Millisecond), 0)
		f.Commits.Without(commit.GuardLook)
		f.run(func(ctx context.Context) {
			f.begin(ctx)
			f.lastEnds(ctx)
			if len(f.wrong) == 0 {
				t.Fatal("nothing is missing")
			}
			f.wrong = nil
			f.must(f.Jobs.LookAgain(ctx))
			f.work(ctx)
			f.judge()
		})
		for _, wrong := range f.wrong {
			t.Error(wrong)
		}
	})
}
