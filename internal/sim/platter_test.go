package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/internal/teststore"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pebblestore"
)

// platter is what outlives the process of a full stack.
type platter interface {
	// open opens the store that is on it.
	open(*testing.T) (store.Store, error)

	// pull is the end of a process, which the platter may not outlive as a whole. It
	// returns what became of it, in words.
	pull(*rand.Rand) string
}

// folder is a platter with Pebble on it, a disk that forgets what was not synced.
type folder struct {
	files *vfs.MemFS
	lies  bool
}

// simMemTable is so small that the disk is flushed and compacted all the time.
const simMemTable = 64 << 10

func (f *folder) open(*testing.T) (store.Store, error) {
	files := vfs.FS(f.files)
	if f.lies {
		files = lying{files}
	}
	return pebblestore.Open("data", pebblestore.Options{FS: files, MemTableBytes: simMemTable, CacheBytes: 1 << 20})
}

// pull leaves a copy as of now: what the process writes from now on is not on the disk.
func (f *folder) pull(rng *rand.Rand) string {
	unsynced := []int{0, 0, 30, 70, 100}[rng.IntN(5)] // percent that are kept; all of it is a crash of the process alone
	f.files = f.files.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: unsynced, RNG: rng})
	return fmt.Sprintf("%d%% of what was not synced is kept", unsynced)
}

// database is a platter that is a server of its own. What the process commits until it has
// ended is there; what it had begun then is not.
//
// The bubble's time stands still while one of its goroutines waits for the server, so the
// database takes no time. The server is started and stopped outside of the bubble, because
// a goroutine waits for its end.
type database struct {
	url    string
	server *postgres.Server
	orders chan func() error // what is done outside of the bubble,
	done   chan error        // and what came of it
}

// newDatabase must be called outside of the bubble.
func newDatabase(t *testing.T) *database {
	d := &database{server: postgres.Start(t, postgres.Options{NoSync: true}), orders: make(chan func() error), done: make(chan error)}
	d.url = d.server.Database(t)
	outside, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	go func() {
		for {
			select {
			case order := <-d.orders:
				d.done <- order()
			case <-outside.Done():
				return
			}
		}
	}()
	return d
}

func (d *database) do(order func() error) {
	d.orders <- order
	if err := <-d.done; err != nil {
		panic(err)
	}
}

func (d *database) open(t *testing.T) (store.Store, error) { return teststore.Open(t, d.url), nil }

func (*database) pull(*rand.Rand) string { return "the database stays" }

// kill takes the database from a process that goes on, until restart.
func (d *database) kill()    { d.do(d.server.Kill) }
func (d *database) restart() { d.do(d.server.Restart) }
