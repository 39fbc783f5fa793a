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

	"github.com/muster-iot/muster/internal/loglimit"
)

// watched is a guard and the log that it writes to.
type watched struct {
	*Guard
	bytes.Buffer
}

func newWatched() *watched { return &watched{Guard: New(time.Now)} }

// requests logs n requests of an address, and returns how many lines were written.
func (w *watched) requests(addr string, proven bool, level slog.Level, n int) int {
	w.Reset()
	log := slog.New(slog.NewTextHandler(&w.Buffer, nil))
	for range n {
		w.Log(context.Background(), log, level, "request", addr, proven, slog.String("remote", addr))
	}
	return strings.Count(w.String(), "\n")
}

func TestTheLogOfAFloodIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched()
		const flooder = "192.0.2.1:1000"
		if n := w.requests(flooder, false, slog.LevelInfo, 5000); n != linesMax {
			t.Errorf("5000 failures of one address left %d lines, want %d", n, linesMax)
		}
		if n := w.requests(flooder, true, slog.LevelInfo, 1000); n != 1000 {
			t.Errorf("1000 requests of somebody known left %d lines, want all", n)
		}
		if n := w.requests(flooder, false, slog.LevelError, 10); n != 10 {
			t.Errorf("10 faults of ours left %d lines, want all", n)
		}
		time.Sleep(window)
		if n := w.requests(flooder, false, slog.LevelInfo, 1); n != 1 || !strings.Contains(w.String(), fmt.Sprintf("left_out=%d", 5000-linesMax+10)) {
			t.Errorf("a minute later the log is %q, want how many were left out", w.String())
		}
		heard := 0
		w.requests(flooder, false, slog.LevelInfo, 5000)
		for i := range 20 { // few of which share a cell with the flooder
			heard += w.requests(fmt.Sprintf("198.51.100.%d:1000", i), false, slog.LevelInfo, 1)
		}
		if heard < 17 {
			t.Errorf("%d of 20 other addresses left a line", heard)
		}
		all := 0
		for i := range 50_000 {
			all += w.requests(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255), false, slog.LevelInfo, 1)
		}
		if all > allLinesMax {
			t.Errorf("50,000 addresses left %d lines, want at most %d", all, allLinesMax)
		}
	})
}

func TestOnlySuspectsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched()
		w.lane = make(chan struct{}, 1)
		const flooder, other = "192.0.2.1:1000", "192.0.2.2:1000"
		w.requests(flooder, true, slog.LevelInfo, 10*suspectAfter) // of an authenticated caller
		w.requests(flooder, false, slog.LevelInfo, suspectAfter)
		for range 3 { // not yet
			if _, err := w.Enter(t.Context(), flooder); err != nil {
				t.Fatal(err)
			}
		}
		w.requests(flooder, false, slog.LevelInfo, 1)
		leave, err := w.Enter(t.Context(), flooder)
		if err != nil {
			t.Fatal(err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := w.Enter(gone, flooder); !errors.Is(err, context.Canceled) {
			t.Errorf("Enter of a client that went away = %v", err)
		}
		for range 3 {
			if w.cell(loglimit.Network(other)) == w.cell(loglimit.Network(flooder)) {
				break // in one of a thousand cases the two share a cell, and this one would wait
			}
			if _, err := w.Enter(t.Context(), other); err != nil {
				t.Errorf("Enter of another address = %v", err)
			}
		}
		entered := make(chan struct{})
		go func() {
			if leave, err := w.Enter(t.Context(), flooder); err == nil {
				defer leave()
			}
			close(entered)
		}()
		synctest.Wait()
		select {
		case <-entered:
			t.Error("a second proof of a suspect is checked beside the first")
		default:
		}
		leave()
		<-entered
		time.Sleep(window)
		for range 3 { // the window is over
			if _, err := w.Enter(t.Context(), flooder); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestANilGuardLimitsNothing(t *testing.T) {
	w := &watched{}
	leave, err := w.Enter(t.Context(), "192.0.2.1:80")
	if err != nil {
		t.Fatal(err)
	}
	leave()
	if n := w.requests("192.0.2.1:80", false, slog.LevelInfo, 1000); n != 1000 {
		t.Errorf("1000 failures left %d lines, want all", n)
	}
}
