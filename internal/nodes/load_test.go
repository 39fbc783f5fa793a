package nodes_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster/device"
	"github.com/muster-iot/muster/internal/apiclient"
)

// load is a fleet of devices and an operator at work on a site.
type load struct {
	*site
	book   *book
	things []string
	group  string // ARN, of all things
	ears   []*ear
	jobs   atomic.Int64 // created so far
	quiet  atomic.Int64 // things without a device so far

	stopOperator, stopDevices context.CancelFunc
	operating, working        sync.WaitGroup
}

// Every tenth device asks over HTTP and is not notified; every tenth thing has subscribers beside its device.
const tenth = 10

// loaded makes so many things and puts a device on each, all behind the balancer.
func (s *site) loaded(devices int) *load {
	s.Helper()
	l := &load{site: s, book: newBook()}
	for i := range devices {
		l.things = append(l.things, fmt.Sprintf("thing%d", i))
	}
	l.register()
	working, stop := context.WithCancel(s.Context())
	l.stopDevices = stop
	for i, thing := range l.things {
		l.working.Go(func() { l.device(working, thing, i%tenth == 0) })
		if i%tenth == 1 {
			e := newEar(l, thing)
			l.ears = append(l.ears, e)
			l.working.Go(func() { e.listen(working) })
		}
	}
	operating, stop := context.WithCancel(s.Context())
	l.stopOperator = stop
	l.operating.Go(func() { l.operate(operating) })
	s.Cleanup(func() {
		l.stopOperator()
		l.stopDevices()
		l.operating.Wait()
		l.working.Wait()
	})
	s.await("devices work", time.Minute, func() bool { return l.book.count() > devices })
	return l
}

