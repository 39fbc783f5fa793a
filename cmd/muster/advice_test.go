package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The commands of this program that explanations give are such that it has, with arguments that it takes.
func TestExplanationsAdviseCommandsThatThereAre(t *testing.T) {
	situations, err := os.ReadFile("../../explain/testdata/situations.txt")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, found := range regexp.MustCompile(`(?m)^ +\$ muster (.*?)  # `).FindAllStringSubmatch(string(situations), -1) {
		command := found[1]
		if seen[command] {
			continue
		}
		seen[command] = true
		cmd, rest, err := rootCommand().Find(strings.Fields(command))
		if err != nil || !cmd.Runnable() {
			t.Errorf("there is no command muster %s: %v", command, err)
			continue
		}
		if err := cmd.ParseFlags(rest); err != nil {
			t.Errorf("muster %s: %v", command, err)
		} else if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
			t.Errorf("muster %s: %v", command, err)
		}
	}
	if len(seen) < 2 {
		t.Errorf("only %d commands were found", len(seen))
	}
}
