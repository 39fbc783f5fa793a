package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
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
