package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// output is how a command prints what it was asked for: for people, or as JSON.
type output struct{ json bool }

func (o *output) register(fs *pflag.FlagSet) {
	fs.BoolVar(&o.json, "json", o.json, "print one JSON document and nothing else")
}

// show prints data as one JSON document, or else what people prints on the screen.
func (o output) show(cmd *cobra.Command, data any, people func(screen) error) error {
	if !o.json {
		return people(screenOf(cmd.OutOrStdout()))
	}
	document := json.NewEncoder(cmd.OutOrStdout())
	document.SetEscapeHTML(false)
	document.SetIndent("", "  ")
	return document.Encode(data)
}

// said is show for a command that has one sentence to say.
func (o output) said(cmd *cobra.Command, data any, format string, args ...any) error {
	return o.show(cmd, data, func(s screen) error {
		_, err := fmt.Fprintf(s.w, format+"\n", args...)
		return err
	})
}

// screen is what a command prints on for people. Zero apart from w it is a file or a pipe, in which nothing is
// wrapped, left out or colored.
type screen struct {
	w     io.Writer
	width int  // columns of the terminal; zero if w is none
	live  bool // what is on it can be drawn again
	color bool
}

// columnsElse is the width of a terminal that does not say it.
const columnsElse = 80

// screenOf returns the screen that w is, by what w and the environment say.
func screenOf(w io.Writer) screen {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return screen{w: w}
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		width, err = strconv.Atoi(os.Getenv("COLUMNS"))
	}
	if err != nil || width <= 0 {
		width = columnsElse
	}
	live := os.Getenv("TERM") != "dumb"
	return screen{w: w, width: width, live: live, color: live && os.Getenv("NO_COLOR") == ""}
}

// The colors of statuses and of what should be seen first, as terminals number them.
const (
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
	white  = "37"
)

// paint returns text in a color, if the screen has any.
func (s screen) paint(color, text string) string {
	if !s.color || text == "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// paragraph prints text after indent spaces, in lines that fit on the screen.
func (s screen) paragraph(indent int, text string) error {
	text = printable(text)
	lines := []string{text}
	if s.width > 0 {
		lines = wrapped(text, s.width-indent)
	}
	var page strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&page, "%*s%s\n", indent, "", line)
	}
	_, err := io.WriteString(s.w, page.String())
	return err
}

// column is one of a table.
type column struct {
	name  string
	aside bool // it is left out where the table does not fit, the last one first
}

// gap is between two columns.
const gap = 2

// table prints rows below the names of their columns. On a terminal that is too narrow it leaves out columns that are
// aside, says so, and then wraps the widest.
func (s screen) table(columns []column, rows [][]string) error {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	cells := [][]string{names}
	for _, row := range rows {
		row = slices.Clone(row)
		for i := range row {
			row[i] = printable(row[i])
		}
		cells = append(cells, row)
	}
	widths := make([]int, len(columns))
	for _, row := range cells {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	shown, left := s.fit(columns, widths)
	var page strings.Builder
	for i, row := range cells {
		lines := rowLines(row, shown, widths)
		if i == 0 {
			for j := range lines {
				lines[j] = s.paint(bold, lines[j])
			}
		}
		page.WriteString(strings.Join(lines, "\n") + "\n")
	}
	if len(left) > 0 {
		for _, line := range wrapped("Left out: "+strings.Join(left, ", ")+". A wider terminal or --json shows all.", s.width) {
			page.WriteString("\n" + line)
		}
		page.WriteString("\n")
	}
	_, err := io.WriteString(s.w, page.String())
	return err
}

// facts prints names and what they are, one a line. Those that are nothing are left out.
func (s screen) facts(facts [][2]string) error {
	names := 0
	for _, f := range facts {
		if f[1] != "" {
			names = max(names, utf8.RuneCountInString(f[0]))
		}
	}
	var page strings.Builder
	for _, f := range facts {
		if f[1] == "" {
			continue
		}
		texts := []string{printable(f[1])}
		if s.width > 0 {
			texts = wrapped(texts[0], s.width-names-gap)
		}
		name := f[0]
		for _, text := range texts {
			fmt.Fprintf(&page, "%-*s%s\n", names+gap, name, text)
			name = ""
		}
	}
	_, err := io.WriteString(s.w, page.String())
	return err
}

// fit chooses which columns are shown, by their places, and returns the names of the others. Where those that may not be
// left out are too wide together, it makes the widest of widths smaller.
func (s screen) fit(columns []column, widths []int) (shown []int, left []string) {
	total := -gap
	for i, w := range widths {
		shown = append(shown, i)
		total += w + gap
	}
	if s.width == 0 {
		return shown, nil
	}
	for i, c := range slices.Backward(columns) {
		if c.aside && total > s.width {
			shown = slices.DeleteFunc(shown, func(at int) bool { return at == i })
			left = append([]string{c.name}, left...)
			total -= widths[i] + gap
		}
	}
	for total > s.width {
		widest := shown[0]
		for _, i := range shown {
			if widths[i] > widths[widest] {
				widest = i
			}
		}
		if widths[widest] == 1 {
			break // as narrow as it can be
		}
		widths[widest]--
		total--
	}
	return shown, left
}

// rowLines returns the lines of one row of a table, without blanks at their ends.
func rowLines(row []string, shown, widths []int) []string {
	var lines []string
	start := 0
	for _, i := range shown {
		for n, text := range wrapped(row[i], widths[i]) {
			if n == len(lines) {
				lines = append(lines, "")
			}
			if text != "" {
				lines[n] += strings.Repeat(" ", start-utf8.RuneCountInString(lines[n])) + text
			}
		}
		start += widths[i] + gap
	}
	return lines
}

// wrapped returns text in lines of at most width columns: broken between words, and within a word that is longer. Text
// that fits stays as it is.
func wrapped(text string, width int) []string {
	width = max(width, 1)
	if utf8.RuneCountInString(text) <= width {
		return []string{text}
	}
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		letters := []rune(word)
		for len(letters) > width {
			lines = append(lines, string(letters[:width]))
			letters = letters[width:]
		}
		line = string(letters)
	}
	return append(lines, line)
}

// printable returns text in one line, without what a terminal would take for an order. Texts come from devices and other
// servers too.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return utf8.RuneError
		}
		return r
	}, text)
}
