package storetest_test

import (
	"testing"
	"time"

	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/storetest"
)

func TestRoster(t *testing.T) {
	storetest.RunRoster(t, func(*testing.T) storetest.Nodes {
		now := time.Unix(1_700_000_000, 0)
		roster := storetest.NewRoster(func() time.Time { return now })
		return storetest.Nodes{
			Join: func(name string) store.Roster { return roster.Join(name, nil) },
			Pass: func(d time.Duration) { now = now.Add(d) },
		}
	})
}
