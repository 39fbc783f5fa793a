package awsiot

import (
	"net/http"
	"testing"
)

// Each operation has its own rate; calls above it are answered with a 400
// (arbitration A19).
func TestTooManyRequestsOfOneOperation(t *testing.T) {
	env := newEnvWith(t, Options{Rate: func(operation string) int {
		if operation == "ListThings" {
			return 2
		}
		return 0
	}})
	want := func(when, method, target string, status int, name string) {
		t.Helper()
		if got := env.send(method, target, ""); got.status != status || got.errorType() != name {
			t.Errorf("%s, %s %s = %d %s, want %d %s", when, method, target, got.status, got.errorType(), status, name)
		}
	}
	want("at first", "GET", "/things", http.StatusOK, "")
	want("the second of a second", "GET", "/things", http.StatusOK, "")
	want("the third", "GET", "/things", http.StatusBadRequest, "ThrottlingException")
	want("another operation", "GET", "/thing-groups", http.StatusOK, "")
	env.pass(500)
	want("half a second later", "GET", "/things", http.StatusOK, "")
	want("at once again", "GET", "/things", http.StatusBadRequest, "ThrottlingException")
}

// Of several equal processes each allows its part.
func TestARateIsDividedByProcesses(t *testing.T) {
	env := newEnvWith(t, Options{Rate: func(string) int { return 2 }})
	env.server.Divide(2)
	for i, want := range []int{http.StatusOK, http.StatusBadRequest} {
		if got := env.send("GET", "/things", ""); got.status != want {
			t.Errorf("request %d of a second = %d, want %d", i+1, got.status, want)
		}
	}
}
