package muster_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pinned matches a version in docs/clients.md that is a link to the file that
// pins it: the last word of the link is the version.
var pinned = regexp.MustCompile(`\[(?:[^\]]* )?([^\] ]+)\]\((\.\./conformance/[^)]+)\)`)

// clientRows returns the rows of the table in docs/clients.md, by their cells.
func clientRows(t *testing.T) [][]string {
	t.Helper()
	page, err := os.ReadFile("docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| client |")
	table, _, _ = strings.Cut(table, "\n\n")
	var rows [][]string
	for i, line := range strings.Split(table, "\n") {
		if i < 2 { // the rest of the head, and the line below it
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 5 {
			t.Errorf("docs/clients.md: %d cells, want 5: %s", len(cells), line)
			continue
		}
		rows = append(rows, cells)
	}
	if len(rows) == 0 {
		t.Fatal("docs/clients.md has no table of clients")
	}
	return rows
}

func TestTheVersionsOfClientsAreThePinnedOnes(t *testing.T) {
	links := 0
	for _, cells := range clientRows(t) {
		for _, link := range pinned.FindAllStringSubmatch(cells[1], -1) {
			links++
			version, file := link[1], filepath.Join("docs", link[2])
			pins, err := os.ReadFile(file)
			if err != nil {
				t.Errorf("%s: %v", cells[0], err)
				continue
			}
			if !holdsVersion(string(pins), version) {
				t.Errorf("docs/clients.md says%sat %s, which %s does not pin", cells[0], version, file)
			}
		}
	}
	if links == 0 {
		t.Error("no version in docs/clients.md is a link to the file that pins it")
	}
}

// holdsVersion reports whether a file of pins names version, and not merely a
// longer one that begins or ends like it.
func holdsVersion(pins, version string) bool {
	return regexp.MustCompile(`(^|[^0-9.])` + regexp.QuoteMeta(version) + `($|[^0-9.]|\.[^0-9])`).MatchString(pins)
}

func TestHoldsVersion(t *testing.T) {
	for _, c := range []struct {
		pins, version string
		want          bool
	}{
		{"boto3==1.44.5\n", "1.44.5", true},
		{`"aws-iot-device-sdk-v2": "1.28.0"`, "1.28.0", true},
		{"boto3==1.44.55", "1.44.5", false},
		{"boto3==11.44.5", "1.44.5", false},
		{"boto3==1.44.5.1", "1.44.5", false},
		{"boto3", "1.44.5", false},
	} {
		if got := holdsVersion(c.pins, c.version); got != c.want {
			t.Errorf("holdsVersion(%q, %q) = %v, want %v", c.pins, c.version, got, c.want)
		}
	}
}

// Every suite of conformance/run is in the table, and those that only
// `conformance/run BINARY all` runs are marked so.
func TestEverySuiteIsAmongTheClients(t *testing.T) {
	var run strings.Builder
	for _, cells := range clientRows(t) {
		fmt.Fprintln(&run, cells[3])
	}
	scripts, err := filepath.Glob("conformance/*/run")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no suites: %v", err)
	}
	suites := []string{"python", "go", "mosquitto"}
	for _, script := range scripts {
		suites = append(suites, filepath.Base(filepath.Dir(script)))
	}
	for _, suite := range suites {
		why, err := os.ReadFile(filepath.Join("conformance", suite, "slow"))
		slow := err == nil
		if slow && strings.Count(string(why), "\n") != 1 {
			t.Errorf("conformance/%s/slow says why in one sentence on one line", suite)
		}
		if name := "`" + suite + "`"; !strings.Contains(run.String(), name) {
			t.Errorf("docs/clients.md does not name the suite %s", suite)
		} else if marked := strings.Contains(run.String(), name+" *all*"); marked != slow {
			t.Errorf("docs/clients.md: %s is marked *all*: %v, but its folder has a file named slow: %v", suite, marked, slow)
		}
	}
}
