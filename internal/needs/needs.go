// Package needs is for tests that not every machine can run.
package needs

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// Variable names the environment variable that lists, separated by commas, what
// a machine promises to have, such as "root".
const Variable = "MUSTER_REQUIRE"

// Skip ends a test for want of something: by skipping it, or as a failure when
// the machine promised to have it.
func Skip(t testing.TB, what, why string) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv(Variable), ","), what) {
		t.Fatalf("%s=%s, but %s", Variable, os.Getenv(Variable), why)
	}
	t.Skipf("needs %s: %s", what, why)
}
