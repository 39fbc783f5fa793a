package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/internal/logtest"
	"github.com/muster-iot/muster/internal/needs"
	"github.com/muster-iot/muster/reserve"
)

func TestReserveSize(t *testing.T) {
	const disk = 100 << 30
	for text, want := range map[string]int64{"": reserve.Default, "2GiB": 2 << 30, "5%": 5 << 30, "0": 0, "16MiB": 16 << 20} {
		var r reserveSize
		if text != "" {
			if err := r.Set(text); err != nil {
				t.Errorf("Set(%q) = %v", text, err)
			}
		}
		if got, err := r.of(disk); err != nil || got != want {
			t.Errorf("%q is %d (%v) of 100 GiB, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"1KiB", "60%", "0%", "-1", "x%", "lots"} {
		if err := new(reserveSize).Set(text); err == nil {
			t.Errorf("Set(%q) = nil", text)
		}
	}
	large := reserveSize{}
	if err := large.Set("1GiB"); err != nil {
		t.Fatal(err)
	}
	if _, err := large.of(64 << 20); err == nil {
		t.Error("1GiB may be kept of a disk of 64 MiB")
	}
	if got, err := new(reserveSize).of(64 << 20); err != nil || got != 16<<20 {
		t.Errorf("%d are kept of a disk of 64 MiB (%v), want 16 MiB", got, err)
	}
}

const mib = 1 << 20

// smallDisk mounts a file system of 64 MiB in memory until the test ends.
func smallDisk(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		needs.Skip(t, "root", "only root can mount a file system")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", dir).CombinedOutput(); err != nil {
		needs.Skip(t, "root", fmt.Sprintf("no file system can be mounted: %v: %s", err, out))
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

// stuff fills a disk to its last byte; what it returns makes room again.
func stuff(t *testing.T, dir string) (empty func()) {
	t.Helper()
	name := filepath.Join(dir, "stuff")
	f, err := os.Create(name)
	for block := make([]byte, 64<<10); err == nil && len(block) > 0; {
		if _, err = f.Write(block); reserve.IsFull(err) {
			err, block = nil, block[:len(block)/2]
		}
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// attempt is a start of a server that may fail.
type attempt struct {
	*running // nil when it failed
	exited   chan error
	log      *logtest.Log
}

// endWithin is far more than a server needs to fail or to stop.
const endWithin = 30 * time.Second

// attemptServer starts a server and returns when it serves or has failed, which
// must not take long.
func attemptServer(t *testing.T, data string) attempt {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ready.json")
	cmd := exec.Command("muster", "serve", "--data", data, "--api", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--mqtts", "", "--https", "", "--files", "",
		"--mqtt-plain", "127.0.0.1:0", "--ready-file", file, "--log-level", "warn")
	a := attempt{exited: make(chan error, 1), log: &logtest.Log{}}
	cmd.Stderr = a.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	go func() { a.exited <- cmd.Wait() }()
	for deadline := time.Now().Add(endWithin); ; time.Sleep(5 * time.Millisecond) {
		select {
		case err := <-a.exited:
			a.exited <- err
			return a
		default:
		}
		if ready, err := datafolder.ReadReady(file); err == nil {
			c, err := clientOf(ready)
			if err != nil {
				t.Fatal(err)
			}
			a.running = &running{c, ready, cmd, a.log}
			return a
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server neither serves nor ends:\n%.2000s", a.log)
		}
	}
}

// ends waits for a server that was told to end, and returns how it did.
func (a attempt) ends(t *testing.T) error {
	t.Helper()
	select {
	case err := <-a.exited:
		a.exited <- err
		return err
	case <-time.After(endWithin):
		t.Fatalf("the server does not end:\n%.2000s", a.log)
		return nil
	}
}

// hasEnded reports whether a server is gone already.
func (a attempt) hasEnded() bool {
	select {
	case err := <-a.exited:
		a.exited <- err
		return true
	default:
		return false
	}
}

func (a attempt) kill9(t *testing.T) {
	t.Helper()
	_ = a.signal(t, syscall.SIGKILL) // "signal: killed", as ordered
}

func (a attempt) sigterm(t *testing.T) error {
	t.Helper()
	return a.signal(t, syscall.SIGTERM)
}

// signal tells a server to end and returns how it did, which may have been before.
func (a attempt) signal(t *testing.T, s syscall.Signal) error {
	t.Helper()
	if err := a.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	return a.ends(t)
}

// quiet fails the test when a server said much, or broke down in Go's words.
func (a attempt) quiet(t *testing.T) {
	t.Helper()
	text := a.log.String()
	if len(text) > 16<<10 || strings.Contains(text, "goroutine ") {
		t.Errorf("the server said %d bytes:\n%.4000s", len(text), text)
	}
}

func verifyFolder(t *testing.T, data string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), endWithin)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "muster", "admin", "verify", data).CombinedOutput(); err != nil {
		t.Fatalf("muster admin verify: %v\n%s", err, out)
	}
}

// wantRefusal fails the test unless err has all the words.
func wantRefusal(t *testing.T, what string, err error, words ...string) {
	t.Helper()
	for _, word := range words {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s = %v, want %q", what, err, word)
		}
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(endWithin); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// TestAFullDisk fills a small disk, first by what clients upload, then to its last
// byte from outside, and looks at what is served, refused and kept in each state,
// after SIGTERM, kill -9 and a start in it, and when there is room again.
func TestAFullDisk(t *testing.T) {
	disk := smallDisk(t)
	data := filepath.Join(disk, "data")
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var said sworn
	work := func(s attempt) (stop func()) { // devices and operators, until they are refused
		working, cancel := context.WithCancel(ctx)
		var clients sync.WaitGroup
		name := fmt.Sprint(time.Now().UnixNano())
		for worker := range 2 {
			clients.Go(func() { said.work(working, s.running, fmt.Sprintf("w%s-%d", name, worker), worker == 0) })
		}
		return func() { cancel(); clients.Wait() }
	}
	begin := func() attempt {
		t.Helper()
		s := attemptServer(t, data)
		if s.running == nil {
			t.Fatalf("the server does not start:\n%s", s.log)
		}
		return s
	}
	reads := func(s attempt) {
		t.Helper()
		said.check(t, s.Client)
		content, err := s.file(ctx, "GET", "/lab/0", nil)
		if err != nil || len(content) != mib {
			t.Errorf("a job file of %d bytes, %v", len(content), err)
		}
		if response, err := http.Get(s.ready.APIURL + "/readyz"); err != nil || response.StatusCode != http.StatusOK {
			t.Errorf("/readyz = %v, %v", response, err)
		}
	}

	report := func(s attempt, thing, job string) error {
		ctx, cancel := context.WithTimeout(ctx, endWithin)
		defer cancel()
		return said.report(ctx, s.running, execution{thing, job}, true)
	}

	s := begin()
	stop := work(s)
	time.Sleep(200 * time.Millisecond)
	stop()
	_, err := s.file(ctx, "PUT", "/lab", nil)
	must(err)
	must(s.CreateThing(ctx, "lamp"))
	must(s.CreateJob(ctx, "fw", fmt.Sprintf("arn:aws:iot:%s:%s:thing/lamp", s.ready.Region, s.ready.Account), `{"do":"flash"}`))

	// Low: clients upload what there is room for, and then smaller things.
	uploads := 0
	for err = nil; err == nil && uploads < 64; uploads++ {
		_, err = s.file(ctx, "PUT", fmt.Sprintf("/lab/%d", uploads), make([]byte, mib))
	}
	for _, size := range []int{64 << 10, 1} {
		last := error(nil)
		for i := 0; i < 100 && last == nil; i++ {
			_, last = s.file(ctx, "PUT", fmt.Sprintf("/lab/%dbytes%d", size, i), make([]byte, size))
		}
	}
	wantRefusal(t, "an upload too much", err, "507", "InsufficientStorage")
	if uploads < 20 || uploads > 50 {
		t.Errorf("%d uploads of 1 MiB went above a reserve of 16 MiB of 64", uploads)
	}
	things := 0
	eventually(t, "a thing is refused", func() bool {
		things++
		err = s.CreateThing(ctx, fmt.Sprintf("extra%d", things))
		return err != nil
	})
	wantRefusal(t, "create-thing on a low disk", err, "ServiceUnavailableException", "disk")
	reads(s)
	must(report(s, "lamp", "fw"))
	s.awaitMetric(t, `muster_disk_level{holds="data"}`, "1")
	s.quiet(t)
	s.kill9(t)
	verifyFolder(t, data)
	s = begin()
	reads(s)

	// Full: another process takes the rest, and then devices and operators come.
	must(s.removeFiles(ctx, 12, 30))
	eventually(t, "there is room again", func() bool { return s.CreateThing(ctx, "pump") == nil })
	must(s.CreateJob(ctx, "fw2", fmt.Sprintf("arn:aws:iot:%s:%s:thing/pump", s.ready.Region, s.ready.Account), `{"do":"flash"}`))
	empty := stuff(t, disk)
	s.awaitMetric(t, `muster_disk_level{holds="data"}`, "3")
	stop = work(s)
	time.Sleep(200 * time.Millisecond)
	stop()
	reads(s)
	wantRefusal(t, "a device's start-next on a full disk", s.Call(ctx, "PUT", "/things/pump/jobs/$next", object{}, nil), "ServiceUnavailableException", "disk")
	_, err = s.file(ctx, "DELETE", "/lab/1", nil)
	wantRefusal(t, "a deletion on a full disk", err, "507", "InsufficientStorage")
	empty()
	must(report(s, "pump", "fw2")) // the device asks again until there is room
	s.quiet(t)

	// Stopped, killed and started on a disk that fills up while devices are at work.
	// A server whose log finds no room in the middle of a write ends by itself and
	// says why; whether one does is a matter of chance.
	for _, end := range []string{"SIGTERM", "SIGKILL"} {
		publisher := waitingPublisher(t, s.ready.MQTTAddr)
		stop := work(s)
		empty := stuff(t, disk)
		time.Sleep(100 * time.Millisecond)
		publisher.Send(&packet.Publish{Topic: "room", QoS: 1, ID: 1, Payload: []byte("wait")})
		byItself := s.hasEnded()
		if end == "SIGTERM" {
			err := s.sigterm(t)
			if err != nil && !strings.Contains(s.log.String(), "full") {
				t.Errorf("stopped on a full disk: %v:\n%s", err, s.log)
			}
		} else {
			s.kill9(t)
		}
		if byItself && !strings.Contains(s.log.String(), "is full") {
			t.Errorf("the server ended by itself and does not say why:\n%s", s.log)
		}
		publisher.Close()
		stop()
		s.quiet(t)
		verifyFolder(t, data)
		s = attemptServer(t, data)
		if s.running != nil {
			reads(s)
			if err := s.sigterm(t); err != nil {
				t.Errorf("stopped after a start on a full disk: %v", err)
			}
		} else if exit, ok := errors.AsType[*exec.ExitError](s.ends(t)); !ok || exit.ExitCode() != 1 || !strings.Contains(s.log.String(), "is full") {
			t.Errorf("a start on a full disk ends with %v:\n%s", exit, s.log)
		}
		s.quiet(t)
		verifyFolder(t, data)
		empty()
		s = begin()
		reads(s)
	}
	if err := s.sigterm(t); err != nil {
		t.Errorf("stopped with room again: %v", err)
	}
}

// waitingPublisher is an MQTT client whose session is kept, and who subscribes to
// what it will publish.
func waitingPublisher(t *testing.T, address string) *mqtttest.Client {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	client := mqtttest.New(t, conn, packet.V311)
	client.Connect(packet.Connect{ClientID: "keeper"})
	client.Subscribe(1, "room")
	return client
}

// removeFiles deletes the numbered job files from from to below to.
func (s *running) removeFiles(ctx context.Context, from, to int) error {
	for i := from; i < to; i++ {
		if _, err := s.file(ctx, "DELETE", fmt.Sprintf("/lab/%d", i), nil); err != nil {
			return err
		}
	}
	return nil
}
