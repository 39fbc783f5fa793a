package pebblestore_test

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-iot/muster/store/pebblestore"
	"github.com/muster-iot/muster/turns"
)

// contended returns turns of which there is one, for somebody asks at every instant of
// the test. It is free again when the test ends.
func contended(t *testing.T) *turns.Turns {
	t.Helper()
	all := turns.New(turns.Options{Processors: 2, Now: func() time.Time { return time.Time{} }}) // the time stands still
	all.Asked()
	t.Cleanup(func() {
		turn := all.Of()
		turn.Take()
		turn.GiveBack()
	})
	return all
}

// resting returns turns of one processor, of which somebody asks until the test ends.
func resting(t *testing.T) *turns.Turns {
	t.Helper()
	all := turns.New(turns.Options{Processors: 1, Now: time.Now})
	all.Asked()
	asking := time.NewTicker(10 * time.Millisecond)
	ended, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-asking.C:
				all.Asked()
			case <-ended:
				return
			}
		}
	}()
	t.Cleanup(func() {
		asking.Stop()
		close(ended)
		<-stopped
	})
	return all
}

func TestATableWaitsForItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk, all := vfs.NewMem(), contended(t)
		s := open(t, "data", pebblestore.Options{FS: disk, MemTableBytes: smallMemTable, Turns: all})
		turn := all.Of()
		turn.Take()
		if err := fill(s, 0, 300); err != nil { // a table and a bit
			t.Fatal(err)
		}
		synctest.Wait()
		if n := tableBytes(t, disk); n != 0 {
			t.Errorf("%d bytes of tables were written while another had the turn", n)
		}
		turn.GiveBack()
		synctest.Wait()
		if n := tableBytes(t, disk); n == 0 {
			t.Error("no table was written when the turn was free")
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestATableWaitsForNobodyWhenNobodyAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk, all := vfs.NewMem(), turns.New(turns.Options{Processors: 2, Now: time.Now})
		s := open(t, "data", pebblestore.Options{FS: disk, MemTableBytes: smallMemTable, Turns: all})
		all.Asked()
		turn := all.Of()
		turn.Take()
		defer turn.GiveBack()
		time.Sleep(time.Second) // nobody asks any more
		if err := fill(s, 0, 300); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := tableBytes(t, disk); n == 0 {
			t.Error("no table was written")
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// tableBytes returns the size of all tables in the folder of a store.
func tableBytes(t *testing.T, disk vfs.FS) (n int64) {
	t.Helper()
	names, err := disk.List("data")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		about, err := disk.Stat(disk.PathJoin("data", name))
		if err != nil {
			t.Fatal(err)
		}
		n += about.Size()
	}
	return n
}

// Whatever a table asks of the disk takes the only turn for itself, so it would wait
// without end if the writer of a table had one.
func TestNoTurnIsHeldWhileTheDiskWorks(t *testing.T) {
	all := contended(t)
	disk := &turnTaker{FS: vfs.NewMem(), all: all, seen: map[string]bool{}}
	s := open(t, "data", pebblestore.Options{FS: disk, MemTableBytes: crashMemTable, Turns: all})
	want := []string{"pebble-compaction Close", "pebble-compaction SyncData", "pebble-compaction Write", "pebble-memtable-flush Close", "pebble-memtable-flush SyncData", "pebble-memtable-flush Write"}
	records := 0
	eventually(t, "tables are flushed and compacted", func() bool {
		if err := fill(s, records, 100); err != nil {
			t.Fatal(err)
		}
		records += 100
		return slices.Equal(disk.operations(), want)
	})
	if n := count(t, s); n != records {
		t.Errorf("%d records are there, want %d", n, records)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := disk.operations(); !slices.Equal(got, want) {
		t.Errorf("tables asked the disk for %q, want %q", got, want)
	}
}

// turnTaker is a disk that takes a turn for each operation on a table.
type turnTaker struct {
	vfs.FS
	all *turns.Turns

	mu   sync.Mutex
	seen map[string]bool // by what a table is for, and the operation
}

// operations returns what it has seen, sorted.
func (d *turnTaker) operations() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.seen))
}

func (d *turnTaker) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.Create(name, c)
	if err == nil && strings.HasSuffix(name, ".sst") {
		f = takenFile{f, string(c), d}
	}
	return f, err
}

type takenFile struct {
	vfs.File
	category string
	disk     *turnTaker
}

func (f takenFile) take(operation string) {
	turn := f.disk.all.Of()
	turn.Take()
	turn.GiveBack()
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.disk.seen[f.category+" "+operation] = true
}

func (f takenFile) Write(b []byte) (int, error) {
	f.take("Write")
	return f.File.Write(b)
}

func (f takenFile) Sync() error {
	f.take("Sync")
	return f.File.Sync()
}

func (f takenFile) SyncData() error {
	f.take("SyncData")
	return f.File.SyncData()
}

func (f takenFile) Close() error {
	f.take("Close")
	return f.File.Close()
}
