package nodes_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/internal/apiclient"
	"github.com/muster-iot/muster/internal/logtest"
	"github.com/muster-iot/muster/internal/network"
	"github.com/muster-iot/muster/internal/postgres"
)

// node is one server process and what leads to it.
type node struct {
	site   *site
	number int
	data   string // folder
	flags  []string

	database *network.Link
	bus      *network.Link // nil: it is alone

	cmd   *exec.Cmd
	ended chan struct{}                    // closed when the process has ended
	ready atomic.Pointer[datafolder.Ready] // of the last start
	log   *logtest.Log

	skewed bool // it takes the time from functions of the schema skew
	well   atomic.Bool
}

// newNode makes a node with a copy of the secrets. It is not started.
func (s *site) newNode(number int) *node {
	s.Helper()
	n := &node{site: s, number: number, log: &logtest.Log{}}
	n.copySecrets()
	s.Cleanup(func() {
		if s.Failed() {
			s.Logf("node %d said:\n%s", n.number, n.said())
		}
	})
	n.database = s.link(strings.Split(strings.TrimPrefix(s.database.URL(s.name), "postgres://"), "@")[1])
	if s.bus != nil {
		bus := s.bus
		if s.bus2 != nil && number%2 == 1 {
			bus = s.bus2
		}
		n.bus = s.link(bus.Address() + "/")
		n.flags = []string{"--bus", "nats://" + n.bus.Address(), "--node", fmt.Sprintf("n%d", number)}
	}
	return n
}

// copySecrets gives the node a data folder with a copy of the secrets.
func (n *node) copySecrets() {
	s := n.site
	s.Helper()
	n.data = filepath.Join(s.TempDir(), fmt.Sprintf("node%d", n.number))
	if err := os.CopyFS(n.data, os.DirFS(s.secrets)); err != nil {
		s.Fatal(err)
	}
	err := filepath.WalkDir(n.data, func(path string, d os.DirEntry, err error) error { // CopyFS keeps no modes
		if err == nil && !d.IsDir() {
			err = os.Chmod(path, 0o600)
		}
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
}

// link opens a link to the server of an address, with a path after it.
func (s *site) link(address string) *network.Link {
	s.Helper()
	host, _, _ := strings.Cut(address, "/")
	l, err := network.NewLink(host)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(l.Close)
	return l
}

// start starts the process and waits until it serves.
func (n *node) start() {
	n.site.Helper()
	n.launch()
	file := n.readyFile()
	n.site.await(fmt.Sprintf("node %d serves", n.number), 90*time.Second, func() bool {
		select {
		case <-n.ended:
			n.site.Fatalf("node %d does not start:\n%s", n.number, n.log)
		default:
		}
		r, err := datafolder.ReadReady(file)
		if err == nil {
			n.ready.Store(&r)
		}
		return err == nil
	})
	r := n.ready.Load()
	n.site.mqtt.Move(n.number, r.MQTTAddr)
	n.site.mqtts.Move(n.number, r.MQTTSAddr)
	n.site.http.Move(n.number, strings.TrimPrefix(r.APIURL, "http://"))
	n.site.Logf("node %d is process %d", n.number, n.cmd.Process.Pid)
}

func (n *node) readyFile() string { return n.data + ".ready" }

// launch starts the process and waits for nothing.
func (n *node) launch() {
	n.site.Helper()
	_ = os.Remove(n.readyFile()) // a process that was killed has left it
	url := strings.Replace(n.site.database.URL(n.site.name), hostOf(n.site.database.URL(n.site.name)), n.database.Address(), 1)
	if n.skewed {
		separator := "?"
		if strings.Contains(url, "?") {
			separator = "&"
		}
		url += separator + "options=-csearch_path%3Dskew,pg_catalog,public"
	}
	n.cmd = exec.Command(n.site.program, append([]string{
		"serve", "--data", n.data, "--store", url, "--api", "127.0.0.1:0", "--mqtt-plain", "127.0.0.1:0", "--mqtts", "127.0.0.1:0", "--https", "",
		"--files", "", "--metrics", "127.0.0.1:0", "--ready-file", n.readyFile(), "--proxy-protocol", balancerAddress.String(), "--drain", "2s",
	}, slices.Concat(n.site.flags, n.flags)...)...)
	n.cmd.Stderr = n.log
	if err := n.cmd.Start(); err != nil {
		n.site.Fatal(err)
	}
	ended := make(chan struct{})
	n.ended = ended
	cmd := n.cmd
	go func() { _ = cmd.Wait(); close(ended) }()
	n.site.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = cmd.Process.Kill() // it may have ended
		<-ended
	})
}

