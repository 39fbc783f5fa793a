package postgres

import (
	"errors"
	"sync"
	"testing"

	"github.com/muster-iot/muster/internal/needs"
)

// Start starts a server that ends with the test. It skips the test, or fails it as package
// needs says, on a machine that has no PostgreSQL.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Launch(o)
	require(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("end of the PostgreSQL server: %v", err)
		}
	})
	return s
}

// process is the server of the process: to make one takes a second, which hundreds of tests
// should not spend each.
var process struct {
	once   sync.Once
	server *Server
	err    error
}

// Shared returns a server that all tests of the process share. It has no fsync and no
// password; nobody stops it. Each test makes databases of its own with Database.
func Shared(t testing.TB) *Server {
	t.Helper()
	process.once.Do(func() { process.server, process.err = Launch(Options{NoSync: true}) })
	require(t, process.err)
	return process.server
}

// Database makes an empty database and returns its URL. It is removed after the test, whose
// clean-up functions so far run later: connections that are open then are cut.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name, err := s.Create()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Drop(name) }) // a test may have stopped the server
	return s.URL(name)
}

func require(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, ErrMissing) {
		needs.Skip(t, "postgres", err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
}
