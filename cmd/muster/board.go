package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/muster-iot/muster/internal/apiclient"
)

// board shows the progress of one job: bars that redraw themselves on a
// terminal, a line for each change elsewhere.
type board struct {
	screen
	total int
	every time.Duration // between two looks at the job
	drawn bool
	last  string
}

const (
	barWidth   = 40
	liveEvery  = 100 * time.Millisecond
	plainEvery = 500 * time.Millisecond
)

func newBoard(s screen, total int) *board {
	b := &board{screen: s, total: total, every: plainEvery}
	if b.live {
		b.every = liveEvery
	}
	return b
}

// rows are the statuses in the order of an execution's life, each with its counter in
// DescribeJob and its color.
var rows = []struct{ status, counter, color string }{
	{"QUEUED", "Queued", white},
	{"IN_PROGRESS", "InProgress", cyan},
	{"SUCCEEDED", "Succeeded", green},
	{"FAILED", "Failed", red},
	{"REJECTED", "Rejected", yellow},
}

// show draws j as it is now.
func (b *board) show(j apiclient.Job) {
	if !b.live {
		b.line(j)
		return
	}
	var text strings.Builder
	if b.drawn {
		fmt.Fprintf(&text, "\x1b[%dA", len(rows)) // back to the first row
	}
	digits := len(fmt.Sprint(b.total))
	bar := max(1, min(barWidth, b.width-len("  IN_PROGRESS  ")-len(" ")-digits-1)) // a row that is wrapped could not be drawn again
	for _, row := range rows {
		n := j.Count(row.counter)
		full := 0
		if b.total > 0 {
			full = min(bar, (n*bar+b.total-1)/b.total)
		}
		fmt.Fprintf(&text, "\x1b[2K  %-12s %s%s %d\n",
			row.status, b.paint(row.color, strings.Repeat("█", full)), strings.Repeat("░", bar-full), n)
	}
	b.drawn = true
	io.WriteString(b.w, text.String())
}

// line writes j when it differs from what was written last.
func (b *board) line(j apiclient.Job) {
	var parts []string
	for _, row := range rows {
		parts = append(parts, fmt.Sprintf("%s %d", row.status, j.Count(row.counter)))
	}
	if text := strings.Join(parts, "  "); text != b.last {
		b.last = text
		fmt.Fprintf(b.w, "  %s\n", text)
	}
}

// done prints how the job ended.
func (b *board) done(j apiclient.Job) {
	fmt.Fprintf(b.w, "\nThe job is %s after %.1f s: %d succeeded, %d failed, %d rejected.\n", j.Status,
		j.CompletedAt-j.CreatedAt, j.Count("Succeeded"), j.Count("Failed"), j.Count("Rejected"))
}
