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
func (s *server) executions(ctx context.Context, status string) (int, error) {
	n, err := s.metric(ctx, fmt.Sprintf("muster_executions{status=%q}", status))
	return int(n), err
}

// metric returns the value of a metric, which is named with its labels.
func (s *server) metric(ctx context.Context, name string) (value float64, err error) {
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
		if text, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			_, err = fmt.Sscan(text, &value)
			return value, err
		}
	}
	return 0, fmt.Errorf("%s has no metric %s", s.Metrics, name)
}
