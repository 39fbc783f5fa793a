package jobdoc

import (
	"errors"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
)

func TestCheck(t *testing.T) {
	for text, ok := range map[string]bool{
		`{}`: true, " \n{\"a\": 1}\n": true, `[]`: false, `"x"`: false, `{`: false, ``: false, "{\"a\":\"\xff\"}": false,
		`{"a":"` + strings.Repeat("x", 42) + `"}`: true,
		`{"a":"` + strings.Repeat("x", 43) + `"}`: false,
	} {
		if err := Check(text, 50); (err == nil) != ok {
			t.Errorf("Check(%q) = %v, want ok %v", text, err, ok)
		}
	}
}

func TestADocumentHasNoNameTwice(t *testing.T) {
	for _, text := range []string{`{"a":1,"a":2}`, `{"x":[{"run":"good","\u0072un":"bad"}]}`} {
		err := Check(text, 100)
		if e, ok := errors.AsType[*muster.Error](err); !ok || e.Kind != muster.Invalid || !strings.Contains(e.Msg, "twice") {
			t.Errorf("Check(%s) = %v, want Invalid", text, err)
		}
	}
}
