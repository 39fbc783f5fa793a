package commit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/storetest"
)

// picky is a store that refuses the transactions for which refuse reports true, when
// all their work is done. It is called with the number of records that they write.
type picky struct {
	store.Store
	refuse func(writes int) bool
}

func (s *picky) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	return s.Store.Apply(ctx, func(tx store.Tx) error {
		counted := &countedWrites{Tx: tx}
		if err := fn(counted); err != nil {
			return err
		}
		if s.refuse(counted.n) {
			return store.ErrAgain
		}
		return nil
	})
}

type countedWrites struct {
	store.Tx
	n int
}

func (tx *countedWrites) Put(table store.Table, key string, value []byte) {
	tx.n++
	tx.Tx.Put(table, key, value)
}

// fails checks that err is of a kind.
func fails(t *testing.T, what string, err error, kind muster.Kind) {
	t.Helper()
	if failed, ok := errors.AsType[*muster.Error](err); !ok || failed.Kind != kind {
		t.Errorf("%s = %v, want an error of kind %v", what, err, kind)
	}
}

func TestARefusedBatchRunsAgainAtTheSameInstant(t *testing.T) {
	refusals := 1
	now := muster.Instant(0)
	c := New(Options{Store: &picky{memstore.New(), func(int) bool { refusals--; return refusals >= 0 }}, Now: func() muster.Instant { now++; return now }})
	var at []muster.Instant
	var told []string
	b := c.wide.applyBatch([]command{{
		run: func(tx *Tx) (any, error) {
			at = append(at, tx.Now)
			tx.After(func() { told = append(told, fmt.Sprint("run ", len(at))) })
			tx.Adopt(func() { told = append(told, fmt.Sprint("adopted run ", len(at))) })
			records.Put(tx, "lamp", "on")
			return nil, nil
		},
		answer: func(_ any, err error) { told = append(told, fmt.Sprint("answered ", err)) },
	}}, false)
	if err := c.answer(b); err != nil {
		t.Fatal(err)
	}
	if want := []muster.Instant{1, 1}; !slices.Equal(at, want) {
		t.Errorf("the command ran at %v, want %v", at, want)
	}
	if want := []string{"adopted run 2", "answered <nil>", "run 2"}; !slices.Equal(told, want) {
		t.Errorf("what was told is %q, want %q", told, want)
	}
}

