package nodes_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster/device"
	"github.com/muster-iot/muster/internal/apiclient"
)

// In these scenarios two nodes do at the same time what one alone does one after the other.

// must ends the scenario if a call fails.
func (s *site) must(c *apiclient.Client, method, path string, body, answer any) {
	s.Helper()
	if err := call(s.Context(), c, method, path, body, answer); err != nil {
		s.Fatalf("%s %s: %v", method, path, err)
	}
}

// at returns a device of a thing that asks a node over HTTP.
func (s *site) at(n *node, thing string) *device.Client {
	s.Helper()
	c, err := device.NewHTTPS(device.HTTPSOptions{Endpoint: n.ready.Load().APIURL, Thing: thing, Credential: &s.credential, Region: "us-east-1", Client: n.api().HTTP})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { c.Close() })
	return c
}

// arn returns the ARN of a thing or a thing group.
func arn(kind, name string) string { return "arn:aws:iot:us-east-1:000000000000:" + kind + "/" + name }

// pairs plays rounds with pairs of things, several at a time: a job for both, whose ends come to two nodes at once. judge gets the
// job after both were answered.
func (l *load) pairs(name string, rounds int, end device.Status, config apiclient.Object, others int, judge func(j apiclient.Job) bool) {
	l.Helper()
	const atOnce = 8
	var wrong atomic.Int64
	var all sync.WaitGroup
	for k := range atOnce {
		all.Go(func() {
			a, b, c := l.nodes[k%3], l.nodes[(k+1)%3], l.nodes[(k+2)%3].api()
			var devices []*device.Client
			var targets []string
			for i := range 2 + others {
				thing := fmt.Sprintf("%s-%d-%d", name, k, i)
				l.must(c, http.MethodPost, "/things/"+thing, apiclient.Object{}, nil)
				targets = append(targets, arn("thing", thing))
				devices = append(devices, l.at([]*node{a, b}[i%2], thing))
			}
			for round := range rounds / atOnce {
				job := fmt.Sprintf("%s-%d-%d", name, k, round)
				body := apiclient.Object{"targets": targets, "document": "{}"}
				maps.Copy(body, config)
				l.must(c, http.MethodPut, "/jobs/"+job, body, nil)
				for _, d := range devices[:2] {
					for x, err := d.StartNext(l.Context(), device.Report{}); x == nil || x.JobID != job; x, err = d.StartNext(l.Context(), device.Report{}) {
						if err != nil {
							l.Errorf("%s: %v", job, err)
							return
						}
						time.Sleep(5 * time.Millisecond)
					}
				}
				var both sync.WaitGroup
				for _, d := range devices[:2] {
					both.Go(func() {
						if _, err := d.Update(l.Context(), job, device.Update{Status: end}); err != nil {
							l.Errorf("%s: %v", job, err)
						}
					})
				}
				both.Wait()
				j, err := a.api().DescribeJob(l.Context(), job)
				if err != nil {
					l.Error(err)
					return
				}
				if !judge(j) {
					wrong.Add(1)
					l.Logf("%s is %s after both ends were answered: %v", job, j.Status, j.JobProcessDetails)
				}
			}
		})
	}
	all.Wait()
	if n := wrong.Load(); n > 0 {
		l.Errorf("%d of %d jobs are not decided", n, rounds/atOnce*atOnce)
	}
}

// cancelElsewhere cancels jobs at one node and has their devices ask another at once.
func (l *load) cancelElsewhere(rounds int) {
	l.Helper()
	a, b := l.nodes[0], l.nodes[1]
	l.must(a.api(), http.MethodPost, "/things/canceled", apiclient.Object{}, nil)
	d := l.at(b, "canceled")
	for round := range rounds {
		job := fmt.Sprintf("cancel-%d", round)
		l.must(a.api(), http.MethodPut, "/jobs/"+job, apiclient.Object{"targets": []string{arn("thing", "canceled")}, "document": "{}"}, nil)
		l.await("the other node has the job", 10*time.Second, func() bool {
			x, err := d.Head(l.Context())
			return err == nil && x != nil && x.JobID == job
		})
		l.must(a.api(), http.MethodPut, "/jobs/"+job+"/cancel", apiclient.Object{}, nil)
		if x, err := d.StartNext(l.Context(), device.Report{}); err != nil || x != nil {
			l.Errorf("after the cancellation of %s was answered a device starts %v, %v", job, x, err)
		}
	}
}

// group makes so many things in a group, at a node, and returns their names.
func (l *load) groupOf(n *node, group string, size int) []string {
	l.Helper()
	var names []string
	for i := range size {
		names = append(names, fmt.Sprintf("%s-%d", group, i))
	}
	if _, err := n.api().Register(l.Context(), group, names, nil); err != nil {
		l.Fatal(err)
	}
	return names
}

