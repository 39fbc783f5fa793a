package main

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/muster-iot/muster/awsiot/wire"
)

func TestThePageIsFresh(t *testing.T) {
	page, err := os.ReadFile("../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	results, err := os.ReadFile("../../conformance/paho/results.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != Page(Areas(), string(results)) {
		t.Error("docs/compatibility.md is out of date: run go generate ./awsiot")
	}
}

func TestTheSummaryInTheReadmeIsFresh(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("there is no README.md")
	}
	if err != nil {
		t.Fatal(err)
	}
	switch want, ok := Insert(string(readme), Summary(Areas())); {
	case !ok:
		t.Errorf("README.md has no place for the summary: the lines %s and %s", begin, end)
	case want != string(readme):
		t.Error("the summary in README.md is out of date: run go generate ./awsiot")
	}
}

func TestEveryOperationIsInOneArea(t *testing.T) {
	seen := map[*wire.Operation]string{}
	for _, a := range Areas() {
		for _, op := range a.Operations {
			if other, twice := seen[op]; twice {
				t.Errorf("%s is in %s and in %s", op.Name, other, a.Title)
			}
			seen[op] = a.Title
		}
	}
	if all := len(wire.Operations()); len(seen) != all {
		t.Errorf("the areas hold %d operations, want all %d", len(seen), all)
	}
}

func TestInsertKeepsWhatIsAround(t *testing.T) {
	got, ok := Insert("a\n"+begin+"\nold\n"+end+"\nb\n", "new\n")
	if want := "a\n" + begin + "\nnew\n" + end + "\nb\n"; got != want || !ok {
		t.Errorf("Insert = %q, %v, want %q", got, ok, want)
	}
	if _, ok := Insert("no markers", "new\n"); ok {
		t.Error("Insert into a text without markers succeeded")
	}
	if !strings.HasSuffix(Summary(Areas()), "|\n") {
		t.Error("the summary does not end its line")
	}
}
