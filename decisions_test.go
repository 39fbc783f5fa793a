package muster_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A decision begins with its number, title, date and status, and README.md of the
// folder has a row that repeats them.
var (
	decisionFile   = regexp.MustCompile(`^(\d{4})-[a-z0-9]+(-[a-z0-9]+)*\.md$`)
	decisionHead   = regexp.MustCompile(`\A# (\d{4}): (.+)\n\nDate: (\S+)\. Status: (.+)\.\n\n`)
	decisionStatus = regexp.MustCompile(`^(accepted|(accepted, amended|superseded) by \[(\d{4})\]\((\d{4}-[a-z0-9-]+\.md)\)(, \[(\d{4})\]\((\d{4}-[a-z0-9-]+\.md)\))*)$`)
	decisionLink   = regexp.MustCompile(`\[(\d{4})\]\((\d{4})([^)]*)\)`)
)

// decisionRow returns the row of the README for a decision, or what is wrong with
// its name, its text or the decisions that its status names. exists reports whether
// there is a file of a name.
func decisionRow(name, text string, exists func(name string) bool) (row string, err error) {
	file, head := decisionFile.FindStringSubmatch(name), decisionHead.FindStringSubmatch(text)
	switch {
	case file == nil:
		return "", fmt.Errorf("the name of a decision is like 0042-what-it-says.md")
	case head == nil:
		return "", fmt.Errorf("it does not begin with `# %s: Title` and `Date: 2026-11-28. Status: accepted.`, each followed by an empty line", file[1])
	}
	number, title, date, status := head[1], head[2], head[3], head[4]
	if number != file[1] {
		return "", fmt.Errorf("its heading has the number %s", number)
	}
	if _, err := time.Parse(time.DateOnly, date); err != nil {
		return "", err
	}
	if !decisionStatus.MatchString(status) {
		return "", fmt.Errorf("%q is no status", status)
	}
	for _, m := range decisionLink.FindAllStringSubmatch(status, -1) {
		if m[1] != m[2] || m[1] <= number || !exists(m[2]+m[3]) {
			return "", fmt.Errorf("its status names %s, which is not a later decision", m[0])
		}
	}
	return fmt.Sprintf("| [%s](%s) | %s | %s | %s |", number, name, title, date, status), nil
}

func TestDecisionsSayWhenAndWhetherTheyHold(t *testing.T) {
	const folder = "docs/decisions"
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	exists := func(name string) bool {
		_, err := os.Stat(filepath.Join(folder, name))
		return err == nil
	}
	var rows []string
	for _, f := range files {
		if f.Name() == "README.md" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		row, err := decisionRow(f.Name(), string(text), exists)
		if err != nil {
			t.Errorf("%s: %v", f.Name(), err)
			continue
		}
		rows = append(rows, row)
	}
	readme, err := os.ReadFile(filepath.Join(folder, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for line := range strings.Lines(string(readme)) {
		if strings.HasPrefix(line, "| [") {
			listed = append(listed, strings.TrimSuffix(line, "\n"))
		}
	}
	if want, got := strings.Join(rows, "\n"), strings.Join(listed, "\n"); got != want {
		t.Errorf("the table of %s/README.md is\n%s\nand the decisions say\n%s", folder, got, want)
	}
}

func TestDecisionRow(t *testing.T) {
	exists := func(name string) bool { return name == "0050-later.md" }
	head := func(number, date, status string) string {
		return "# " + number + ": A title\n\nDate: " + date + ". Status: " + status + ".\n\nText.\n"
	}
	for name, text := range map[string]string{
		"0042-good.md":    head("0042", "2026-11-28", "accepted"),
		"0043-amended.md": head("0043", "2026-11-28", "accepted, amended by [0050](0050-later.md)"),
		"0044-over.md":    head("0044", "2026-11-28", "superseded by [0050](0050-later.md)"),
	} {
		row, err := decisionRow(name, text, exists)
		if want := "| [" + name[:4] + "](" + name + ") | A title | 2026-11-28 | "; err != nil || !strings.HasPrefix(row, want) {
			t.Errorf("%s: %q, %v", name, row, err)
		}
	}
	for fault, d := range map[string][2]string{
		"no number in the name":  {"good.md", head("0042", "2026-11-28", "accepted")},
		"another number":         {"0041-x.md", head("0042", "2026-11-28", "accepted")},
		"no date":                {"0042-x.md", "# 0042: A title\n\nText.\n"},
		"a date that is none":    {"0042-x.md", head("0042", "2026-13-28", "accepted")},
		"another status":         {"0042-x.md", head("0042", "2026-11-28", "in force")},
		"replaced by nothing":    {"0042-x.md", head("0042", "2026-11-28", "superseded by [0060](0060-none.md)")},
		"replaced by an earlier": {"0052-x.md", head("0052", "2026-11-28", "superseded by [0050](0050-later.md)")},
		"another file's number":  {"0042-x.md", head("0042", "2026-11-28", "superseded by [0049](0050-later.md)")},
	} {
		if row, err := decisionRow(d[0], d[1], exists); err == nil {
			t.Errorf("%s: passes as %s", fault, row)
		}
	}
}
