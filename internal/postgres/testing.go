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
	Begin()
	require(t, process.err)
	return process.server
}

// Begin starts the server that Shared returns. A program calls it before its tests if some
// of them ask for that server in a bubble of package synctest, which would have to wait for
// the end of what is started in it.
func Begin() {
	process.once.Do(func() { process.server, process.err = Launch(Options{NoSync: true}) })
}

// Database returns the URL of an empty database, for one test. After the test, the
// connections that are left are cut and all that Role owns is removed, so that another test
// can have the database: to make one takes ten times as long. A test that changes a database
// otherwise makes its own with Create.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name, err := s.take()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, err := s.Query(name, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
			DROP OWNED BY `+Role+` CASCADE`)
		if err == nil { // or else the test has stopped the server
			s.give(name)
		}
	})
	return s.URL(name)
}

// take returns an empty database, one that was used before if there is one.
func (s *Server) take() (string, error) {
	s.mu.Lock()
	if n := len(s.emptied); n > 0 {
		name := s.emptied[n-1]
		s.emptied = s.emptied[:n-1]
		s.mu.Unlock()
		return name, nil
	}
	s.mu.Unlock()
	return s.Create()
}

func (s *Server) give(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.emptied = append(s.emptied, name)
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
