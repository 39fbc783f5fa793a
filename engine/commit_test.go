package engine

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

func TestACallerHasOneStepOfWorkBeforeItAtMost(t *testing.T) {
	env := newEnvOnJust(t, memstore.New(), Options{}) // the steps of this test note their runs
	var order []string                                // written by the committer alone, read when all is done
	called := make(chan error, 1)
	steps := make([]func(*batch) error, 5)
	for i := range steps {
		steps[i] = func(*batch) error {
			order = append(order, fmt.Sprint("step ", i))
			if i == 1 {
				env.submit(command{
					run:  func(*batch) error { order = append(order, "caller"); return nil },
					done: func(err error) { called <- err },
				})
			}
			return nil
		}
	}
	if err := env.workAll(t.Context(), steps); err != nil {
		t.Fatalf("workAll = %v", err)
	}
	if err := <-called; err != nil {
		t.Fatalf("the caller was told %v", err)
	}
	const want = "step 0, step 1, caller, step 2, step 3, step 4"
	if got := strings.Join(order, ", "); got != want {
		t.Errorf("the order was %s, want %s", got, want)
	}
}

func TestWorkGoesOnHoweverManyCall(t *testing.T) {
	env := newEnvOnJust(t, memstore.New(), Options{}) // the steps of this test note their runs
	var order []string                                // written by the committer alone, read when all is done
	worked, called := make(chan error, 1), make(chan error, 9)
	call := func(*batch) error { return nil }
	for range 9 { // each caller brings the next one
		next := call
		call = func(*batch) error {
			order = append(order, "caller")
			env.submit(command{run: next, done: func(err error) { called <- err }})
			return nil
		}
	}
	err := env.do(t.Context(), func(b *batch) error {
		env.submitWork([]command{{
			run:  func(*batch) error { order = append(order, "work"); return nil },
			done: func(err error) { worked <- err },
		}})
		return call(b)
	})
	if err != nil {
		t.Fatalf("do = %v", err)
	}
	for range 9 {
		if err := <-called; err != nil {
			t.Fatalf("a caller was told %v", err)
		}
	}
	if err := <-worked; err != nil {
		t.Fatalf("the work ended with %v", err)
	}
	if order[0] != "caller" || order[1] != "work" {
		t.Errorf("the order was %s; want the work behind the first caller", strings.Join(order, ", "))
	}
}

func TestABatchOfWorkTouchesAboutWorkMaxThings(t *testing.T) {
	env := newEnvOnJust(t, memstore.New(), Options{}) // the steps of this test note their runs
	const each = 100
	batches := map[*batch]int{}
	steps := make([]func(*batch) error, 3*workMax/each)
	for i := range steps {
		steps[i] = func(b *batch) error {
			batches[b] += each
			keys := make([]store.QueueKey, each)
			for n := range keys {
				keys[n].Thing = muster.ThingName(fmt.Sprintf("thing-%d-%d", i, n))
			}
			return b.load(keys)
		}
	}
	if err := env.workAll(t.Context(), steps); err != nil {
		t.Fatalf("workAll = %v", err)
	}
	touched := 0
	for _, n := range batches {
		if touched += n; n >= workMax+each {
			t.Errorf("a batch touched %d things, want fewer than %d", n, workMax+each)
		}
	}
	if touched != len(steps)*each {
		t.Errorf("%d things were touched, want %d", touched, len(steps)*each)
	}
}

func TestWorkThatFailsIsToldAndTheRestIsDone(t *testing.T) {
	env := newEnvOnJust(t, memstore.New(), Options{}) // the steps of this test note their runs
	failure := errors.New("no")
	done := 0
	err := env.workAll(t.Context(), []func(*batch) error{
		func(*batch) error { done++; return nil },
		func(b *batch) error { things.Put(b, "lamp", muster.Thing{Name: "lamp"}); return failure },
		func(*batch) error { done++; return nil },
	})
	if !errors.Is(err, failure) || done < 2 {
		t.Errorf("workAll = %v with %d of 2 other steps done", err, done)
	}
	if _, err := env.DescribeThing(t.Context(), "lamp"); err == nil {
		t.Error("what the failed step wrote is there")
	}
}

// What goes wrong in a transaction is logged when its outcome is known, once,
// however often it ran.
func TestFaultsAreLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	env := newEnvOn(t, memstore.New(), Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	err := env.do(t.Context(), func(b *batch) error {
		things.Put(b, "lamp", muster.Thing{Name: "lamp"})
		panic("out of luck")
	})
	wantKind(t, "a command that panics", err, muster.Internal)
	env.dynamic("group", "thingName:lamp")
	broken := func(b *batch) error {
		g, err := thingGroup(b, "group")
		if err != nil {
			return err
		}
		g.Dynamic.Query = "no (query"
		groups.Put(b, "group", g)
		_, err = b.refleet()
		return err
	}
	if err := env.do(t.Context(), broken); err != nil {
		t.Fatal(err)
	}
	env.stop()
	for _, line := range []string{"command panicked", "out of luck", "cannot be read any more"} {
		if n := strings.Count(log.String(), line); n != 1 {
			t.Errorf("the log says %q %d times, want once:\n%s", line, n, log.String())
		}
	}
	if _, err := env.DescribeThing(t.Context(), "lamp"); err == nil {
		t.Error("what the command wrote before its fault is there")
	}
}
