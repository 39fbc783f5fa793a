package main

import (
	"os"
	"testing"
)

func TestThePageIsFresh(t *testing.T) {
	got, err := os.ReadFile("../../docs/states.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != Page() {
		t.Error("docs/states.md is not what the state machines say; run go generate .")
	}
}
