package main

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
)

// complete returns what a shell is offered after a command line, and how it is
// to go on: the number of cobra's directive.
func complete(t *testing.T, line ...string) (offers []string, directive string) {
	t.Helper()
	var out bytes.Buffer
	if err := run(t.Context(), append([]string{"__complete"}, line...), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for text := range strings.Lines(out.String()) {
		text = strings.TrimSuffix(text, "\n")
		if number, last := strings.CutPrefix(text, ":"); last {
			return offers, number
		}
		offers = append(offers, text)
	}
	t.Fatalf("completing %q gives no directive:\n%s", line, out.String())
	return nil, ""
}

func TestShellsComplete(t *testing.T) {
	const words, files, folders, noSpace = "4", "0", "16", "6"
	for _, test := range []struct {
		line, want, directive string
	}{
		{"ser|", "serve", words},
		{"admin keys |", "list add remove", words},
		{"serve --auth |", "keys none", words},
		{"serve --auth=|", "keys none", words},
		{"serve --log-level |", "debug info warn error", words},
		{"serve --log-format |", "text json", words},
		{"serve --limits |", "default aws", words},
		{"serve --data |", "", folders},
		{"serve --tls-key |", "", files},
		{"serve --api |", "", words},
		{"serve |", "", words},
		{"env |", "", folders},
		{"env d |", "", words},
		{"admin backup d |", "", folders},
		{"admin sign d |", "", files},
		{"admin keys remove d |", "", words},
		{"clock |", "advance set", words},
		{"help admin keys |", "list add remove", words},
		{"completion p|", "powershell", words},
	} {
		line := strings.Split(strings.TrimSuffix(test.line, "|"), " ")
		offers, directive := complete(t, line...)
		for i := range offers {
			offers[i], _, _ = strings.Cut(offers[i], "\t")
		}
		if got := strings.Join(offers, " "); got != test.want || directive != test.directive {
			t.Errorf("%s offers %q (%s), want %q (%s)", test.line, got, directive, test.want, test.directive)
		}
	}
	limits, directive := complete(t, "serve", "--limit", "")
	if directive != noSpace || !slices.ContainsFunc(limits, func(l string) bool { return strings.HasPrefix(l, "active-jobs=\t") }) {
		t.Errorf("--limit offers %q (%s), want the names of limits, each with =", limits, directive)
	}
	if again, _ := complete(t, "serve", "--limit", "active-jobs=1", "--limit"); len(again) == 0 {
		t.Error("--limit may be given again, but is not offered")
	}
}

func TestWhatIsOfferedIsDescribedInAFewWords(t *testing.T) {
	flags, _ := complete(t, "serve", "--")
	if len(flags) < 20 {
		t.Fatalf("serve offers only %d flags", len(flags))
	}
	for _, offer := range flags {
		if name, text, _ := strings.Cut(offer, "\t"); text == "" || strings.ContainsAny(text, "`;:") {
			t.Errorf("%s is described as %q", name, text)
		}
	}
}

func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		var out bytes.Buffer
		if err := run(t.Context(), []string{"completion", shell}, &out, io.Discard); err != nil || !strings.Contains(out.String(), "__complete") {
			t.Errorf("completion %s = %v, and prints %d bytes that do not ask the binary", shell, err, out.Len())
		}
	}
}