// deletionMeetsRollout deletes the things of a group at one node while another rolls a job out to them.
func (l *load) deletionMeetsRollout(rounds int) {
	l.Helper()
	for round := range rounds {
		names := l.groupOf(l.nodes[0], fmt.Sprintf("doomed%d", round), 40)
		var both sync.WaitGroup
		both.Go(func() {
			l.must(l.nodes[0].api(), http.MethodPut, fmt.Sprintf("/jobs/doom%d", round), apiclient.Object{"targets": []string{arn("thinggroup", fmt.Sprintf("doomed%d", round))}, "document": "{}"}, nil)
		})
		both.Go(func() {
			c := l.nodes[1].api()
			for _, name := range names {
				if err := call(l.Context(), c, http.MethodDelete, "/things/"+name, nil, nil); err != nil {
					l.Errorf("delete %s: %v", name, err)
				}
			}
		})
		both.Wait()
		l.end(l.nodes[2], fmt.Sprintf("doom%d", round))
	}
}

// end cancels a job unless it has completed.
func (l *load) end(n *node, job string) {
	l.Helper()
	err := call(l.Context(), n.api(), http.MethodPut, "/jobs/"+job+"/cancel?force=true", apiclient.Object{}, nil)
	if err != nil && !strings.Contains(err.Error(), "COMPLETED") {
		l.Errorf("cancel %s: %v", job, err)
	}
}

// groupMeetsChange makes dynamic groups at one node while things change at another. Verification knows who must be in them.
func (l *load) groupMeetsChange(groups, things int) {
	l.Helper()
	a, b := l.nodes[0].api(), l.nodes[1].api()
	l.must(a, http.MethodPost, "/indexing/config", apiclient.Object{"thingIndexingConfiguration": apiclient.Object{"thingIndexingMode": "REGISTRY"}}, nil)
	for i := range things {
		l.must(a, http.MethodPost, fmt.Sprintf("/things/colored%d", i), apiclient.Object{}, nil)
	}
	var both sync.WaitGroup
	both.Go(func() {
		for i := range groups {
			l.must(a, http.MethodPost, fmt.Sprintf("/dynamic-thing-groups/red%d", i), apiclient.Object{"queryString": fmt.Sprintf("attributes.color:red AND thingName:colored*%d", i%10)}, nil)
		}
	})
	both.Go(func() {
		for round := range 3 {
			for i := range things {
				color := []string{"red", "blue"}[(i+round)%2]
				l.must(b, http.MethodPatch, fmt.Sprintf("/things/colored%d", i), apiclient.Object{"attributePayload": apiclient.Object{"attributes": apiclient.Object{"color": color}}}, nil)
			}
		}
	})
	both.Wait()
	for i := range groups {
		l.await("dynamic groups are built", 30*time.Second, func() bool {
			var g struct{ Status string }
			return a.Call(l.Context(), http.MethodGet, fmt.Sprintf("/thing-groups/red%d", i), nil, &g) == nil && g.Status == "ACTIVE"
		})
	}
}

// joinMeetsRollout has things join a group at one node while another rolls a continuous job out to it. All must get it.
func (l *load) joinMeetsRollout(rounds int) {
	l.Helper()
	for round := range rounds {
		group, job := fmt.Sprintf("joined%d", round), fmt.Sprintf("join%d", round)
		l.groupOf(l.nodes[0], group, 20)
		var late []string
		for i := range 30 {
			late = append(late, fmt.Sprintf("late%d-%d", round, i))
			l.must(l.nodes[0].api(), http.MethodPost, "/things/"+late[i], apiclient.Object{}, nil)
		}
		var both sync.WaitGroup
		both.Go(func() {
			l.must(l.nodes[0].api(), http.MethodPut, "/jobs/"+job, apiclient.Object{"targets": []string{arn("thinggroup", group)}, "targetSelection": "CONTINUOUS", "document": "{}"}, nil)
		})
		both.Go(func() {
			for i, name := range late {
				if err := l.nodes[1+i%2].api().AddToGroup(l.Context(), name, group); err != nil {
					l.Errorf("%s joins: %v", name, err)
				}
			}
		})
		both.Wait()
		c := l.nodes[2].api()
		for _, name := range late {
			l.await(name+" has the job", 20*time.Second, func() bool {
				err := c.Call(l.Context(), http.MethodGet, "/things/"+name+"/jobs/"+job, nil, nil)
				if said := (*apiclient.Error)(nil); err != nil && !errors.As(err, &said) {
					l.Log(err)
				}
				return err == nil
			})
		}
		l.end(l.nodes[2], job)
	}
}
