package flood

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// watched returns a guard that runs, and what it has logged.
func watched(t *testing.T) (*Guard, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	g := New(Options{Now: time.Now, Log: slog.New(slog.NewTextHandler(log, nil))})
	go g.Run(t.Context())
	return g, log
}

// fail has an address fail n times, and returns how many are to be logged.
func fail(g *Guard, addr string, n int) (logged int) {
	for range n {
		if g.Failed(addr) {
			logged++
		}
	}
	return logged
}

func TestTheLogOfAFloodIsBoundedAndComplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, log := watched(t)
		if n := fail(g, "192.0.2.1:1000", 5000); n != linesMax {
			t.Errorf("%d of 5000 failures of one address are logged, want %d", n, linesMax)
		}
		if n := fail(g, "192.0.2.2:1000", 3); n != 3 {
			t.Errorf("%d of 3 failures of another address are logged, want all", n)
		}
		time.Sleep(window + reportEvery)
		synctest.Wait()
		if want := fmt.Sprintf("remote=192.0.2.1 count=%d\n", 5000-linesMax); strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), want) {
			t.Errorf("the log after a minute is %q, want one line with %s", log, want)
		}
		if n := fail(g, "192.0.2.1:2000", 5); n != 5 {
			t.Errorf("a minute later %d of 5 failures are logged, want all", n)
		}
	})
}

func TestAStopReportsWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(bytes.Buffer)
		g := New(Options{Now: time.Now, Log: slog.New(slog.NewTextHandler(log, nil))})
		ctx, stop := context.WithCancel(t.Context())
		go g.Run(ctx)
		fail(g, "192.0.2.1:1000", 100)
		stop()
		synctest.Wait()
		if want := fmt.Sprintf("count=%d\n", 100-linesMax); !strings.Contains(log.String(), want) {
			t.Errorf("the log at the end is %q, want %s in it", log, want)
		}
	})
}

func TestAFloodFromManyAddressesIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, log := watched(t)
		logged, failed := 0, 0
		for i := range 50_000 {
			failed += 2
			logged += fail(g, fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255), 2)
		}
		if logged != allLinesMax {
			t.Errorf("%d of %d failures are logged, want %d", logged, failed, allLinesMax)
		}
		if len(g.now) > addressesMax+1 {
			t.Errorf("%d addresses are kept, want at most %d and one for the rest", len(g.now), addressesMax)
		}
		time.Sleep(window + reportEvery)
		synctest.Wait()
		reported := 0
		for line := range strings.Lines(log.String()) {
			var n int
			if _, err := fmt.Sscanf(line[strings.LastIndex(line, "count=")+len("count="):], "%d", &n); err != nil {
				t.Fatal(err)
			}
			reported += n
		}
		if lines := strings.Count(log.String(), "\n"); lines > namedMax+1 || logged+reported != failed {
			t.Errorf("%d lines report %d failures beside %d logged ones, want at most %d lines and %d in all", lines, reported, logged, namedMax+1, failed)
		}
	})
}

func TestOnlySuspectsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := watched(t)
		g.lane = make(chan struct{}, 1)
		const flooder, other = "192.0.2.1:1000", "192.0.2.2:1000"
		fail(g, flooder, suspectAfter)
		for range 3 { // not yet
			if _, err := g.Enter(t.Context(), flooder); err != nil {
				t.Fatal(err)
			}
		}
		fail(g, flooder, 1)
		leave, err := g.Enter(t.Context(), flooder)
		if err != nil {
			t.Fatal(err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := g.Enter(gone, flooder); !errors.Is(err, context.Canceled) {
			t.Errorf("Enter of a client that went away = %v", err)
		}
		for range 3 {
			if _, err := g.Enter(t.Context(), other); err != nil {
				t.Errorf("Enter of another address = %v", err)
			}
		}
		entered := make(chan struct{})
		go func() {
			if leave, err := g.Enter(t.Context(), flooder); err == nil {
				defer leave()
			}
			close(entered)
		}()
		synctest.Wait()
		select {
		case <-entered:
			t.Error("a second proof of a suspect is looked at beside the first")
		default:
		}
		leave()
		<-entered
		time.Sleep(2*window + reportEvery)
		for range 3 { // all is forgotten
			if _, err := g.Enter(t.Context(), flooder); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestNetworks(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1:80":              "192.0.2.1",
		"192.0.2.1":                 "192.0.2.1",
		"[::ffff:192.0.2.1]:80":     "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:80": "2001:db8:1:2::",
		"[fe80::1%eth0]:80":         "fe80::",
		"pipe":                      "invalid IP",
		"":                          "invalid IP",
	} {
		if got := networkOf(addr).String(); got != want {
			t.Errorf("networkOf(%q) = %s, want %s", addr, got, want)
		}
	}
}

func TestANilGuardLimitsNothing(t *testing.T) {
	var g *Guard
	leave, err := g.Enter(t.Context(), "192.0.2.1:80")
	if err != nil || fail(g, "192.0.2.1:80", 1000) != 1000 {
		t.Errorf("Enter = %v, or failures are not logged", err)
	}
	leave()
}
