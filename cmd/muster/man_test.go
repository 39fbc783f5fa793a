package main

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestEveryCommandHasAManualPage(t *testing.T) {
	write := func() map[string]string {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "share", "man1")
		if err := run(t.Context(), []string{"man", dir}, io.Discard, io.Discard); err != nil {
			t.Fatal(err)
		}
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		pages := map[string]string{}
		for _, f := range files {
			text, err := os.ReadFile(filepath.Join(dir, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			pages[f.Name()] = string(text)
		}
		return pages
	}
	pages := write()
	if !maps.Equal(pages, write()) {
		t.Error("a second run writes other pages")
	}
	for _, cmd := range everyCommand(rootCommand()) {
		page, ok := pages[pageName(cmd)+".1"]
		if ok == cmd.Hidden {
			t.Errorf("%s is hidden: %t; it has a page: %t", cmd.CommandPath(), cmd.Hidden, ok)
		}
		if cmd.Hidden {
			continue
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !strings.Contains(page, `\fB\-\-`+strings.ReplaceAll(f.Name, "-", `\-`)+`\fR`) {
				t.Errorf("the page of %s lacks --%s", cmd.CommandPath(), f.Name)
			}
		})
		for line := range strings.Lines(page) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			if strings.ContainsAny(line[:1], ".'") && !strings.Contains(" .TH .SH .PP .TP .nf .fi ", " "+word+" ") {
				t.Errorf("the page of %s has a line that is taken for a request: %s", cmd.CommandPath(), line)
			}
		}
	}
}

func TestRoff(t *testing.T) {
	for text, want := range map[string]string{
		"--mqtt-plain":    `\-\-mqtt\-plain`,
		".profile":        `\&.profile`,
		"'quoted'":        `\(aqquoted\(aq`,
		`a \ b`:           `a \e b`,
		"~/x\n.y":         "\\(ti/x\n\\&.y",
		"${aws:iot:x}":    "${aws:iot:x}",
		"eval \"$(env)\"": "eval \"$(env)\"",
	} {
		if got := roff(text); got != want {
			t.Errorf("roff(%q) = %q, want %q", text, got, want)
		}
	}
}
