// Package nats starts NATS servers for tests and measurements, each on a free port of the
// loopback interface. The server is built from the tools of this module.
//
// A server ends with the process that started it, however that ends: a watchdog waits on a
// pipe whose other end the process holds.
package nats

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
	"time"
)

// ErrMissing is wrapped in the error of Launch if the machine cannot build the server.
var ErrMissing = errors.New("no NATS server")

// Options say what is special about a server. The zero value is one that lets in everybody.
type Options struct {
	// Config is further text of the configuration file, such as an authorization block.
	Config string
}

// Server is a NATS server. Make it with Launch or Start. One goroutine at a time may stop
// and start it.
type Server struct {
	program string
	dir     string // holds "config" and "log"
	port    int

	process  *os.Process
	ended    chan struct{} // closed once process has ended
	lifeline io.Closer     // its watchdog kills it when this is closed
}

// Launch starts a server. Close ends it.
func Launch(o Options) (*Server, error) {
	program, err := build()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	dir, err := os.MkdirTemp("", "muster-nats-")
	if err != nil {
		return nil, err
	}
	s := &Server{program: program, dir: dir}
	if err := os.WriteFile(s.file("config"), []byte(o.Config), 0o600); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	// Another process may take a free port before the server does.
	for tries := 5; ; tries-- {
		if s.port, err = freePort(); err == nil {
			err = s.Restart()
		}
		if err == nil {
			return s, nil
		}
		if tries == 0 {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
	}
}

func (s *Server) file(name string) string { return filepath.Join(s.dir, name) }

// Close ends the server and removes what it has written. It may be stopped already.
func (s *Server) Close() error {
	return errors.Join(s.Kill(), os.RemoveAll(s.dir))
}

// Address returns host:port.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL returns the address as clients take it.
func (s *Server) URL() string { return "nats://" + s.Address() }

// Process is the running server, for tests that send it signals.
func (s *Server) Process() *os.Process { return s.process }

// Kill ends the server as kill -9 does, and returns when it is gone.
func (s *Server) Kill() error {
	if s.lifeline == nil {
		return nil
	}
	err := s.lifeline.Close()
	s.lifeline = nil
	<-s.ended
	return err
}

// Restart starts a server that was killed, on the port that it had. It returns when clients
// can connect.
func (s *Server) Restart() error {
	log, err := os.Create(s.file("log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(s.program, "-c", s.file("config"), "-a", "127.0.0.1", "-p", strconv.Itoa(s.port))
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	s.process, s.ended = cmd.Process, make(chan struct{})
	ended := s.ended
	go func() {
		defer close(ended)
		_ = cmd.Wait() // how it ended is in its log
	}()
	if err := s.watch(); err != nil {
		return errors.Join(err, s.process.Kill())
	}
	for !s.ready() {
		select {
		case <-ended:
			said, _ := os.ReadFile(log.Name())
			return errors.Join(fmt.Errorf("nats-server does not start: %s", said), s.Kill())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// watch starts the watchdog of the running server.
func (s *Server) watch() error {
	cmd := exec.Command("/bin/sh", "-c", `cat >/dev/null; kill -9 "$1" 2>/dev/null`, "sh", strconv.Itoa(s.process.Pid))
	lifeline, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.lifeline = lifeline
	go func() { _ = cmd.Wait() }() // it fails if the server was gone
	return nil
}

// ready reports whether the server greets its clients.
func (s *Server) ready() bool {
	conn, err := net.DialTimeout("tcp", s.Address(), time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	defer time.AfterFunc(time.Second, func() { conn.Close() }).Stop()
	greeting := make([]byte, 4)
	_, err = io.ReadFull(conn, greeting)
	return err == nil && string(greeting) == "INFO"
}

// build returns the path of the server's program, which the build cache keeps.
func build() (string, error) {
	module, err := run("", "go", "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return "", err
	}
	return run(module, "go", "tool", "-modfile=tools/go.mod", "-n", "nats-server")
}

// run returns what a program says when it runs in a folder.
func run(dir, program string, args ...string) (string, error) {
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", cmd, err, failed.Bytes())
	}
	return strings.TrimSpace(string(out)), nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
