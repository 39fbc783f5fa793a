package commit

import (
	"context"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

// nextAt is a Source that has nothing to do before an instant.
type nextAt muster.Instant

func (nextAt) Wants(*Wants) {}

func (s nextAt) Due(store.Reader, Asked) (Due, error) {
	return Due{Next: muster.Instant(s)}, nil
}

func TestOtherProcessesLearnWhatWorkACommitLeaves(t *testing.T) {
	var wakes []muster.Instant
	told := make(chan struct{}, 1)
	c := running(t, Options{Store: memstore.New(), Watcher: watching{wake: func(at muster.Instant) {
		wakes = append(wakes, at)
		told <- struct{}{}
	}}})
	for i, wake := range []func(*Tx){
		func(*Tx) {},
		func(tx *Tx) { tx.Wake(70); tx.Wake(50); tx.Wake(60) },
		func(tx *Tx) { tx.Wake(0) },
	} {
		if err := c.Do(context.Background(), func(tx *Tx) error { wake(tx); return nil }); err != nil {
			t.Fatal(err)
		}
		<-told
		if want := []muster.Instant{Never, 50, 0}[i]; wakes[i] != want {
			t.Errorf("commit %d says that there is work from %d on, want %d", i, wakes[i], want)
		}
	}
}

func TestWorkOfAnotherProcessIsDue(t *testing.T) {
	var dues int
	c := running(t, Options{Store: memstore.New(), Watcher: watching{due: func() { dues++ }}})
	if _, err := c.Work(t.Context(), nil, nextAt(100)); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		wake muster.Instant
		dues int
	}{{Never, 0}, {100, 0}, {99, 1}, {0, 2}} {
		if c.WorkDue(step.wake); dues != step.dues {
			t.Errorf("after WorkDue(%d), Due was called %d times, want %d", step.wake, dues, step.dues)
		}
	}
}
