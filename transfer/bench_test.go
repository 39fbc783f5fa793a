package transfer

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pebblestore"
)

// benchThings is how many things there are, each with a record, a queue and an execution.
const benchThings = 100_000

func onDisk(b *testing.B) *pebblestore.Store {
	s, err := pebblestore.Open(filepath.Join(b.TempDir(), "db"), pebblestore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

func fill(b *testing.B, s store.Store) {
	const step = 1000
	for from := 0; from < benchThings; from += step {
		err := store.Update(b.Context(), s, func(tx store.Tx) error {
			for n := from; n < from+step; n++ {
				name := fmt.Sprintf("thing-%07d", n)
				tx.Put("history", name, fmt.Appendf(nil, `%c{"Name":%q,"ID":"%032x","Type":"pump","Attributes":{"building":"north","floor":"%d"},"Version":1}`, jsonForm, name, n, n%40))
				e := muster.Execution{Thing: muster.ThingName(name), Job: "firmware-2026-11", Number: 1, Status: muster.InProgress, Version: 2, QueuedAt: 1_700_000_000_000, StartedAt: 1_700_000_001_000, UpdatedAt: 1_700_000_001_000, Details: map[string]string{"progress": "40", "step": "download"}}
				tx.PutQueue(muster.Queue{Thing: e.Thing}.With(e).Revised(0))
				tx.Change(nil, &e)
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func nothingBeside(string) (func(store.Reader) error, error) {
	return func(store.Reader) error { return nil }, nil
}

// perRow reports what is told of a transfer in its rows.
func perRow(b *testing.B) {
	b.ReportMetric(float64(b.N*3*benchThings)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkExport(b *testing.B) {
	s := onDisk(b)
	fill(b, s)
	for b.Loop() {
		if _, err := Make(b.Context(), s, tables, filepath.Join(b.TempDir(), fmt.Sprint(b.N)), about, nothingBeside); err != nil {
			b.Fatal(err)
		}
	}
	perRow(b)
}

func BenchmarkImportIntoPebble(b *testing.B) {
	benchmarkImport(b, func() store.Store { return onDisk(b) })
}

func BenchmarkImportIntoPostgreSQL(b *testing.B) {
	server := postgres.Start(b, postgres.Options{})
	benchmarkImport(b, func() store.Store { return inPostgres(b, server.Database(b)) })
}

func benchmarkImport(b *testing.B, open func() store.Store) {
	s, dir := onDisk(b), filepath.Join(b.TempDir(), "export")
	fill(b, s)
	if _, err := Make(b.Context(), s, tables, dir, about, nothingBeside); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		x, err := Open(dir)
		if err == nil {
			err = x.Check(b.Context())
		}
		if err == nil {
			err = x.Import(b.Context(), open(), tables, neverOlder)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	perRow(b)
}
