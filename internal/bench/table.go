package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

// figure is one line of the table.
type figure struct {
	name   string
	value  string
	beside string // what it is compared with, from the same run
	ratio  string // value to beside
	aim    string // what the project wants it to be
}

// part is the figures of one section.
type part struct {
	title   string
	figures []figure
	err     error // why it is not whole
	began   time.Time
	took    time.Duration // all of it, preparations included
	others  float64       // share of the machine that others used meanwhile
}

// table is what a run prints.
type table struct {
	machine machine
	quick   bool
	parts   []part
}

var columns = []string{"figure", "measured", "beside it, in the same run", "ratio", "aim"}

func (f figure) cells() []string { return []string{f.name, f.value, f.beside, f.ratio, f.aim} }

func (p part) heading() string {
	return fmt.Sprintf("%s (%.0f s; others used %.0f %% of the machine)", p.title, p.took.Seconds(), 100*p.others)
}

// text prints the table for a terminal.
func (t table) text(w io.Writer) {
	fmt.Fprintf(w, "\n%s\n\n", strings.Join(t.machine.lines(), "\n"))
	widths := make([]int, len(columns))
	t.rows(func(cells []string) {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}, nil)
	row := func(cells []string) {
		var line strings.Builder
		for i, cell := range cells {
			fmt.Fprint(&line, "  ", cell, strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
	t.rows(row, func(p part) {
		fmt.Fprintf(w, "\n%s\n", p.heading())
		if p.err != nil {
			fmt.Fprintf(w, "  not whole: %v\n", p.err)
		}
	})
}

// rows calls row with the cells of each line, and before those of each part calls
// heading, unless that is nil.
func (t table) rows(row func([]string), heading func(part)) {
	row(columns)
	for _, p := range t.parts {
		if heading != nil {
			heading(p)
		}
		for _, f := range p.figures {
			row(f.cells())
		}
	}
}

// write writes the table to a file, as Markdown. Parts that the file has and
// the table has not stay as they are, and so do the notes below each table.
func (t table) write(file string) error {
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parts := writtenParts(string(old))
	for _, p := range t.parts {
		parts[p.title] = p.markdown() + notes(parts[p.title])
	}
	var b strings.Builder
	command := "make bench"
	if t.quick {
		command += " QUICK=1"
	}
	fmt.Fprintf(&b, "<!-- written by `%s OUT=%s`; edit only the notes below its tables -->\n\n# Benchmarks\n\n%s\n\n", command, file, preamble)
	for _, line := range t.machine.lines() {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	for _, s := range sections() {
		if text, ok := parts[s.title]; ok {
			b.WriteString("\n" + partHeading + s.title + text)
		}
	}
	return os.WriteFile(file, []byte(b.String()), 0o644)
}

// partHeading begins a part in a document.
const partHeading = "## "

// notesHeading begins what people write below the table of a part.
const notesHeading = "\n### "

// notes returns the notes of a part that was written before.
func notes(written string) string {
	if i := strings.Index(written, notesHeading); i >= 0 {
		return written[i:]
	}
	return ""
}

// writtenParts returns what follows the heading of each part of a document.
func writtenParts(document string) map[string]string {
	parts := map[string]string{}
	all := strings.Split(document, "\n"+partHeading)
	for _, text := range all[1:] {
		title, rest, _ := strings.Cut(text, "\n")
		parts[title] = "\n" + strings.TrimRight(rest, "\n") + "\n"
	}
	return parts
}

// markdown returns what follows the heading of a part.
func (p part) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n\n%s, in %s; others used %.0f %% of the machine meanwhile.\n\n",
		p.began.UTC().Format("2006-01-02 15:04 MST"), p.took.Round(time.Second), 100*p.others)
	fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	for _, f := range p.figures {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(f.cells(), " | "))
	}
	if p.err != nil {
		fmt.Fprintf(&b, "\nNot whole: %v\n", p.err)
	}
	return b.String()
}

const preamble = "`make bench` measures these figures and prints them; `make bench BENCH=engine` measures a part, `make bench QUICK=1` with small\n" +
	"sizes. With `OUT=docs/benchmarks.md` what was measured takes its place here, and the rest stays as it was, the notes below tables\n" +
	"too. Everything runs on one machine over the loopback interface, the load generator too. Where others use the machine as well, trust\n" +
	"the ratios, the bytes and the processor time more than what happened in a second."

// count writes n with thousands apart.
func count[N int | int64 | float64](n N) string {
	digits := fmt.Sprintf("%.0f", float64(n))
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func perSecond(n int, took time.Duration) float64 { return float64(n) / took.Seconds() }

func percent(part, whole float64) string { return fmt.Sprintf("%.0f %%", 100*part/whole) }

func times(part, whole float64) string { return fmt.Sprintf("%.2g ×", part/whole) }

// micros writes the processor time of one of n.
func micros(d time.Duration, n int) string {
	each := float64(d.Nanoseconds()) / 1000 / float64(max(n, 1))
	if each >= 100 {
		return count(each) + " µs"
	}
	return fmt.Sprintf("%.1f µs", each)
}

// millis writes a duration, in seconds when it is long.
func millis(d time.Duration) string {
	if d >= time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%.3g ms", float64(d.Microseconds())/1000)
}

func kilobytes(bytes, n int) string { return fmt.Sprintf("%.2f KB", float64(bytes)/1000/float64(n)) }

func megabytes(bytes int) string { return count(float64(bytes)/1e6) + " MB" }