// A store that takes small transactions only gets them, in the order of the commands.
func TestABatchThatIsRefusedIsHalved(t *testing.T) {
	const many, atMost = 20, 3
	c := running(t, Options{Store: &picky{memstore.New(), func(writes int) bool { return writes > atMost }}})
	release := block(c)
	var order []int // written by the goroutine that answers
	done := make(chan error, many)
	for i := range many {
		Submit(c, "", nil, func(tx *Tx) (struct{}, error) {
			records.Put(tx, fmt.Sprint("thing-", i), "")
			return struct{}{}, nil
		}, func(_ struct{}, err error) { order = append(order, i); done <- err })
	}
	release()
	for range many {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if len(order) != many || !slices.IsSorted(order) {
		t.Errorf("the commands were answered in the order %v, want each once, as they came", order)
	}
	for i := range many {
		if !stored(t, c, fmt.Sprint("thing-", i)) {
			t.Errorf("what command %d wrote is not there", i)
		}
	}
}

func TestACommandThatIsRefusedForeverIsThrottled(t *testing.T) {
	runs := 0
	c := running(t, Options{Store: &picky{memstore.New(), func(writes int) bool { return writes > 1 }}})
	release := block(c)
	failed, before, after := make(chan error, 1), make(chan error, 1), make(chan error, 1)
	hand(c, func(tx *Tx) error { records.Put(tx, "before", ""); return nil }, before)
	hand(c, func(tx *Tx) error {
		runs++
		records.Put(tx, "a", "")
		records.Put(tx, "b", "")
		tx.Adopt(func() { t.Error("what was refused is adopted") })
		tx.After(func() { t.Error("what was refused is told") })
		return nil
	}, failed)
	hand(c, func(tx *Tx) error { records.Put(tx, "after", ""); return nil }, after)
	release()
	fails(t, "the command that is always refused", <-failed, muster.Throttled)
	if runs < refusalsMax {
		t.Errorf("it ran %d times, want %d at least", runs, refusalsMax)
	}
	if err := errors.Join(<-before, <-after); err != nil {
		t.Errorf("the others failed: %v", err)
	}
	if stored(t, c, "a") || !stored(t, c, "before") || !stored(t, c, "after") {
		t.Error("want what the others wrote and nothing of the command that was refused")
	}
}

// A read that the store refuses is not the fault of the command that reads: the whole
// batch runs again, and no command is put back.
func TestARefusedReadRunsTheWholeBatchAgain(t *testing.T) {
	c := New(Options{Store: memstore.New(), Now: func() muster.Instant { return 1 }})
	refused := false
	var ran []string
	note := func(who string, fails func() error) command {
		return command{
			run:    func(*Tx) (any, error) { ran = append(ran, who); return nil, fails() },
			answer: func(any, error) {},
		}
	}
	fine := func() error { return nil }
	b := c.wide.applyBatch([]command{note("one", fine), note("two", func() error {
		if refused {
			return nil
		}
		refused = true
		return fmt.Errorf("reading the queue: %w", store.ErrAgain)
	}), note("three", fine)}, false)
	if err := b.wait(); err != nil || len(b.commands) != 3 {
		t.Errorf("the batch has %d commands (%v), want 3", len(b.commands), err)
	}
	if want := []string{"one", "two", "one", "two", "three"}; !slices.Equal(ran, want) {
		t.Errorf("the runs were %q, want %q", ran, want)
	}
}

// A command may fail for something that a refused transaction has read. That need not be
// true, so it is not the answer.
func TestAnErrorOfARefusedTransactionIsNoAnswer(t *testing.T) {
	refusals := 1
	c := New(Options{Store: &picky{memstore.New(), func(int) bool { refusals--; return refusals >= 0 }}, Now: func() muster.Instant { return 1 }})
	runs := 0
	b := c.wide.applyBatch([]command{{run: func(tx *Tx) (any, error) {
		records.Put(tx, "lamp", "on")
		if runs++; runs == 1 {
			return nil, muster.Errorf(muster.NotFound, "it is not there")
		}
		return nil, nil
	}, answer: func(any, error) {}}}, false)
	if err := b.wait(); err != nil || b.outcomes[0].err != nil {
		t.Errorf("the command failed with %v (%v), want the outcome of the run that counts", b.outcomes[0].err, err)
	}
	if !stored(t, c, "lamp") {
		t.Error("what the command wrote is not there")
	}
}

// However the store refuses transactions, each command takes effect once and is answered
// once, with what it did.
func TestOnARefusingStoreEachCommandCountsOnce(t *testing.T) {
	c := running(t, Options{Store: storetest.Refusing(storetest.Twice(memstore.New()), 1)})
	const many = 2000
	type answer struct {
		i   int
		err error
	}
	answers := make(chan answer, 2*many)
	for i := range many {
		Submit(c, "", nil, func(tx *Tx) (struct{}, error) {
			n, err := store.Tally(tx, "commands")
			if err != nil {
				return struct{}{}, err
			}
			store.Tallies.Put(tx, "commands", n+1)
			if i%5 == 0 {
				return struct{}{}, muster.Errorf(muster.Invalid, "no")
			}
			return struct{}{}, nil
		}, func(_ struct{}, err error) { answers <- answer{i, err} })
	}
	answered, counted := map[int]bool{}, 0
	for range many {
		a := <-answers
		if answered[a.i] {
			t.Fatalf("command %d was answered twice", a.i)
		}
		answered[a.i] = true
		if a.err == nil {
			counted++
		}
	}
	tally := 0
	if err := c.View(t.Context(), func(r store.Reader) (err error) { tally, err = store.Tally(r, "commands"); return err }); err != nil {
		t.Fatal(err)
	}
	if tally != counted || counted != many*4/5 {
		t.Errorf("%d commands took effect and %d were told so, want %d", tally, counted, many*4/5)
	}
}

// unreachable is a store that says of every call why it cannot serve it.
type unreachable struct {
	store.Store
	why error
}

func (s unreachable) View(context.Context, func(store.Reader) error) error { return s.why }

func (s unreachable) Apply(context.Context, func(store.Tx) error) (func() error, error) {
	return nil, s.why
}

func TestCallersLearnWhyTheStoreDoesNotAnswer(t *testing.T) {
	for why, kind := range map[error]muster.Kind{
		store.ErrUnavailable: muster.Unavailable,
		store.ErrFull:        muster.NoRoom,
		errors.New("broken"): muster.Internal,
	} {
		c := running(t, Options{Store: unreachable{memstore.New(), fmt.Errorf("today: %w", why)}})
		err := c.Do(context.Background(), func(*Tx) error { return nil })
		fails(t, why.Error(), err, kind)
	}
	c := New(Options{Store: unreachable{memstore.New(), store.ErrUnavailable}, Now: func() muster.Instant { return 1 }})
	fails(t, "View()", c.View(context.Background(), func(store.Reader) error { return nil }), muster.Unavailable)
}
