package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/device"
	"github.com/muster-iot/muster/internal/apiclient"
	"github.com/muster-iot/muster/internal/logtest"
	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/internal/teststore"
	"github.com/muster-iot/muster/operator"
)

var (
	crashRounds = flag.Int("crash.rounds", 4, "how often TestNothingAnsweredIsLost kills the server")
	crashSeed   = flag.Uint64("crash.seed", 0, "decides when; zero is a random one")
)

// TestNothingAnsweredIsLost kills a real server at random moments while
// operators and devices are at work, and looks for all that it had answered. On
// PostgreSQL it also kills the database, in the middle of every second round. The server
// must go on as soon as the database is there again.
func TestNothingAnsweredIsLost(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	seed := cmp.Or(*crashSeed, rand.Uint64())
	rng := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	var database *postgres.Server
	var where []string // flags
	if teststore.Postgres(t) {
		database = postgres.Start(t, postgres.Options{})
		where = []string{"--store", database.Database(t)}
	}
	var said sworn
	for round := range *crashRounds {
		s := startServer(t, data, where...)
		said.check(t, s.Client)
		if t.Failed() {
			s.kill(t)
			t.Fatalf("in round %d, after %d answers", round, said.answers)
		}
		stop := said.workers(t.Context(), s, fmt.Sprintf("r%d", round))
		time.Sleep(100*time.Millisecond + time.Duration(rng.Int64N(int64(400*time.Millisecond))))
		if database != nil && round%2 == 1 {
			stop = said.outage(t, s, database, stop, fmt.Sprintf("r%d-again", round))
		}
		s.kill(t)
		stop()
		if out, err := exec.Command("muster", append([]string{"admin", "verify", data}, where...)...).CombinedOutput(); err != nil {
			t.Fatalf("in round %d: muster admin verify: %v\n%s", round, err, out)
		}
	}
	s := startServer(t, data, where...)
	said.check(t, s.Client)
	s.kill(t)
	if said.answers < 10**crashRounds {
		t.Errorf("only %d answers in %d rounds; that proves little", said.answers, *crashRounds)
	}
	t.Logf("%d rounds, %d answers, %d executions, all found again", *crashRounds, said.answers, len(said.executions))
}

// outage kills the database of a server with clients at work, and starts it again. Then
// everything that was answered must be there, and other clients must get answers.
func (s *sworn) outage(t *testing.T, on *running, database *postgres.Server, stop func(), name string) (stopOthers func()) {
	t.Helper()
	if err := errors.Join(database.Kill(), database.Restart()); err != nil {
		t.Fatal(err)
	}
	stop()
	s.check(t, on.Client)
	before := s.count()
	stop = s.workers(t.Context(), on, name)
	for end := time.Now().Add(startTimeout); s.count() == before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the server answers nobody %v after its database was there again", startTimeout)
		}
	}
	return stop
}

// running is a server in a process of its own.
type running struct {
	*apiclient.Client
	ready datafolder.Ready
	cmd   *exec.Cmd
	log   *logtest.Log
}

func startServer(t *testing.T, data string, flags ...string) *running {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ready.json")
	cmd := exec.Command("muster", append([]string{
		"serve", "--data", data, "--api", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--mqtts", "", "--https", "", "--files", "", "--mqtt-plain", "127.0.0.1:0",
		"--ready-file", file, "--log-level", "warn",
	}, flags...)...)
	log := &logtest.Log{}
	cmd.Stderr = io.MultiWriter(t.Output(), log)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // in case the test ended early
	if err := awaitFile(file); err != nil {
		t.Fatal(err)
	}
	ready, err := datafolder.ReadReady(file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := clientOf(ready)
	if err != nil {
		t.Fatal(err)
	}
	return &running{c, ready, cmd, log}
}

// object is the body of a request.
type object = apiclient.Object

// advance moves the test clock on by a duration such as 90m.
func (s *running) advance(ctx context.Context, by string) error {
	_, err := operator.Client{API: s.Client}.MoveClock(ctx, operator.ClockOrder{Advance: by})
	return err
}

// kill is kill -9.
func (s *running) kill(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Wait() // "signal: killed", as ordered
}

// stop is SIGTERM, which ends it in order.
func (s *running) stop(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

// sworn is what the server has answered to its clients.
type sworn struct {
	mu         sync.Mutex
	answers    int
	executions map[execution]state
	fell       []string // versions that did not rise from one answer to the next
}

type execution struct{ thing, job string }

// state is the last answer about an execution.
type state struct {
	status  device.Status
	version int64
}

// note records an answer.
func (s *sworn) note(x execution, now state) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.executions == nil {
		s.executions = map[execution]state{}
	}
	s.answers++
	if last := s.executions[x]; now.version != 0 && now.version <= last.version {
		s.fell = append(s.fell, fmt.Sprintf("%s on %s was answered as version %d, and before as %d", x.job, x.thing, now.version, last.version))
	}
	s.executions[x] = now
}

func (s *sworn) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answers
}

// workers lets clients work until stop is called, or the server is gone.
func (s *sworn) workers(ctx context.Context, on *running, name string) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var clients sync.WaitGroup
	for worker := range 4 {
		clients.Go(func() { s.work(ctx, on, fmt.Sprintf("%s-w%d", name, worker), worker%2 == 0) })
	}
	return func() {
		cancel()
		clients.Wait()
	}
}

