package nodes_test

import (
	"fmt"
	"net/http"
	"time"

	"github.com/muster-iot/muster/device"
	"github.com/muster-iot/muster/internal/apiclient"
)

// faultsShown bounds how many faults of one kind are printed.
const faultsShown = 10

// judge compares what the nodes say with what was answered. It asks each execution of another node.
func (l *load) judge() {
	l.Helper()
	l.book.mu.Lock()
	defer l.book.mu.Unlock()
	var clients []*apiclient.Client
	for _, n := range l.nodes {
		clients = append(clients, n.api())
	}
	asked := 0
	next := func() *apiclient.Client { asked++; return clients[asked%len(clients)] }
	for job := range l.book.jobs {
		if _, err := next().DescribeJob(l.Context(), job); err != nil {
			l.book.fault("%s was created, and is lost: %v", job, err)
		}
	}
	for x, last := range l.book.executions {
		var now struct {
			Execution struct {
				Status        device.Status
				VersionNumber int64
			}
		}
		err := next().Call(l.Context(), http.MethodGet, fmt.Sprintf("/things/%s/jobs/%s?executionNumber=%d", x.thing, x.job, x.number), nil, &now)
		e := now.Execution
		switch {
		case err != nil:
			l.book.fault("%v was answered as %s, version %d, and is lost: %v", x, last.status, last.version, err)
		case last.ended && last.status != "" && (e.Status != last.status || e.VersionNumber != last.version), e.VersionNumber < last.version:
			l.book.fault("%v was answered as %s, version %d, and is %s, version %d", x, last.status, last.version, e.Status, e.VersionNumber)
		}
	}
	for i, fault := range l.book.faults {
		if i == faultsShown {
			l.Errorf("and %d more", len(l.book.faults)-i)
			break
		}
		l.Error(fault)
	}
	for _, e := range l.ears {
		e.judge(next())
	}
	if l.hook != nil {
		l.hook.judge(l.book.ends)
	}
}

// judge compares what the subscriber has heard last with what is so.
func (e *ear) judge(c *apiclient.Client) {
	e.load.Helper()
	d, err := device.NewHTTPS(device.HTTPSOptions{Endpoint: c.URL, Thing: e.thing, Credential: &c.Credential, Region: c.Region})
	if err != nil {
		e.load.Fatal(err)
	}
	defer d.Close()
	now, err := d.Head(e.load.Context())
	if err != nil {
		e.load.Error(err)
		return
	}
	want := none
	if now != nil {
		want = head{now.JobID, now.Number, now.Version}
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		got, faults := e.heard()
		for _, fault := range faults {
			e.load.Error(fault)
		}
		switch {
		case got == want:
			return
		case time.Now().After(end):
			e.load.Errorf("the subscriber of %s has heard last of %v, and it is %v", e.thing, got, want)
			return
		}
	}
}
