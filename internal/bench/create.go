package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// findMax bounds how long a device of section create looks for its job.
const findMax = 10 * time.Second

// create measures a job for one thing, as a script makes it that then waits for
// the device: how long CreateJob takes, and until the device is given the job.
func (b *bench) create(ctx context.Context) ([]figure, error) {
	const group = "create"
	folder, n := filepath.Join(b.dir, group), b.pairs[1]
	w, err := b.open(folder)
	if err != nil {
		return nil, err
	}
	err = w.addGroup(ctx, group, 2*n)
	if closed := w.close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, err
	}
	s, err := b.serve(ctx, folder)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	api, err := s.callAPI(ctx, "iot")
	if err != nil {
		return nil, err
	}
	defer api.close()
	device, err := s.callAPI(ctx, "iot-jobs-data")
	if err != nil {
		return nil, err
	}
	defer device.close()

	made, found := make(latencies, n), make(latencies, n)
	before := s.cpu()
	for i := range made {
		began := time.Now()
		if err := api.jobFor(thingName(group, i)); err != nil {
			return nil, err
		}
		made[i] = time.Since(began)
	}
	cpu := s.cpu() - before
	asked := 0
	for i := range found {
		thing, began := thingName(group, n+i), time.Now()
		if err := api.jobFor(thing); err != nil {
			return nil, err
		}
		asks, err := device.findJob(thing)
		if err != nil {
			return nil, err
		}
		found[i], asked = time.Since(began), asked+asks
	}
	return []figure{
		{name: "CreateJob for one thing, 1 caller: server's processor time", value: micros(cpu, n)},
		{name: "… latency, p50 / p99", value: made.String()},
		{name: "… until start-next gives the job to the device, p50 / p99", value: found.String()},
		{name: "… how often the device asked for each job", value: fmt.Sprintf("%.2f", float64(asked)/float64(n)), aim: "1"},
	}, nil
}

// jobFor makes a job for one thing, named after it.
func (c *caller) jobFor(thing string) error {
	return c.do("PUT", "/jobs/for-"+thing, fmt.Sprintf(`{"targets":["arn:aws:iot:%s:%s:thing/%s"],"document":"{}"}`, account.Region, account.ID, thing))
}

// findJob asks for the next job of a thing until there is one, and returns how
// often it asked.
func (c *caller) findJob(thing string) (asks int, err error) {
	for end := time.Now().Add(findMax); time.Now().Before(end); {
		asks++
		answer, err := c.ask("PUT", "/things/"+thing+"/jobs/$next", "{}")
		if err != nil || strings.Contains(string(answer), `"jobId"`) {
			return asks, err
		}
	}
	return asks, fmt.Errorf("%s was not given its job within %s", thing, findMax)
}
