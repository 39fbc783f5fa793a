package explain

import (
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/muster-iot/muster/internal/wiregen/model"
)

// words returns what a POSIX shell makes of a command.
func words(t *testing.T, command string) []string {
	t.Helper()
	out, err := exec.Command("sh", "-c", `printf '%s\0' `+command).Output()
	if err != nil {
		t.Fatalf("sh refuses %s: %v", command, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

func TestCommandsAreQuotedForAShell(t *testing.T) {
	for _, word := range []string{"pump-7", "a b", "", `it's "so"`, "$(rm -rf /)", "`x`", "a;b", "a\nb", "*", "~", "#", "!", "attributes.ring:canary", `\`, "ä", "'"} {
		var e Explanation
		e.help("try it", "aws", word, "end")
		if got := words(t, e.Help[0].Command); !slices.Equal(got, []string{"aws", word, "end"}) {
			t.Errorf("%q became %q: %s", word, got, e.Help[0].Command)
		}
	}
}

// Every command of the AWS CLI names an operation of the API's model, with members that it has, and all that it requires.
func TestCommandsAreOfTheAPI(t *testing.T) {
	api, err := model.Load(model.ControlPlane)
	if err != nil {
		t.Fatal(err)
	}
	operations := map[string]*model.Operation{}
	for name, o := range api.Operations {
		operations[kebab(name)] = o
	}
	seen := map[string]bool{}
	try := func(command string) {
		if seen[command] {
			return
		}
		seen[command] = true
		said := words(t, command)
		if said[0] == "muster" {
			return // a test of cmd/muster reads these
		}
		if len(said) < 3 || said[0] != "aws" || said[1] != "iot" || operations[said[2]] == nil {
			t.Errorf("no operation of the API: %s", command)
			return
		}
		input := api.Shapes[operations[said[2]].Input.Shape]
		members := map[string]string{"--force": ""}
		for name := range input.Members {
			members["--"+kebab(name)] = name
		}
		var given []string
		for _, word := range said[3:] {
			if name, ok := members[word]; ok {
				given = append(given, name)
			} else if strings.HasPrefix(word, "--") {
				t.Errorf("%s has no %s: %s", said[2], word, command)
			}
		}
		for _, name := range input.Required {
			if !slices.Contains(given, name) {
				t.Errorf("%s requires %s: %s", said[2], name, command)
			}
		}
	}
	for _, s := range situations {
		for _, h := range Explain(factsOf(s.of, s.with)).Help {
			try(h.Command)
		}
	}
	r := rand.New(rand.NewPCG(13, 3))
	for range 2_000 {
		for _, h := range Explain(generated(r)).Help {
			if strings.Contains(h.Command, "long-") {
				continue // it differs by the name only
			}
			try(h.Command)
		}
	}
	if len(seen) < 20 {
		t.Errorf("only %d commands were tried", len(seen))
	}
}

// kebab returns the word of the AWS CLI for a name of the API.
func kebab(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