// said returns the last lines of the log, without those of every request and connection.
func (n *node) said() string {
	lines := slices.DeleteFunc(n.log.Lines(), func(line string) bool {
		return strings.Contains(line, `level=INFO msg="connection ended"`) || strings.Contains(line, "level=INFO msg=request") || strings.Contains(line, `msg="device request"`)
	})
	return strings.Join(lines[max(0, len(lines)-60):], "\n")
}

// hostOf returns the host and the port in the URL of a database.
func hostOf(url string) string {
	host, _, _ := strings.Cut(url[strings.Index(url, "@")+1:], "/")
	return host
}

// signal sends the process a signal.
func (n *node) signal(s syscall.Signal) {
	n.site.Helper()
	if err := n.cmd.Process.Signal(s); err != nil {
		n.site.Fatalf("signal %v to node %d: %v", s, n.number, err)
	}
}

// startSkewed starts the process, for which alone the clock of the database is wrong, and waits until it has ended.
func (n *node) startSkewed(skew time.Duration) {
	n.site.Helper()
	_, err := n.site.database.Query(n.site.name, fmt.Sprintf(`
		CREATE SCHEMA IF NOT EXISTS skew; GRANT USAGE ON SCHEMA skew TO %s;
		CREATE OR REPLACE FUNCTION skew.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT pg_catalog.clock_timestamp() + interval '%d s' $$`, postgres.Role, int(skew.Seconds())))
	if err != nil {
		n.site.Fatal(err)
	}
	n.skewed = true
	n.launch()
	n.exited(30 * time.Second)
	n.skewed = false
}

// kill is kill -9.
func (n *node) kill() {
	n.site.Helper()
	n.signal(syscall.SIGKILL)
	<-n.ended
}

// strike is kill -9 without waiting.
func (n *node) strike() { _ = n.cmd.Process.Kill() } // it may have ended

// startIfEnded starts the process again if it has ended by itself.
func (n *node) startIfEnded() {
	n.site.Helper()
	select {
	case <-n.ended:
		n.start()
	case <-time.After(5 * time.Second):
	}
}

// endedWith checks the line with which the process has ended.
func (n *node) endedWith(words string) {
	n.site.Helper()
	if lines := n.log.With("muster: "); len(lines) != 1 || !strings.Contains(lines[0], words) {
		n.site.Errorf("node %d ended with %q, want one line with %q", n.number, lines, words)
	}
}

// exited waits until the process has ended by itself.
func (n *node) exited(within time.Duration) {
	n.site.Helper()
	select {
	case <-n.ended:
	case <-time.After(within):
		n.site.Errorf("node %d has not ended after %v", n.number, within)
		n.kill()
	}
}

// watch keeps well up to date, as a balancer does: by /readyz, ten times a second. When the node is unwell for two checks,
// the balancer drops its connections.
func (n *node) watch(ctx context.Context) {
	probe := http.Client{Timeout: 500 * time.Millisecond, Transport: &http.Transport{DisableKeepAlives: true}}
	for failed := 0; ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		answer, err := probe.Get(n.ready.Load().MetricsURL + "/readyz")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				err = fmt.Errorf("%s", answer.Status)
			}
		}
		if err == nil {
			failed = 0
			n.well.Store(true)
			continue
		}
		if failed++; failed == 2 {
			n.well.Store(false)
			for _, b := range []*network.Balancer{n.site.mqtt, n.site.mqtts, n.site.http} {
				b.Drop(n.number)
			}
		}
	}
}

// api returns a client of the node itself.
func (n *node) api() *apiclient.Client { return n.site.api(n.ready.Load().APIURL) }
