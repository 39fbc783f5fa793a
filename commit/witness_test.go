package commit

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/storetest"
)

// book is a Witness that writes what it sees into a table of its own.
type book struct{ refuses error }

var seenRecords = store.Of[[]string]{Table: "seen"}

func (b book) Sees(table store.Table) bool { return table == records.Table }

func (book) Wants(w *Wants) { w.Record(seenRecords.Table, "all") }

func (b book) Testify(tx *Tx, wrote []Write) error {
	if b.refuses != nil {
		return b.refuses
	}
	var all []string
	for _, w := range wrote {
		if w.Table == "" {
			all = append(all, "execution of "+string(w.ExecutionAfter.Job))
			continue
		}
		all = append(all, string(w.Table)+" "+w.Key+": "+textOf(w.Before)+" -> "+textOf(w.After))
	}
	seenRecords.Put(tx, "all", all)
	return nil
}

// textOf returns the text in a record, "none" for none.
func textOf(record []byte) string {
	if record == nil {
		return "none"
	}
	text, err := records.Decode("", record)
	if err != nil {
		return err.Error()
	}
	return *text
}

// seen returns what the book has.
func seen(t *testing.T, c *Committer) (all []string) {
	t.Helper()
	err := c.View(t.Context(), func(r store.Reader) error {
		got, err := seenRecords.Get(r, "all")
		if err == nil && got != nil {
			all = *got
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAWitnessSeesWhatACommandWrites(t *testing.T) {
	c := running(t, Options{Store: storetest.Twice(memstore.New())})
	if err := c.Do(t.Context(), func(tx *Tx) error { records.Put(tx, "old", "1"); records.Put(tx, "gone", "2"); return nil }); err != nil {
		t.Fatal(err)
	}
	unseen := store.Of[store.Link]{Table: "index"}
	err := c.Do(Witnessed(t.Context(), book{}), func(tx *Tx) error {
		unseen.Put(tx, "old", store.Link{})
		tx.Before(7, func() error { records.Put(tx, "sealed", "5"); return nil })
		records.Put(tx, "old", "3")
		records.Put(tx, "old", "4")
		records.Delete(tx, "gone")
		x := muster.NewExecution(&muster.Job{ID: "fw"}, "lamp", 1, tx.Now)
		tx.PutQueue(muster.Queue{Thing: "lamp"}.With(x))
		tx.Change(nil, &x)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"record old: 1 -> 4", "record gone: 2 -> none", "execution of fw", "record sealed: none -> 5"}
	if got := seen(t, c); !slices.Equal(got, want) {
		t.Errorf("the witness saw\n%q, want\n%q", got, want)
	}
}

func TestAWitnessSeesNothingOfOtherCommands(t *testing.T) {
	c := running(t, Options{Store: memstore.New()})
	witnessed := Witnessed(t.Context(), book{})
	release := block(c) // so that all share a transaction
	failed := muster.Errorf(muster.Invalid, "no")
	type command struct {
		ctx context.Context
		run func(*Tx) error
	}
	ended := make(chan error)
	for _, cmd := range []command{
		{witnessed, func(*Tx) error { return nil }}, // has written nothing
		{witnessed, func(tx *Tx) error { return failed }},
		{t.Context(), func(tx *Tx) error { records.Put(tx, "a", "b"); return nil }},
	} {
		go func() { ended <- c.Do(cmd.ctx, cmd.run) }()
	}
	for waiting := 0; waiting < 3; runtime.Gosched() {
		c.mu.Lock()
		waiting = len(c.wide.waiting)
		c.mu.Unlock()
	}
	release()
	for range 3 {
		if err := <-ended; err != nil && !errors.Is(err, failed) {
			t.Fatal(err)
		}
	}
	if got := seen(t, c); got != nil || !stored(t, c, "a") {
		t.Errorf("the witness saw %q, want nothing", got)
	}
}

func TestNothingIsWrittenThatAWitnessRefuses(t *testing.T) {
	c := running(t, Options{Store: memstore.New()})
	refusal := muster.Errorf(muster.NoRoom, "no room for the record")
	err := c.Do(Witnessed(t.Context(), book{refuses: refusal}), func(tx *Tx) error { records.Put(tx, "a", "b"); return nil })
	if !errors.Is(err, refusal) || stored(t, c, "a") {
		t.Errorf("Do = %v, and the record is there: %t", err, stored(t, c, "a"))
	}
}
