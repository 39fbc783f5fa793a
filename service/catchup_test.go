package service

import (
	"context"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/store"
)

// news is what another process says of a thing's queue.
func news(thing string, after int64) jobs.News {
	return jobs.News{QueueKey: store.QueueKey{Thing: muster.ThingName(thing)}, Change: muster.Change{List: true, Next: true}, After: after}
}

func TestAProcessCatchesUpWithWhatAnotherHasChanged(t *testing.T) {
	s := newStore(t)
	here, there := newEnvOnJust(t, s, Options{}), newEnvOnJust(t, s, Options{})
	there.thing("lamp", "pump")
	there.job("a", "lamp")
	there.job("b", "lamp", "pump")
	catchUp := func(all ...jobs.News) (notes []jobs.Notification) {
		t.Helper()
		if err := here.Jobs.CatchUp(t.Context(), all, func(some []jobs.Notification) { notes = append(notes, some...) }); err != nil {
			t.Fatalf("CatchUp: %v", err)
		}
		return notes
	}

	notes := catchUp(news("lamp", 0), news("nobody", 0), news("pump", 0))
	here.record(notes)
	wantTold(t, "after CatchUp", here.notes, "lamp notify QUEUED[a,b]", "lamp next a QUEUED v1", "pump notify QUEUED[b]", "pump next b QUEUED v1")
	if document, err := notes[0].Document(t.Context()); err != nil || document != `{"do":"a"}` {
		t.Errorf("Document() = %q, %v; want that of a", document, err)
	}
	known := notes[0].Queue.Rev
	if notes[0].HeadRev != known || known == 0 {
		t.Errorf("the head has revision %d and the queue %d; want the same", notes[0].HeadRev, known)
	}
	if notes := catchUp(news("lamp", known)); len(notes) > 0 {
		t.Errorf("CatchUp tells of revision %d, which is known: %v", known, notes)
	}
	there.start("lamp")
	there.mustReport("lamp", "a", muster.Succeeded)
	here.notes = nil
	here.record(catchUp(news("lamp", known)))
	wantTold(t, "after more", here.notes, "lamp notify QUEUED[b]", "lamp next b QUEUED v1")
}

func TestALongPollHearsOfAnotherProcess(t *testing.T) {
	for name, wake := range map[string]func(*env) error{
		"CatchUp": func(here *env) error {
			return here.Jobs.CatchUp(context.Background(), []jobs.News{news("lamp", 0)}, func([]jobs.Notification) {})
		},
		"WakeAll": func(here *env) error { here.Jobs.WakeAll(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			here, there := newEnvOnJust(t, s, Options{}), newEnvOnJust(t, s, Options{})
			there.thing("lamp")
			answered := make(chan error, 1)
			go func() { answered <- here.AwaitPending(t.Context(), "lamp", "") }()
			for waiting := true; waiting; { // until it waits, it may see the job by itself
				select {
				case err := <-answered:
					t.Fatalf("AwaitPending = %v, and nothing is pending", err)
				case <-time.After(20 * time.Millisecond):
					waiting = false
				}
			}
			if !here.Jobs.Awaited(store.QueueKey{Thing: "lamp"}) || here.Jobs.Awaited(store.QueueKey{Thing: "pump"}) {
				t.Error("Awaited does not tell the queue that is waited for")
			}
			there.job("a", "lamp")
			if err := wake(here); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-answered:
				if err != nil {
					t.Errorf("AwaitPending = %v", err)
				}
			case <-time.After(10 * time.Second):
				t.Error("the long poll was not woken")
			}
		})
	}
}

func TestCatchingUpWithoutTheStore(t *testing.T) {
	here := newEnvOnJust(t, newStore(t), Options{})
	here.stop()
	if err := here.store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := here.Jobs.CatchUp(t.Context(), []jobs.News{news("lamp", 0)}, func([]jobs.Notification) {}); err == nil {
		t.Error("CatchUp on a closed store succeeds")
	}
}
