package audit_test

import (
	"strings"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/audit"
	"github.com/muster-iot/muster/store/memstore"
)

var (
	queued = muster.Execution{
		Thing: "lamp", Job: "fw", Number: 1, Status: muster.Queued, Version: 1, QueuedAt: 10, UpdatedAt: 10,
	}
	timed = muster.Execution{
		Thing: "lamp", Job: "fw", Number: 1, Status: muster.InProgress, Version: 2, QueuedAt: 10, StartedAt: 20, UpdatedAt: 20,
		JobDeadline: 60,
	}
	done = muster.Execution{
		Thing: "lamp", Job: "fw", Number: 1, Status: muster.Failed, Version: 3, QueuedAt: 10, StartedAt: 20, UpdatedAt: 30,
	}
)

func second(e muster.Execution) muster.Execution {
	e.Number = 2
	return e
}

func queueOf(e muster.Execution) muster.Queue {
	return muster.Queue{Thing: e.Thing, Namespace: e.Namespace}.With(e)
}

func TestAudit(t *testing.T) {
	for name, test := range map[string]struct {
		write func(store.Tx)
		want  string // part of the first finding; empty for none
	}{
		"an empty store":                   {func(store.Tx) {}, ""},
		"a queued execution":               {func(tx store.Tx) { tx.Change(nil, &queued); tx.PutQueue(queueOf(queued)) }, ""},
		"a running execution with a timer": {func(tx store.Tx) { tx.Change(nil, &timed); tx.PutQueue(queueOf(timed)) }, ""},
		"a finished one and its successor": {func(tx store.Tx) {
			x := second(queued)
			tx.Change(nil, &done)
			tx.Change(nil, &x)
			tx.PutQueue(queueOf(x))
		}, ""},
		"pending but in no queue":  {func(tx store.Tx) { tx.Change(nil, &queued) }, "not in the queue"},
		"in a queue but not there": {func(tx store.Tx) { tx.PutQueue(queueOf(queued)) }, "1 entries for 0 pending"},
		"a queue that is behind":   {func(tx store.Tx) { tx.Change(nil, &timed); tx.PutQueue(queueOf(queued)) }, "differs from its entry"},
		"two live executions of one job": {func(tx store.Tx) {
			x := second(queued)
			tx.Change(nil, &queued)
			tx.Change(nil, &x)
			tx.PutQueue(queueOf(x))
		}, "two live executions"},
		"a version of zero":                  {func(tx store.Tx) { x := done; x.Version = 0; tx.Change(nil, &x) }, "version 0"},
		"running without ever being started": {func(tx store.Tx) { x := timed; x.StartedAt = 0; tx.Change(nil, &x); tx.PutQueue(queueOf(x)) }, "never started"},
	} {
		t.Run(name, func(t *testing.T) {
			s := memstore.New()
			defer s.Close()
			if err := store.Update(t.Context(), s, func(tx store.Tx) error { test.write(tx); return nil }); err != nil {
				t.Fatal(err)
			}
			var got audit.Report
			err := s.View(t.Context(), func(r store.Reader) (err error) {
				got, err = audit.Read(r)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case test.want == "" && len(got.Findings) > 0:
				t.Errorf("Read() found %q, want nothing", got.Findings)
			case test.want != "" && (len(got.Findings) == 0 || !strings.Contains(got.Findings[0], test.want)):
				t.Errorf("Read() found %q, want %q first", got.Findings, test.want)
			}
		})
	}
}