// work creates things and jobs and reports for their devices until ctx ends or
// the server is gone.
func (s *sworn) work(ctx context.Context, on *running, name string, overHTTP bool) {
	for i := 0; ctx.Err() == nil; i++ {
		x := execution{fmt.Sprintf("%s-lamp%d", name, i), fmt.Sprintf("%s-job%d", name, i)}
		if on.CreateThing(ctx, x.thing) != nil {
			return
		}
		s.note(x, state{})
		target := fmt.Sprintf("arn:aws:iot:%s:%s:thing/%s", on.ready.Region, on.ready.Account, x.thing)
		if on.CreateJob(ctx, x.job, target, `{"do":"flash"}`) != nil {
			return
		}
		s.note(x, state{device.Queued, 0}) // its execution may follow later
		if s.report(ctx, on, x, overHTTP) != nil {
			return
		}
	}
}

// report takes one execution to its end.
func (s *sworn) report(ctx context.Context, on *running, x execution, overHTTP bool) error {
	client, err := on.device(ctx, x.thing, overHTTP)
	if err != nil {
		return err
	}
	defer client.Close()
	j, err := client.Next(ctx)
	if err != nil {
		return err
	}
	s.note(x, state{device.InProgress, j.Version})
	for _, status := range []device.Status{device.InProgress, device.Succeeded} {
		told, err := client.Update(ctx, x.job, device.Update{Status: status, WithState: true})
		if err != nil {
			return err
		}
		if told.State == nil {
			return errors.New("no state in the answer")
		}
		s.note(x, state{status, told.State.Version})
	}
	return nil
}

func (s *running) device(ctx context.Context, thing string, overHTTP bool) (*device.Client, error) {
	if overHTTP {
		return device.NewHTTPS(device.HTTPSOptions{Endpoint: s.ready.APIURL, Thing: thing, Credential: &s.Credential, Region: s.Region})
	}
	return device.ConnectMQTT(ctx, device.MQTTOptions{Endpoint: "mqtt://" + s.ready.MQTTAddr, Thing: thing})
}

// check asks a server for everything that was answered.
func (s *sworn) check(t *testing.T, c *apiclient.Client) {
	t.Helper()
	for _, fell := range s.fell {
		t.Error(fell)
	}
	s.checkAudit(t, c)
	for x, last := range s.executions {
		if err := c.Call(t.Context(), http.MethodGet, "/things/"+x.thing, nil, nil); err != nil {
			t.Errorf("thing %s was answered for and is lost: %v", x.thing, err)
		}
		if last.status == "" {
			continue
		}
		if _, err := c.DescribeJob(t.Context(), x.job); err != nil {
			t.Errorf("job %s was answered for and is lost: %v", x.job, err)
		}
		if last.version == 0 {
			continue
		}
		var now struct {
			Execution struct {
				Status        device.Status
				VersionNumber int64
			}
		}
		err := c.Call(t.Context(), http.MethodGet, "/things/"+x.thing+"/jobs/"+x.job, nil, &now)
		e := now.Execution
		switch {
		case err != nil:
			t.Errorf("execution of %s on %s was answered as %s version %d and is lost: %v", x.job, x.thing, last.status, last.version, err)
		case e.VersionNumber < last.version || last.status == device.Succeeded && e.Status != device.Succeeded:
			t.Errorf("execution of %s on %s was answered as %s version %d and is %s version %d",
				x.job, x.thing, last.status, last.version, e.Status, e.VersionNumber)
		}
	}
}

// checkAudit looks for the record of each thing and job that was answered for, which is there once, and for what each record is of.
func (s *sworn) checkAudit(t *testing.T, c *apiclient.Client) {
	t.Helper()
	records := map[string]int{} // by operation and resource
	for token := ""; ; {
		var page operator.AuditPage
		if err := c.Call(t.Context(), http.MethodGet, operator.Prefix+"audit?maxResults=250"+token, nil, &page); err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Records {
			if r.Service == "s3" { // job files have checks of their own
				continue
			}
			if r.Outcome != audit.Done || len(r.Changes) == 0 || len(r.Resources) == 0 {
				t.Errorf("the record %+v is of no change that was made", r)
				continue
			}
			_, name, _ := strings.Cut(r.Resources[0], "/")
			records[r.Operation+" "+name]++
			path := map[string]string{"CreateThing": "/things/", "CreateJob": "/jobs/"}[r.Operation] + name
			if err := c.Call(t.Context(), http.MethodGet, path, nil, nil); err != nil {
				t.Errorf("there is a record of %s of %s, which is not there: %v", r.Operation, name, err)
			}
		}
		if page.Next == "" {
			break
		}
		token = "&nextToken=" + url.QueryEscape(page.Next)
	}
	for x, last := range s.executions {
		if n := records["CreateThing "+x.thing]; n != 1 {
			t.Errorf("thing %s was answered for and has %d records", x.thing, n)
		}
		if n := records["CreateJob "+x.job]; last.status != "" && n != 1 {
			t.Errorf("job %s was answered for and has %d records", x.job, n)
		}
	}
}
