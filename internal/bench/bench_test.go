package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/internal/nats"
	"github.com/muster-iot/muster/internal/needs"
	"github.com/muster-iot/muster/internal/postgres"
)

// TestMain lets the test binary be the gateway and the neighbour of its own, as the program does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && slices.Contains([]string{gatewayCommand, neighbourCommand}, os.Args[1]) {
		if err := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// tiny is enough to go through everything once.
var tiny = sizes{
	callers: []int{1, 8}, pairs: map[int]int{1: 5, 8: 20, 64: 20}, things: 40, rounds: 1, groups: []int{20, 50}, fleets: []int{50}, reads: 40,
	rest: time.Millisecond, asks: 10, idleClients: 10, calm: time.Millisecond, idleFor: time.Millisecond, requesters: []int{2, 5}, requestFor: 20 * time.Millisecond, rate: 500,
	shakeFor: 20 * time.Millisecond, returning: 10, subscribers: 10, publishes: 3, burst: 300, bystanders: 5,
	population: 300, connected: 12, busy: 4, busyRate: 400, activeJobs: 10, watch: 20 * time.Millisecond, strangers: 3,
	nodeCallers: []int{2, 8}, nodePairs: map[int]int{2: 10, 8: 20}, nodeRounds: 1, told: 3, moving: 10, revoked: 2,
}

func TestEverySectionMeasures(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the server")
	}
	muster := filepath.Join(t.TempDir(), "muster")
	if out, err := exec.Command("go", "build", "-o", muster, "../../cmd/muster").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	b := &bench{sizes: tiny, muster: muster, dir: t.TempDir(), log: t.Output()}
	for _, s := range sections() {
		if s.name == "engine" || s.name == postgresSections {
			continue // its ceiling has a size of its own, and takes a minute
		}
		t.Run(s.name, func(t *testing.T) {
			p := b.part(t.Context(), s)
			if errors.Is(p.err, postgres.ErrMissing) {
				needs.Skip(t, "postgres", p.err.Error())
			}
			if errors.Is(p.err, nats.ErrMissing) {
				needs.Skip(t, "nats", p.err.Error())
			}
			if p.err != nil || len(p.figures) == 0 {
				t.Fatalf("%d figures, %v", len(p.figures), p.err)
			}
			for _, f := range p.figures {
				if f.name == "" || f.value == "" || strings.Contains(f.value, "NaN") {
					t.Errorf("a figure without a name or a value: %+v", f)
				}
			}
		})
	}
}

func TestTableHasEveryFigureForPeopleAndForDocuments(t *testing.T) {
	table := table{machine: machine{cpu: "a fast one"}, parts: []part{{
		title: sections()[1].title, figures: []figure{{name: "requests", value: "9 µs", beside: "others 12 µs", ratio: "0.75 ×", aim: "≤ 10 µs"}},
	}}}
	var text strings.Builder
	table.text(&text)
	file := filepath.Join(t.TempDir(), "benchmarks.md")
	if err := table.write(file); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const note = "\n### Found\n\nThat it is fast.\n"
	if err := os.WriteFile(file, append(written, note...), 0o600); err != nil {
		t.Fatal(err)
	}
	before := table
	before.parts = []part{{title: sections()[0].title, figures: []figure{{name: "older"}}}, {title: sections()[1].title}}
	if err := errors.Join(before.write(file), table.write(file), table.write(file)); err != nil {
		t.Fatal(err)
	}
	if written, err = os.ReadFile(file); err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(written), note) != 1 {
		t.Errorf("the note below a table that was measured again is not there once:\n%s", written)
	}
	if older, newer := strings.Index(string(written), "| older |"), strings.Index(string(written), "| requests |"); older < 0 || newer < older {
		t.Errorf("a part that was not measured again is missing, or in another place:\n%s", written)
	}
	if n := strings.Count(string(written), "\n## "); n != 2 || strings.Contains(string(written), "\n\n\n") {
		t.Errorf("the document has %d parts, want 2, or too many empty lines:\n%q", n, written)
	}
	for _, want := range []string{"a fast one", sections()[1].title, "requests", "9 µs", "others 12 µs", "0.75 ×", "≤ 10 µs"} {
		if !strings.Contains(text.String(), want) || !strings.Contains(string(written), want) {
			t.Errorf("%q is missing in\n%s\nor in\n%s", want, text.String(), written)
		}
	}
}

func TestUnknownSectionIsRefused(t *testing.T) {
	if _, err := choose([]string{"engine", "warp"}); err == nil || !strings.Contains(err.Error(), `"warp"`) {
		t.Errorf("choose: %v, want an error that names the section", err)
	}
	chosen, err := choose([]string{"idle", "engine"})
	if err != nil || len(chosen) != 2 || chosen[0].name != "idle" {
		t.Errorf("choose(idle, engine): %v, %v", chosen, err)
	}
	for _, of := range []string{postgresSections, nodesSections} {
		for _, names := range [][]string{nil, {of}} {
			chosen, err := choose(names)
			if asked := slices.ContainsFunc(chosen, func(s section) bool { return s.name == of }); err != nil || asked != (names != nil) {
				t.Errorf("choose(%v): %v, %v", names, chosen, err)
			}
		}
	}
}

func TestQuantiles(t *testing.T) {
	hundred := make(latencies, 100)
	for i := range hundred {
		hundred[i] = time.Duration(100-i) * time.Millisecond
	}
	for share, want := range map[float64]time.Duration{0: 1, 0.5: 51, 0.99: 100, 1: 100} {
		if got := slices.Clone(hundred).at(share); got != want*time.Millisecond {
			t.Errorf("at(%v): %v, want %v ms", share, got, int(want))
		}
	}
	if got := (latencies)(nil).at(0.5); got != 0 {
		t.Errorf("at(0.5) of none: %v", got)
	}
}

func TestOthersAreWhoeverIsNotUs(t *testing.T) {
	before := load{all: time.Second, busy: time.Second, ours: time.Second}
	after := load{all: 5 * time.Second, busy: 4 * time.Second, ours: 2 * time.Second}
	if got := after.othersSince(before); got != 0.5 {
		t.Errorf("othersSince: %v, want 0.5", got)
	}
}

func TestNumbersReadWell(t *testing.T) {
	for got, want := range map[string]string{
		count(0): "0", count(999): "999", count(1000): "1,000", count(1234567): "1,234,567", count(-1234): "-1,234",
		micros(time.Second, 1000): "1,000 µs", micros(time.Second, 100_000): "10.0 µs",
		millis(1500 * time.Microsecond): "1.5 ms", millis(2500 * time.Millisecond): "2.5 s",
		percent(1, 4): "25 %", kilobytes(3000, 2): "1.50 KB",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
