package unserved

import (
	"bytes"
	"os"
	"testing"
)

// docs/mqtt.md lists the topics that are answered here.
func TestTheManualHasEveryTopic(t *testing.T) {
	manual, err := os.ReadFile("../docs/mqtt.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range features {
		if !bytes.Contains(manual, []byte("`"+f.filter+"`")) || !bytes.Contains(manual, []byte("| "+f.feature+" |")) {
			t.Errorf("docs/mqtt.md lacks %s of %s", f.filter, f.feature)
		}
	}
}
