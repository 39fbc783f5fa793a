package wire

import (
	"strings"
	"testing"
)

func TestPatternClass(t *testing.T) {
	words := &pattern{expr: `\A(?:[a-z]+)\z`, class: true, nonEmpty: true, ascii: [2]uint64{1: 0x7fffffe00000000}, beyond: none}
	maybe := &pattern{expr: `\A(?:[a-z]*)\z`, class: true, ascii: words.ascii, beyond: none}
	open := &pattern{expr: `\A(?:[^A-Z]*)\z`, class: true, ascii: [2]uint64{^uint64(0), ^uint64(0x7fffffe)}, beyond: all}
	letters := &pattern{expr: `\A(?:[a-z\p{Greek}]+)\z`, class: true, nonEmpty: true, ascii: words.ascii, beyond: some}
	for _, s := range []string{"", "a", "az", "a1", "aé", "é", "λόγος", "aλ", "λ1", "A", "a\n", "\x00", "\x7f", "\u0080", strings.Repeat("z", 300) + "λ"} {
		for name, p := range map[string]*pattern{"words": words, "maybe": maybe, "open": open, "letters": letters} {
			if got, want := p.match(s), p.regexp().MatchString(s); got != want {
				t.Errorf("%s: match(%q) = %v, want %v as %s says", name, s, got, want, p.expr)
			}
		}
	}
}