// register makes the things and their group.
func (l *load) register() {
	l.Helper()
	c := l.operator()
	ctx, cancel := context.WithTimeout(l.Context(), 2*time.Minute)
	defer cancel()
	group, err := c.CreateGroup(ctx, "fleet")
	if err != nil {
		l.Fatal(err)
	}
	l.group = group
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	for part := range slices.Chunk(l.things, (len(l.things)+7)/8) {
		all.Go(func() {
			for _, thing := range part {
				err := call(ctx, c, http.MethodPost, "/things/"+thing, apiclient.Object{}, nil)
				if err == nil {
					err = call(ctx, c, http.MethodPut, "/thing-groups/addThingToThingGroup", apiclient.Object{"thingGroupName": "fleet", "thingName": thing}, nil)
				}
				if err != nil {
					failed.Store(&err)
					return
				}
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		l.Fatal(*err)
	}
}

// device works on what its thing is given until ctx ends.
func (l *load) device(ctx context.Context, thing string, overHTTP bool) {
	var c *device.Client
	var err error
	if overHTTP {
		c, err = device.NewHTTPS(device.HTTPSOptions{
			Endpoint: "http://" + l.http.Address(), Thing: thing, Credential: &l.credential, Region: "us-east-1", Wait: 5 * time.Second,
			Client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}},
		})
	} else {
		c, err = device.ConnectMQTT(ctx, device.MQTTOptions{
			Endpoint: "mqtt://" + l.mqtt.Address(), Thing: thing, Timeout: 3 * time.Second, KeepAlive: 30 * time.Second,
			Backoff: func(int) time.Duration { return 100*time.Millisecond + rand.N(400*time.Millisecond) },
		})
	}
	if err != nil {
		if ctx.Err() == nil {
			l.Errorf("device of %s: %v", thing, err)
		}
		return
	}
	defer c.Close()
	for ctx.Err() == nil {
		asked := time.Now()
		j, err := c.Next(ctx)
		if err != nil {
			l.unexpected(ctx, thing, err)
			continue
		}
		if time.Since(asked) > time.Second { // it has waited, and asked last when there was something
			asked = time.Time{}
		}
		x := execution{thing, j.JobID, j.Number}
		l.book.given(x, j.Version, asked)
		l.work(ctx, c, x)
	}
}

// marks are in the details of reports, and so in what a node sends the database with their commit.
var marks = map[device.Status]string{device.InProgress: "mark-of-a-step", device.Succeeded: "mark-of-an-end", device.Failed: "mark-of-an-end"}

// work does one execution: a step, and an end, which now and then is a failure.
func (l *load) work(ctx context.Context, c *device.Client, x execution) {
	end := device.Succeeded
	if rand.N(20) == 0 {
		end = device.Failed
	}
	for _, status := range []device.Status{device.InProgress, end} {
		pause(ctx, rand.N(200*time.Millisecond))
		u, err := c.Update(ctx, x.job, device.Update{Status: status, Number: x.number, WithState: true, Report: device.Report{Details: map[string]string{"said": marks[status]}}})
		if refusal := (*device.Error)(nil); errors.As(err, &refusal) {
			l.book.over(x) // it was canceled, or its job deleted
			return
		}
		if err != nil {
			return // ctx has ended
		}
		l.book.reported(x, status, u.State.Version)
	}
}

// unexpected reports an error of a client, unless the scenario is over.
func (l *load) unexpected(ctx context.Context, who string, err error) {
	if ctx.Err() == nil {
		l.Errorf("%s: %v", who, err)
		pause(ctx, time.Second)
	}
}

// operate creates jobs, and now and then cancels or deletes one.
func (l *load) operate(ctx context.Context) {
	c := l.operator()
	for n := 0; ctx.Err() == nil; n++ {
		job := fmt.Sprintf("job%d", n)
		targets := []string{l.group}
		if n%5 > 0 {
			targets = nil
			for _, i := range rand.Perm(len(l.things))[:min(20, len(l.things))] {
				targets = append(targets, strings.Replace(l.group, "thinggroup/fleet", "thing/"+l.things[i], 1))
			}
		}
		body := apiclient.Object{"targets": targets, "document": `{"operation":"flash"}`}
		if n%3 == 0 {
			body["jobExecutionsRetryConfig"] = apiclient.Object{"criteriaList": []any{apiclient.Object{"failureType": "FAILED", "numberOfRetries": 2}}}
		}
		if err := l.change(ctx, c, http.MethodPut, "/jobs/"+job, body); err != nil {
			l.unexpected(ctx, "operator", err)
			continue
		}
		l.book.created(job)
		l.jobs.Add(1)
		pause(ctx, 300*time.Millisecond)
		if n%7 == 3 {
			switch err := l.change(ctx, c, http.MethodPut, "/jobs/"+job+"/cancel?force=true", apiclient.Object{}); {
			case err == nil:
				l.book.canceled(job)
			case !strings.Contains(err.Error(), "COMPLETED"): // the fleet was faster
				l.unexpected(ctx, "operator", err)
			}
		}
	}
}

// change is call for a change, of which an earlier attempt may have taken place without an answer.
func (l *load) change(ctx context.Context, c *apiclient.Client, method, path string, body any) error {
	err := call(ctx, c, method, path, body, nil)
	var said *apiclient.Error
	if errors.As(err, &said) && (said.Type == "ResourceAlreadyExistsException" || said.Type == "InvalidStateTransitionException" || said.Type == "InvalidRequestException" && strings.Contains(said.Message, "already")) {
		return nil
	}
	return err
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// rest ends the operator's work, has the devices finish theirs, and judges everything.
func (l *load) rest() {
	l.Helper()
	began := time.Now()
	l.stopOperator()
	l.operating.Wait()
	l.settle()
	c := l.nodes[0].api()
	l.await("all jobs have ended", 2*time.Minute, func() bool {
		var open struct{ Jobs []struct{ JobId string } }
		for _, status := range []string{"IN_PROGRESS", "SCHEDULED"} {
			if err := c.Call(l.Context(), http.MethodGet, "/jobs?status="+status, nil, &open); err != nil {
				l.Log(err)
				return false
			}
			if len(open.Jobs) > 0 {
				return false
			}
		}
		return true
	})
	l.judge()
	l.stopDevices()
	l.working.Wait()
	l.verify()
	l.Logf("%d jobs, %d answers, %d executions, judged in %v", l.jobs.Load(), l.book.count(), len(l.book.executions), time.Since(began).Round(time.Millisecond))
}
