package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

// Every command has a page of its own: what it does, how it is called, examples,
// and what its flags mean, no wider than a terminal.
func TestEveryCommandHasAPage(t *testing.T) {
	for _, cmd := range everyCommand(rootCommand()) {
		words := strings.Fields(cmd.CommandPath())[1:]
		var page, stderr bytes.Buffer
		if err := run(t.Context(), append(words, "--help"), &page, &stderr); err != nil || stderr.Len() > 0 {
			t.Errorf("%s --help = %v, and prints %q as an error", cmd.CommandPath(), err, stderr.String())
			continue
		}
		for line := range strings.Lines(page.String()) {
			if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > pageWidth {
				t.Errorf("%s --help has a line of more than %d columns: %s", cmd.CommandPath(), pageWidth, line)
			}
		}
		if !strings.Contains(page.String(), "\nusage:\n  "+cmd.CommandPath()) || !strings.Contains(page.String(), "\nflags:\n") {
			t.Errorf("%s --help lacks its usage or its flags:\n%s", cmd.CommandPath(), page.String())
		}
		if cmd.Parent() != nil && cmd.Long == "" {
			t.Errorf("%s has only a summary", cmd.CommandPath())
		}
		if !cmd.HasSubCommands() && cmd.Example == "" {
			t.Errorf("%s has no example", cmd.CommandPath())
		}

		var same bytes.Buffer
		if err := run(t.Context(), append([]string{"help"}, words...), &same, io.Discard); err != nil || same.String() != page.String() {
			t.Errorf("muster help %s = %v, and another page than --help:\n%s", strings.Join(words, " "), err, same.String())
		}
	}
}

// A program with one command tree a process must not find flags of an earlier run.
func TestRunsDoNotShareFlags(t *testing.T) {
	if err := run(t.Context(), []string{"serve", "--check", "--data", "d"}, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), []string{"serve", "--check"}, io.Discard, io.Discard); err == nil {
		t.Error("muster serve --check takes the --data of the run before")
	}
}
