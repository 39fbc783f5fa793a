package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/sigv4"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/storetest"
)

// site is the whole of a deployment in one bubble: the disk, the process on it,
// the network, the devices, the operators, and what they remember.
type site struct {
	t     *testing.T
	seed  uint64
	fault stackFault // what is wrong with the service
	rng   *rand.Rand // for crashes
	log   *slog.Logger

	platter platter
	process *process
	wire    *tripwire
	network network
	tripped chan string // by what became of the platter
	outage  *database   // what is killed at the next crash, in place of the process
	crashes int

	mu     sync.Mutex // guards what follows
	orders map[string]*campaign
	acks   map[claim]ack
	tail   []string // what happened last
	found  []string // what is wrong
	told   []string // the tail when the first of it was found
}

// campaign is a job as its operator remembers it.
type campaign struct {
	id       string
	document string
	canceled bool // and that was acknowledged
	doomed   bool // its deletion was asked for
	deleted  bool // and that was acknowledged
}

// claim names an execution of a thing.
type claim struct {
	thing, job string
	number     int64
}

// ack is the last report of a device that was acknowledged.
type ack struct {
	status muster.Status
	step   int // in statusDetails
}

func (s *site) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tail) == *simTail {
		s.tail = s.tail[1:]
	}
	s.tail = append(s.tail, time.Now().UTC().Format("02 15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// fail records what is wrong. The first failure is reported with the history
// before it.
func (s *site) fail(format string, args ...any) {
	what := time.Now().UTC().Format("02 15:04:05.000 ") + fmt.Sprintf(format, args...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.found = append(s.found, what); len(s.found) == 1 {
		s.told = slices.Clone(s.tail)
	}
}

// wrong returns what is wrong, or nothing.
func (s *site) wrong() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.found
}

// report fails the test if anything is wrong.
func (s *site) report() {
	s.t.Helper()
	if found := s.wrong(); len(found) > 0 {
		s.t.Errorf("%s\nthe history before the first of it:\n  %s\nplay it again (it may go another way): go test ./internal/sim -run TestFullStack -sim.seed=%d",
			strings.Join(found, "\n"), strings.Join(s.told, "\n  "), s.seed)
	}
}

// start brings a process up on what is on the platter, and reports whether it came
// up.
func (s *site) start() bool {
	on, err := s.platter.open(s.t)
	if err != nil {
		s.fail("open after %d crashes: %v", s.crashes, err)
		return false
	}
	p, err := startProcess(on, func(inner store.Store) store.Store {
		s.wire = &tripwire{Store: inner, trip: s.pull}
		return faultyStore{s.mood(s.wire), &s.fault.fault}
	}, s.log)
	if err != nil {
		s.fail("start after %d crashes: %v", s.crashes, err)
		return false
	}
	s.process = p
	s.network.attach(p)
	return true
}

// mood returns a store for one process: as it is, or running every transaction
// twice, or slow at every point.
func (s *site) mood(inner store.Store) store.Store {
	switch s.rng.IntN(3) {
	case 0:
		return storetest.Twice(inner)
	case 1:
		return storetest.Late(inner, storetest.AnyTime(s.rng.Uint64(), 20*time.Millisecond))
	}
	return inner
}

// end stops the process.
func (s *site) end() {
	if err := s.process.end(); err != nil {
		s.fail("the process after %d crashes: %v", s.crashes, err)
	}
	s.process = nil
}

// pull cuts the network, and then the power: what the process does from now on is
// not sent. In an outage only the database goes.
func (s *site) pull() {
	if s.outage != nil {
		s.outage.kill()
		s.tripped <- "the process stays"
		return
	}
	s.network.cut()
	s.tripped <- s.platter.pull(s.rng)
}

// outageMax is for how long the database may be away.
const outageMax = 3 * time.Minute

// crash ends the process within n transactions, or within a minute, and brings
// another up after a while. On a database, about every second crash is an outage.
func (s *site) crash(n int) {
	s.outage = nil
	if d, ok := s.platter.(*database); ok && s.rng.IntN(2) == 0 {
		s.outage = d
	}
	s.wire.set(n)
	var how string
	select {
	case how = <-s.tripped:
	case <-time.After(time.Minute):
		s.wire.set(0)
		select {
		case how = <-s.tripped: // at the last moment
		default:
			s.pull()
			how = <-s.tripped
		}
	}
	s.crashes++
	s.say("CRASH %d: %s", s.crashes, how)
	if s.outage != nil {
		time.Sleep(time.Duration(s.rng.Int64N(int64(outageMax))))
		s.outage.restart()
		s.remembered()
		return
	}
	s.end()
	time.Sleep(time.Duration(s.rng.Int64N(int64(20 * time.Minute))))
	if s.start() {
		s.remembered()
	}
}

// acknowledged records a report of a device that was acknowledged.
func (s *site) acknowledged(c claim, a ack) {
	s.mu.Lock()
	old := s.acks[c]
	s.acks[c] = a
	s.mu.Unlock()
	if old.status.Terminal() {
		s.fail("%v was told %v after %v", c, a, old)
	}
}

// remembered compares what was acknowledged to devices and operators with what the
// service has: nothing may be lost.
func (s *site) remembered() {
	ctx := context.Background()
	s.mu.Lock()
	acks, orders := maps.Clone(s.acks), map[string]campaign{}
	for id, o := range s.orders {
		orders[id] = *o
	}
	s.mu.Unlock()
	for c, a := range acks {
		number := c.number
		x, err := s.process.service.Jobs.ShowExecution(ctx, muster.ThingName(c.thing), muster.JobID(c.job), &number)
		if err != nil {
			if !orders[c.job].doomed {
				s.fail("ShowExecution(%v) = %v, and %v was acknowledged", c, err, a)
			}
			continue
		}
		step := 0
		_, _ = fmt.Sscan(x.Details["step"], &step)
		if a.status.Terminal() && x.Status != a.status || !x.Status.Terminal() && step < a.step {
			s.fail("%v is %+v, and %v was acknowledged", c, x, a)
		}
	}
	for id, o := range orders {
		d, err := s.process.service.Jobs.DescribeJob(ctx, muster.JobID(id))
		switch {
		case o.deleted:
			if err == nil && d.Status != muster.JobDeleting {
				s.fail("job %s is %s after its deletion was acknowledged", id, d.Status)
			}
		case err != nil && !o.doomed:
			s.fail("job %s was acknowledged: %v", id, err)
		case err == nil && !o.doomed && o.canceled && d.Status != muster.JobCanceled:
			s.fail("job %s is %s after its cancellation was acknowledged", id, d.Status)
		}
	}
}

// request sends a signed request to the control plane. Status 0 means that there
// was no answer.
func (s *site) request(client *http.Client, method, path string, in any) (status int, body string) {
	var payload []byte
	if in != nil {
		payload, _ = json.Marshal(in)
	}
	r, err := http.NewRequest(method, "http://muster.test"+path, bytes.NewReader(payload))
	if err != nil {
		s.fail("%s %s: %v", method, path, err)
		return 0, ""
	}
	sigv4.Sign(r, payload, key, account.Region, "iot", time.Now())
	resp, err := client.Do(r)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, ""
	}
	return resp.StatusCode, string(answer)
}

// client returns a client of the HTTP listener.
func (s *site) client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: s.network.dialHTTP, DisableKeepAlives: true}}
}

// patience is for how many minutes a caller retries.
const patience = 24 * 60

// insist retries until there is an answer, which must be a success.
func (s *site) insist(client *http.Client, method, path string, in any) string {
	for range patience {
		status, body := s.request(client, method, path, in)
		switch {
		case status == http.StatusOK:
			return body
		case status != 0 && status < 500:
			s.fail("%s %s = %d %s", method, path, status, body)
			return ""
		}
		time.Sleep(time.Minute)
	}
	s.fail("%s %s is never answered", method, path)
	return ""
}
