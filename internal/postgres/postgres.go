// Package postgres starts PostgreSQL servers for tests and measurements, each in a
// temporary folder of its own, on a free port of the loopback interface.
//
// A server ends with the process that started it, however that ends: a watchdog waits on a
// pipe whose other end the process holds, stops the server when the pipe is closed, and
// removes the folder.
package postgres

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Role is the role that owns the databases. It may not do more than an ordinary role.
const Role = "muster"

// ErrMissing is wrapped in the error of Launch if the machine has no PostgreSQL of version
// 14 or later, or cannot run it.
var ErrMissing = errors.New("no PostgreSQL")

// Options say what is special about a server. The zero value is one that keeps what it has
// committed, and asks for no password.
type Options struct {
	// NoSync leaves out every fsync. What was committed survives Stop and Kill, but not the
	// end of the machine, so tests that judge the store's answers may use it.
	NoSync bool

	// Password is asked of whoever connects over TCP, with SCRAM. Empty asks for none.
	Password string

	// Settings are further parameters of the server, such as "max_connections=10".
	Settings []string
}

// Shutdown is how Stop ends a server.
type Shutdown int

// The ways in which PostgreSQL shuts down.
const (
	Smart     Shutdown = iota // when the last client is gone
	Fast                      // transactions are rolled back and connections closed
	Immediate                 // as in a crash: the next start recovers from the log
)

// Server is a PostgreSQL server. Make it with Launch, Start or Shared. One goroutine at a
// time may stop and start it; everything else may be called at any time.
type Server struct {
	options  Options
	bin      string // the folder of the server's programs
	dir      string // holds "data", "log" and the socket
	port     int
	user     account
	watchdog *exec.Cmd
	lifeline io.Closer // the watchdog acts when it is closed

	process  *os.Process
	ended    chan struct{} // closed once process has ended
	database atomic.Int64  // numbers the databases

	mu      sync.Mutex
	emptied []string // databases that tests have used before
}

