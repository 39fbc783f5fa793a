package explain

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/muster-iot/muster"
)

// help adds a command that may help, unless there are three already.
func (e *Explanation) help(say string, words ...string) {
	if len(e.Help) == 3 {
		return
	}
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = quote(word)
	}
	e.Help = append(e.Help, Help{Say: say, Command: strings.Join(quoted, " ")})
}

func (e *Explanation) fact(what, is string) { e.Facts = append(e.Facts, Fact{what, is}) }

// quote quotes a word for a POSIX shell, if it needs that.
func quote(word string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_./:=,@%+", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// when returns an instant as sentences have it: the time of day, with the date when that is not today's.
func (m *matter) when(at muster.Instant) string {
	zone := m.Zone
	if zone == nil {
		zone = time.UTC
	}
	t, now := at.Time().In(zone), m.Now.Time().In(zone)
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format("2006-01-02 15:04")
}

// instant returns an instant as data has it: RFC 3339 in UTC, with milliseconds.
func instant(at muster.Instant) string { return at.Time().Format(muster.InstantForm) }

// duration returns a duration in its largest unit, such as 12 min.
func duration(d muster.Instant) string {
	switch {
	case d < minute:
		return fmt.Sprintf("%d s", d/1000)
	case d < 60*minute:
		return fmt.Sprintf("%d min", d/minute)
	case d < 48*60*minute:
		return fmt.Sprintf("%d h", d/(60*minute))
	}
	return fmt.Sprintf("%d d", d/(24*60*minute))
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return strconv.Itoa(n) + " times"
}

// inARow says how often something failed, as the end of a sentence.
func inARow(n int) string {
	if n < 2 {
		return ""
	}
	return fmt.Sprintf(", %d times in a row", n)
}

// excerptMax bounds what a sentence repeats of somebody's text, in bytes.
const excerptMax = 160

// excerpt returns the first words of somebody's text, on one line and without what would steer a terminal.
func excerpt(text string, words int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return '\ufffd'
		}
		return r
	}, text)
	all := strings.Fields(text)
	cut := len(all) > words
	short := strings.Join(all[:min(words, len(all))], " ")
	if len(short) > excerptMax {
		short, cut = strings.ToValidUTF8(short[:excerptMax], ""), true
	}
	if cut {
		short += "…"
	}
	return short
}

// detailsFirst returns the names of status details, at most five: those first that tell why.
func detailsFirst(details map[string]string) []string {
	rank := func(name string) int {
		if i := slices.Index([]string{"reason", "errorCode", "code", "error", "message", "step"}, name); i >= 0 {
			return i
		}
		return 6
	}
	names := slices.SortedFunc(maps.Keys(details), func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return names[:min(5, len(names))]
}

// said returns what a device reported first of all, as the end of a sentence; empty if it reported nothing.
func said(details map[string]string) string {
	for _, name := range detailsFirst(details) {
		return fmt.Sprintf(": %s %s", excerpt(name, 1), excerpt(details[name], 7))
	}
	return ""
}
