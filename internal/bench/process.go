package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server under test.
type process struct {
	cmd  *exec.Cmd
	said bytes.Buffer  // its standard error; read it after ended
	done chan struct{} // closed when it has ended
	err  error         // how it ended, once done is closed
}

// start runs a program until stop.
func start(program string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(program, args...), done: make(chan struct{})}
	p.cmd.Stderr = &p.said
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
	}()
	return p, nil
}

// stopTime is what a server has to stop in before it is killed.
const stopTime = 20 * time.Second

// stop asks the process to end and waits until it has.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // one that has ended is fine
	select {
	case <-p.done:
	case <-time.After(stopTime):
		p.kill()
	}
}

// kill ends the process at once.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // one that has ended is fine
	<-p.done
}

// cpu is the processor time the process has used.
func (p *process) cpu() time.Duration { return timeOf(p.cmd.Process.Pid) }

// timeOf is the processor time that a process has used.
func timeOf(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, _ := strings.Cut(string(text), ") ") // after the name, which may contain anything
	fields := strings.Fields(after)
	if err != nil || len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64) // the kernel writes numbers
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * clockTick
}

// resident is the memory the process holds, in bytes.
func (p *process) resident() int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(fields[1]) // the kernel writes numbers
	return pages * os.Getpagesize()
}

// peak is the most memory the process ever held, in bytes.
func (p *process) peak() int {
	var kilobytes int
	if text, ok := procField(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid), "VmHWM"); ok {
		_, _ = fmt.Sscan(text, &kilobytes) // zero if that fails
	}
	return kilobytes << 10
}

// ready is the ready file that a server writes once it listens.
type ready struct {
	API   string `json:"api_url"`
	HTTPS string `json:"https_url"`
	MQTTS string `json:"mqtts_addr"`
	MQTT  string `json:"mqtt_addr"`
	ALPN  string `json:"alpn_addr"`
	Files string `json:"files_url"`

	Metrics string `json:"metrics_url"`
}

// server is a process of Muster that listens.
type server struct {
	*process
	ready
	folder string
	opened time.Duration // from its start until it listened
}

// startTime bounds the start of a server.
const startTime = 2 * time.Minute

// serve runs the binary under test on a data folder.
func (b *bench) serve(ctx context.Context, folder string, more ...string) (*server, error) {
	args := []string{"serve", "--data", folder, "--log-level", "error"}
	for _, listener := range []string{"--api", "--https", "--files", "--mqtts", "--mqtt-plain", "--metrics"} {
		args = append(args, listener, anyPort)
	}
	command := slices.Concat(b.before, []string{b.muster}, args, b.extra, more)
	s, err := startServer(ctx, folder, command[0], command[1:]...)
	if err == nil {
		s.settle()
	}
	return s, err
}

// settleTime bounds the wait for what a first start does in the background. For releases
// that do nothing there, all of it passes.
const settleTime = 5 * time.Second

// settle waits until a server has made its RSA keys, whose computing would count as that of
// what is measured.
func (s *server) settle() {
	for end := time.Now().Add(settleTime); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(s.folder, "server-rsa.pem")); err == nil {
			return
		}
	}
}

// anyPort is an address of the loopback interface with a free port.
const anyPort = "127.0.0.1:0"

// startServer starts a server that takes --ready-file, and waits for that.
func startServer(ctx context.Context, folder, program string, args ...string) (*server, error) {
	file := filepath.Join(folder, "bench-ready.json")
	_ = os.Remove(file) // of a server that was killed
	began := time.Now()
	p, err := start(program, append(args, "--ready-file", file)...)
	if err != nil {
		return nil, err
	}
	s := &server{process: p, folder: folder}
	for deadline := time.Now().Add(startTime); ; time.Sleep(time.Millisecond) {
		text, err := os.ReadFile(file)
		if err == nil {
			s.opened = time.Since(began)
			return s, json.Unmarshal(text, &s.ready)
		}
		select {
		case <-p.done:
			return nil, fmt.Errorf("%s ended: %w: %s", program, p.err, p.said.String())
		case <-ctx.Done():
			p.kill()
			return nil, ctx.Err()
		default:
		}
		if !errors.Is(err, os.ErrNotExist) || time.Now().After(deadline) {
			p.kill()
			return nil, fmt.Errorf("%s does not get ready: %w: %s", program, err, p.said.String())
		}
	}
}