// Launch starts a server. Close ends it.
func Launch(o Options) (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	user, err := runAs()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	dir, err := os.MkdirTemp("", "muster-postgres-")
	if err != nil {
		return nil, err
	}
	s := &Server{options: o, bin: bin, dir: dir, user: user}
	if err := s.watch(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.initialize(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Follow starts a standby of a server, made of a copy. The server answers a commit from then on when the
// standby has it too. Promote makes a server of its own of the standby.
func (s *Server) Follow() (*Server, error) {
	dir, err := os.MkdirTemp("", "muster-postgres-")
	if err != nil {
		return nil, err
	}
	standby := &Server{options: s.options, bin: s.bin, dir: dir, user: s.user}
	if err := standby.watch(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := standby.copyOf(s); err != nil {
		return nil, errors.Join(err, standby.Close())
	}
	for _, change := range []string{"ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"} {
		if _, err := s.Query("postgres", change); err != nil {
			return nil, errors.Join(err, standby.Close())
		}
	}
	return standby, nil
}

// copyOf makes s a standby of a server and starts it.
func (s *Server) copyOf(of *Server) error {
	cmd := exec.Command(s.Program("pg_basebackup"), "-h", of.dir, "-p", strconv.Itoa(of.port), "-U", "postgres", "-D", filepath.Join(s.dir, "data"), "-R", "-c", "fast")
	s.user.run(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pg_basebackup: %w: %s", err, out)
	}
	return s.open()
}

// Promote makes a server of its own of a standby, and returns when it can be written.
func (s *Server) Promote() error {
	_, err := s.Query("postgres", "SELECT pg_promote()")
	return err
}

// Close ends the server and removes all that it has. The server may be stopped already.
func (s *Server) Close() error {
	return errors.Join(s.lifeline.Close(), s.watchdog.Wait())
}

// URL returns the postgres:// URL under which Role reaches a database of the server. It
// holds no password.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", Role, s.port, database)
}

// Create makes an empty database that belongs to Role, and returns its name.
func (s *Server) Create() (string, error) {
	name := fmt.Sprintf("muster_%d", s.database.Add(1))
	_, err := s.Query("postgres", fmt.Sprintf("CREATE DATABASE %s OWNER %s", name, Role))
	return name, err
}

// Drop removes a database, with the connections to it.
func (s *Server) Drop(name string) error {
	_, err := s.Query("postgres", fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", name))
	return err
}

// Query runs statements as the superuser, in one transaction, and returns the rows as
// lines, with "|" between the columns.
func (s *Server) Query(database, statements string) (string, error) {
	cmd := exec.Command(filepath.Join(s.bin, "psql"), "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1",
		"-h", s.dir, "-p", strconv.Itoa(s.port), "-U", "postgres", "-d", database, "-c", statements)
	cmd.Env = environment()
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", statements, err, failed.Bytes())
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}

// Program returns the path of one of the programs that belong to the server, such as pg_dump.
func (s *Server) Program(name string) string { return filepath.Join(s.bin, name) }

// Stop shuts the server down and returns when it has ended.
func (s *Server) Stop(how Shutdown) error {
	signal := map[Shutdown]syscall.Signal{Smart: syscall.SIGTERM, Fast: syscall.SIGINT, Immediate: syscall.SIGQUIT}[how]
	if err := s.process.Signal(signal); err != nil {
		return err
	}
	<-s.ended
	return nil
}

// Kill ends the server and all its processes as kill -9 does, and returns when they are gone.
func (s *Server) Kill() error {
	if err := killAll(s.process); err != nil {
		return err
	}
	<-s.ended
	return nil
}

// Restart starts a server that was stopped or killed, on the port that it had. It returns
// when clients can connect, hence after the server has recovered.
func (s *Server) Restart() error { return s.start() }

// Standby restarts a server that was stopped or killed as a hot standby, which can only be
// read.
func (s *Server) Standby() error {
	signal := filepath.Join(s.dir, "data", "standby.signal")
	if err := s.write(signal, ""); err != nil {
		return err
	}
	return s.start()
}

// watch starts the watchdog. It runs as the server's user, so it can stop nothing else.
func (s *Server) watch() error {
	if err := s.user.own(s.dir); err != nil {
		return err
	}
	s.watchdog = exec.Command("/bin/sh", "-c",
		`cat >/dev/null; "$1" stop -s -m immediate -D "$2/data" >/dev/null 2>&1; rm -rf "$2"`, "sh", s.Program("pg_ctl"), s.dir)
	s.user.run(s.watchdog)
	lifeline, err := s.watchdog.StdinPipe()
	if err != nil {
		return err
	}
	s.lifeline = lifeline
	return s.watchdog.Start()
}

func (s *Server) initialize() error {
	data := filepath.Join(s.dir, "data")
	initdb := func(locale ...string) error {
		cmd := exec.Command(s.Program("initdb"), append([]string{"-D", data, "-N", "-A", "trust", "-U", "postgres", "-E", "UTF8"}, locale...)...)
		s.user.run(cmd)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("initdb: %w: %s", err, out)
		}
		return nil
	}
	// Operators' databases sort as their language does, so ours should, where PostgreSQL can
	// do so by itself: from version 15 on, and built with ICU.
	if err := initdb("--locale=C", "--locale-provider=icu", "--icu-locale=en-US"); err != nil {
		if err := initdb("--locale=C"); err != nil {
			return err
		}
	}
	method := "trust"
	if s.options.Password != "" {
		method = "scram-sha-256"
	}
	access := "local all postgres trust\nlocal replication postgres trust\nhost all all 127.0.0.1/32 " + method + "\n"
	if err := s.write(filepath.Join(data, "pg_hba.conf"), access); err != nil {
		return err
	}
	if err := s.open(); err != nil {
		return err
	}
	role := "CREATE ROLE " + Role + " LOGIN"
	if s.options.Password != "" {
		role += " PASSWORD '" + strings.ReplaceAll(s.options.Password, "'", "''") + "'"
	}
	_, err := s.Query("postgres", role)
	return err
}

// open starts the server on a free port. Another process may take that before the server does.
func (s *Server) open() error {
	for tries := 5; ; tries-- {
		port, err := freePort()
		if err != nil {
			return err
		}
		s.port = port
		if err = s.start(); err == nil || tries == 0 || !strings.Contains(err.Error(), "could not create any TCP/IP sockets") {
			return err
		}
	}
}

func (s *Server) start() error {
	args := []string{"-D", filepath.Join(s.dir, "data"), "-p", strconv.Itoa(s.port)}
	for _, setting := range append([]string{
		"listen_addresses=127.0.0.1", "unix_socket_directories=" + s.dir,
		"max_connections=200", "shared_buffers=64MB", "fsync=" + map[bool]string{false: "on", true: "off"}[s.options.NoSync],
	}, s.options.Settings...) {
		args = append(args, "-c", setting)
	}
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(s.Program("postgres"), args...)
	cmd.Stdout, cmd.Stderr = log, log
	s.user.run(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	s.process, s.ended = cmd.Process, make(chan struct{})
	ended := s.ended
	go func() {
		defer close(ended)
		_ = cmd.Wait() // how it ended is in its log
	}()
	for !s.ready() {
		select {
		case <-ended:
			said, _ := os.ReadFile(log.Name())
			return fmt.Errorf("postgres does not start: %s", said)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// ready reports whether the server says in its file that clients can connect.
func (s *Server) ready() bool {
	said, err := os.ReadFile(filepath.Join(s.dir, "data", "postmaster.pid"))
	lines := strings.Split(string(said), "\n")
	return err == nil && len(lines) > 7 && lines[0] == strconv.Itoa(s.process.Pid) && strings.TrimSpace(lines[7]) == "ready"
}

// write writes a file that the server can read.
func (s *Server) write(name, text string) error {
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		return err
	}
	return s.user.own(name)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// programs returns the folder of the newest PostgreSQL that the machine has: the one on the
// path, or else one of those that Debian keeps beside each other.
func programs() (string, error) {
	if path, err := exec.LookPath("postgres"); err == nil {
		path, err = filepath.EvalSymlinks(path) // the other programs may have no link beside it
		return filepath.Dir(path), err
	}
	newest, found := 13, ""
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", err
	}
	for _, path := range dirs {
		bin := filepath.Dir(path)
		if version, err := strconv.Atoi(filepath.Base(filepath.Dir(bin))); err == nil && version > newest {
			newest, found = version, bin
		}
	}
	if found == "" {
		return "", errors.New("neither the path nor /usr/lib/postgresql has one of version 14 or later")
	}
	return found, nil
}

// environment is what the programs get of the environment: nothing that would aim them at
// another server.
func environment() []string { return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"} }
