// Package needs skips tests on machines that cannot run them.
package needs

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// Variable is the environment variable that lists, separated by commas, what the
// machine must have, such as "root".
const Variable = "MUSTER_REQUIRE"

// Skip skips a test because the machine lacks something, or fails it if Variable
// says that the machine must have it.
func Skip(t testing.TB, what, why string) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv(Variable), ","), what) {
		t.Fatalf("%s=%s, but %s", Variable, os.Getenv(Variable), why)
	}
	t.Skipf("needs %s: %s", what, why)
}
