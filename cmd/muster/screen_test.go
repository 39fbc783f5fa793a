package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/muster-iot/muster/internal/apiclient"
	"github.com/muster-iot/muster/iotpolicy"
	"github.com/muster-iot/muster/operator"
)

var (
	colors    = regexp.MustCompile("\x1b\\[[0-9]*m")
	anInstant = operator.At(time.Date(2026, 11, 28, 8, 29, 22, 0, time.UTC))
)

// screens are what each command that prints tables prints, with long values.
func screens() map[string]func(screen) error {
	arn := "arn:aws:iam::000000000000:user/continuous-integration"
	node := operator.Node{Name: "node-1.factory.example", State: operator.NodeDrains, Host: "machine-17.factory.example", Version: "0.2.0-devel+0123456789ab.modified", Started: anInstant}
	letter := operator.DeadLetter{ID: "6f0d8a0e-0000-4000-8000-000000000000", EventType: "JOB_EXECUTION", Operation: "succeeded", Time: anInstant, GivenUp: anInstant, Attempts: 12, Why: "the receiver answered 500 Internal Server Error with \"no such table\" and a\tlong\x1b[2J text"}
	explanation := iotpolicy.Explanation{Principal: arn, Action: "iot:Publish", Resource: "arn:aws:iot:us-east-1:000000000000:topic/lamps/in/the/hall/of/the/north/1", Decision: "IMPLICIT_DENY",
		Missing: []string{"iot:Connection.Thing.ThingName"}, Policies: []iotpolicy.PolicyAnswer{{Name: "lamps-may-publish-and-subscribe", Version: "3", Decision: "IMPLICIT_DENY"}}}
	key := keyShown{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", Principal: arn, Made: anInstant, LastUsed: anInstant, LastUsedKnown: true, Expires: anInstant, rights: "full access"}
	return map[string]func(screen) error{
		"nodes":          func(s screen) error { return printNodes(s, operator.NodeList{Nodes: []operator.Node{node, node}}) },
		"dead letters":   func(s screen) error { return printLetters(s, []operator.DeadLetter{letter}) },
		"explain-policy": func(s screen) error { return printExplanation(s, explanation) },
		"keys":           func(s screen) error { return printKeys(s, []keyShown{key}) },
		"limits":         printLimits,
		"profiles": func(s screen) error {
			return printProfiles(s, []profileShown{{"firmware", "SHA256withECDSA", anInstant, "/var/lib/muster/signing/firmware/certificate.pem"}})
		},
		"board": func(s screen) error {
			b := newBoard(s, 1_000_000)
			b.show(apiclient.Job{JobProcessDetails: map[string]any{"numberOfQueuedThings": 400_000.0, "numberOfSucceededThings": 600_000.0}})
			return nil
		},
	}
}

// A terminal of 60 columns and more breaks no line, nothing that is printed is an order for it but colors, and what is
// shown is either all or says what is left out.
func TestScreensFitTerminals(t *testing.T) {
	for name, print := range screens() {
		for _, width := range []int{60, 80, 200} {
			t.Run(fmt.Sprint(name, "/", width), func(t *testing.T) {
				var page bytes.Buffer
				if err := print(screen{w: &page, width: width, live: true, color: true}); err != nil {
					t.Fatal(err)
				}
				text := colors.ReplaceAllString(strings.ReplaceAll(page.String(), "\x1b[2K", ""), "")
				for line := range strings.Lines(text) {
					line = strings.TrimSuffix(line, "\n")
					longest := 0 // an ARN or a name alone may be longer, and is wrapped by the terminal
					for word := range strings.FieldsSeq(line) {
						longest = max(longest, utf8.RuneCountInString(word))
					}
					if n := utf8.RuneCountInString(line); n > width && longest <= width-len("  on ") {
						t.Errorf("%d columns: %q", n, line)
					}
					if strings.ContainsRune(line, '\x1b') {
						t.Errorf("an order for the terminal: %q", line)
					}
				}
			})
		}
	}
}

// In a file nothing is wrapped, colored or left out.
func TestFilesGetAllOfATable(t *testing.T) {
	for name, print := range screens() {
		var page, wide bytes.Buffer
		if err := print(screen{w: &page}); err != nil {
			t.Fatal(err)
		}
		if err := print(screen{w: &wide, width: 10_000}); err != nil {
			t.Fatal(err)
		}
		if page.String() != wide.String() || strings.ContainsRune(page.String(), '\x1b') || page.Len() == 0 {
			t.Errorf("%s:\n%s\nwith much room:\n%s", name, page.String(), wide.String())
		}
	}
}

func TestTableLeavesOutAndWraps(t *testing.T) {
	columns := []column{{name: "name"}, {name: "host", aside: true}, {name: "made", aside: true}, {name: "why"}}
	rows := [][]string{{"a", "machine-17", "2026-11-28", "it was refused twice"}, {"a-very-long-name", "b", "c", ""}}
	for width, want := range map[int]string{
		0:  "name              host        made        why\na                 machine-17  2026-11-28  it was refused twice\na-very-long-name  b           c\n",
		55: "name              host        why\na                 machine-17  it was refused twice\na-very-long-name  b\n\nLeft out: made. A wider terminal or --json shows all.\n",
		30: "name            why\na               it was refused\n                twice\na-very-long-na\nme\n\nLeft out: host, made. A wider\nterminal or --json shows all.\n",
	} {
		var page bytes.Buffer
		if err := (screen{w: &page, width: width}).table(columns, rows); err != nil || page.String() != want {
			t.Errorf("%d columns: %v\n%s\nwant\n%s", width, err, page.String(), want)
		}
	}
}

// commandsWithoutJSON are those that print no data, with what they print.
var commandsWithoutJSON = map[string]string{
	"muster serve":                 "a log, whose form --log-format says",
	"muster demo":                  "a show",
	"muster fleet":                 "what its devices do, as a log",
	"muster env":                   "commands for a shell",
	"muster man":                   "man pages",
	"muster admin schema":          "statements for a database",
	"muster admin sign":            "what --form says, of which the first two forms are JSON",
	"muster completion bash":       "a script for a shell",
	"muster completion zsh":        "a script for a shell",
	"muster completion fish":       "a script for a shell",
	"muster completion powershell": "a script for a shell",
}

func TestEveryCommandThatPrintsDataHasJSON(t *testing.T) {
	without := []string{}
	for _, cmd := range everyCommand(rootCommand()) {
		if cmd.HasSubCommands() && !cmd.HasExample() || cmd.Name() == "help" || !cmd.HasParent() {
			continue // it only has other commands, or prints help
		}
		if cmd.Flags().Lookup("json") == nil {
			without = append(without, cmd.CommandPath())
		}
	}
	for _, path := range without {
		if commandsWithoutJSON[path] == "" {
			t.Errorf("%s has no --json; if it prints no data, say so in commandsWithoutJSON", path)
		}
	}
	for path := range commandsWithoutJSON {
		if !slices.Contains(without, path) {
			t.Errorf("commandsWithoutJSON has %s, which has --json or is gone", path)
		}
	}
}

// What names a server has all the ways to name one. serve has a server, and fleet needs one with plain MQTT beside it.
func TestEveryCommandThatCallsFindsTheServerAlike(t *testing.T) {
	found := 0
	for _, cmd := range everyCommand(rootCommand()) {
		if cmd.Flags().Lookup("ready-file") == nil || cmd.Name() == "serve" || cmd.Name() == "fleet" {
			continue
		}
		found++
		for _, name := range []string{"data", "endpoint-url", "profile", "region"} {
			if cmd.Flags().Lookup(name) == nil {
				t.Errorf("%s has no --%s", cmd.CommandPath(), name)
			}
		}
	}
	if found == 0 {
		t.Error("no command calls a server")
	}
}

func TestTwoWaysToNameAServerAreRefused(t *testing.T) {
	for _, args := range [][]string{{"--data", "d", "--ready-file", "f"}, {"--data", "d", "--profile", "p"}, {"--ready-file", "f", "--endpoint-url", "http://127.0.0.1"}, {"--data", "d", "--region", "r"}} {
		err := run(t.Context(), append([]string{"nodes"}, args...), t.Output(), t.Output())
		if usage := (*usageError)(nil); !errors.As(err, &usage) {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestJSONIsOneDocument(t *testing.T) {
	var page bytes.Buffer
	cmd := &cobra.Command{}
	cmd.SetOut(&page)
	data := map[string][]keyShown{"keys": {{AccessKeyID: "A", Principal: "<b>", Made: anInstant}}}
	if err := (output{json: true}).show(cmd, data, nil); err != nil {
		t.Fatal(err)
	}
	var read struct{ Keys []map[string]any }
	if err := json.Unmarshal(page.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	if k := read.Keys[0]; k["made"] != "2026-11-28T08:29:22.000Z" || k["principal"] != "<b>" || k["expires"] != nil || strings.Contains(page.String(), `\u`) {
		t.Error(page.String())
	}
}

// What is no terminal has no width and no colors, whatever the environment says.
func TestScreenOfFile(t *testing.T) {
	t.Setenv("COLUMNS", "60")
	t.Setenv("TERM", "xterm")
	f, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if s := screenOf(f); s != (screen{w: f}) {
		t.Errorf("%+v", s)
	}
}
