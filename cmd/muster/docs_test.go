package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// commandLine is a call of muster in a page.
type commandLine struct {
	page string
	args []string
}

var (
	fenced    = regexp.MustCompile("(?ms)^```[a-z]*\n(.*?)^```")
	codeSpan  = regexp.MustCompile("`([^`\n]+)`")
	inFence   = regexp.MustCompile(`(?m)(?:^|[(;&|]) *(?:\S*/)?muster( [^\n]*)?$`)
	inSpan    = regexp.MustCompile(`^(?:\./)?muster( .*)$`)
	lineBreak = regexp.MustCompile(`\\\n\s*`)
	shellEnd  = regexp.MustCompile(`^(#.*|&.*|\|.*|;.*|[0-9]?>.*)$`)
)

// documented returns the command lines that the public pages show.
func documented(t *testing.T) []commandLine {
	t.Helper()
	var all []commandLine
	for _, root := range []string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs", "conformance"} {
		err := filepath.WalkDir(filepath.Join("..", "..", root), func(path string, d fs.DirEntry, err error) error {
			if d != nil && d.Name() == "node_modules" {
				return filepath.SkipDir
			}
			if err != nil || filepath.Ext(path) != ".md" {
				return err
			}
			text, err := os.ReadFile(path)
			for _, found := range commandLines(string(text)) {
				all = append(all, commandLine{path, found})
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// commandLines returns the arguments of each call of muster in a page: in blocks
// of code, and in code within a line that begins with muster.
func commandLines(page string) [][]string {
	var texts []string
	for _, block := range fenced.FindAllStringSubmatch(page, -1) {
		for _, m := range inFence.FindAllStringSubmatch(lineBreak.ReplaceAllString(block[1], " "), -1) {
			texts = append(texts, m[1])
		}
	}
	for _, span := range codeSpan.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
		if m := inSpan.FindStringSubmatch(span[1]); m != nil {
			texts = append(texts, m[1])
		}
	}
	var all [][]string
	for _, text := range texts {
		args := []string{}
		for word := range strings.FieldsSeq(text) {
			if shellEnd.MatchString(word) {
				break
			}
			last := strings.TrimRight(word, `)";`)
			if last != "" {
				args = append(args, last)
			}
			if last != word && strings.Count(word, `"`) != 2 {
				break
			}
		}
		all = append(all, args)
	}
	return all
}

// fault says what of a command line there is not, "" when it could be typed.
func (l commandLine) fault(root *cobra.Command) string {
	words := []string{}
	for _, arg := range l.args {
		if arg != "…" { // what a reader fills in
			words = append(words, arg)
		}
	}
	cmd, rest, err := root.Find(words)
	if err != nil {
		return err.Error()
	}
	if cmd.HasSubCommands() {
		if err := onlyCommands(cmd, rest); err != nil {
			return err.Error()
		}
	}
	for _, arg := range rest {
		name, isFlag := strings.CutPrefix(arg, "--")
		if name, _, _ = strings.Cut(name, "="); isFlag && name != "…" && cmd.Flags().Lookup(name) == nil {
			return cmd.CommandPath() + " has no flag --" + name
		}
	}
	return ""
}

func TestWhatPagesShowCanBeTyped(t *testing.T) {
	root, all := rootCommand(), documented(t)
	if len(all) < 60 {
		t.Errorf("only %d command lines were found", len(all))
	}
	for _, line := range all {
		if fault := line.fault(root); fault != "" {
			t.Errorf("%s shows muster %s: %s", line.page, strings.Join(line.args, " "), fault)
		}
	}
	for _, page := range []string{
		"`muster srve --data d`", "`muster serve --dta d`", "```sh\nx=1 && muster admin keys ad d --user x\n```\n",
		"```sh\nmuster serve \\\n  --data d \\\n  --metrix ''\n```\n", "```sh\n(muster admin verfy d)\n```\n",
	} {
		lines := commandLines(page)
		if len(lines) != 1 || (commandLine{page, lines[0]}).fault(root) == "" {
			t.Errorf("%q is read as %q and found good", page, lines)
		}
	}
}

// The operator's guide has all commands and all flags of serve.
func TestTheGuideIsComplete(t *testing.T) {
	text, err := os.ReadFile("../../docs/operator-guide.md")
	if err != nil {
		t.Fatal(err)
	}
	guide := string(text)
	for _, cmd := range everyCommand(rootCommand()) {
		if !cmd.HasSubCommands() && !cmd.Hidden && !strings.Contains(guide, cmd.CommandPath()) && !strings.Contains(guide, "`… "+cmd.Name()+"`") {
			t.Errorf("the guide does not name %s", cmd.CommandPath())
		}
	}
	cmd, _, err := rootCommand().Find([]string{"serve"})
	if err != nil {
		t.Fatal(err)
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" && !regexp.MustCompile(`--`+f.Name+`(?:[^a-z-]|$)`).MatchString(guide) {
			t.Errorf("the guide does not explain --%s", f.Name)
		}
	})
}
