package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
)

// serveIn runs the binary under test as a setting says.
func (b *bench) serveIn(ctx context.Context, folder string, in setting) (*server, error) {
	if !in.oneCore {
		return b.serve(ctx, folder)
	}
	pinned := *b
	pinned.before = []string{"taskset", "-c", "0"} // which becomes the server: the process that is measured stays the same
	return pinned.serve(ctx, folder)
}

// neighbourCommand is the first argument with which this program only computes.
const neighbourCommand = "neighbour"

// startNeighbour starts a process that uses half of the machine, and at least one
// processor, until it is killed.
func startNeighbour() (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return start(self, neighbourCommand)
}

// runNeighbour is that process.
func runNeighbour(ctx context.Context) error {
	for range max(1, runtime.NumCPU()/2) {
		go func() {
			for ctx.Err() == nil { // this is the work
				continue
			}
		}()
	}
	<-ctx.Done()
	return nil
}

// executions returns how many executions there are in a status, as operators of
// monitoring see it. To the server it is not a request that somebody waits for.
func (s *server) executions(ctx context.Context, status string) (n int, err error) {
	in, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Metrics+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	out, err := http.DefaultClient.Do(in)
	if err != nil {
		return 0, err
	}
	defer out.Body.Close()
	for lines := bufio.NewScanner(out.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), fmt.Sprintf("muster_executions{status=%q} ", status)); ok {
			var all float64 // large numbers have an exponent
			_, err = fmt.Sscan(value, &all)
			return int(all), err
		}
	}
	return 0, fmt.Errorf("%s does not count executions", s.Metrics)
}
