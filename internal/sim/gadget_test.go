package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/device"
)

// gadget is a device with a real client, on MQTT or HTTPS, that goes online and
// offline, and works in one of the two ways of the contract.
type gadget struct {
	s       *site
	name    string
	rng     *rand.Rand
	https   bool
	picks   bool
	nature  nature
	patient <-chan struct{} // closed when the simulation is about to end: from then on it stays
}

// run runs the device until ctx ends.
func (g *gadget) run(ctx context.Context) {
	for ctx.Err() == nil {
		session, over := context.WithCancel(ctx)
		stays := time.Duration(g.rng.Int64N(int64(8 * time.Hour)))
		go func() {
			select {
			case <-time.After(stays):
				select {
				case <-g.patient:
				default:
					over()
				}
			case <-session.Done():
			}
		}()
		g.session(session)
		over()
		pause(ctx, g.patient, time.Duration(g.rng.Int64N(int64(2*time.Hour))))
	}
}

// pause waits for d, or shorter once the simulation is about to end.
func pause(ctx context.Context, patient <-chan struct{}, d time.Duration) {
	select {
	case <-time.After(d):
	case <-patient:
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	case <-ctx.Done():
	}
}

// session is one period online.
func (g *gadget) session(ctx context.Context) {
	c, err := g.connect(ctx)
	if err != nil {
		return
	}
	defer c.Close()
	if !g.picks {
		if err := c.Run(ctx, g.work); err != nil && ctx.Err() == nil {
			g.s.fail("%s: Run: %v", g.name, err)
		}
		return
	}
	for pending, err := range c.Watch(ctx) {
		if err != nil {
			g.s.fail("%s: Watch: %v", g.name, err)
			return
		}
		g.pick(ctx, c, pending)
	}
}

func (g *gadget) connect(ctx context.Context) (*device.Client, error) {
	if g.https {
		return device.NewHTTPS(device.HTTPSOptions{
			Endpoint: "http://muster.test", Thing: g.name, Credential: &key, Region: account.Region,
			Client: &http.Client{Transport: &http.Transport{DialContext: g.s.network.dialHTTP, DisableKeepAlives: true}},
			Wait:   5 * time.Minute, Poll: 5 * time.Minute,
		})
	}
	return device.ConnectMQTT(ctx, device.MQTTOptions{
		Endpoint: "mqtt://pipe", Thing: g.name, Dial: g.s.network.dialMQTT, KeepAlive: 20 * time.Minute,
		Backoff: func(n int) time.Duration { return time.Duration(min(n, 6)) * 20 * time.Second },
	})
}

// pick works on whatever it likes of the list, until nothing is left of it.
func (g *gadget) pick(ctx context.Context, c *device.Client, p device.Pending) {
	all := append(p.InProgress, p.Queued...)
	if len(all) == 0 {
		return
	}
	x := all[g.rng.IntN(len(all))]
	j, err := c.Start(ctx, x, device.Report{})
	if err != nil {
		var refused *device.Error
		if ctx.Err() == nil && !errors.As(err, &refused) {
			g.s.fail("%s: Start(%v): %v", g.name, x, err)
		}
		return
	}
	if err := j.Do(ctx, g.work); err != nil && ctx.Err() == nil && !errors.As(err, new(*device.Ended)) {
		g.s.fail("%s: Do(%v): %v", g.name, x, err)
	}
}

// work does a job: some steps, each reported, and an end. It records what was
// acknowledged.
func (g *gadget) work(ctx context.Context, j *device.Job) error {
	c := claim{g.name, j.JobID, j.Number}
	if want, ok := g.s.document(j.JobID); ok && want != string(j.Document) {
		g.s.fail("%s has job %s with the document %s, want %s", g.name, j.JobID, j.Document, want)
	}
	done := 0
	_, _ = fmt.Sscan(j.Details["step"], &done)
	for steps := done + g.rng.IntN(4); done < steps; {
		if !sleeps(ctx, time.Duration(g.rng.Int64N(int64(30*time.Minute)))) {
			return ctx.Err()
		}
		done++
		if err := j.Progress(ctx, device.Report{Details: map[string]string{"step": fmt.Sprint(done)}}); err != nil {
			return err
		}
		g.s.acknowledged(c, ack{muster.InProgress, done})
	}
	if g.rng.IntN(100) < g.nature.hangs && !sleeps(ctx, 12*time.Hour) {
		return ctx.Err()
	}
	roll := g.rng.IntN(100)
	end, status := j.Succeed, muster.Succeeded
	switch {
	case roll < g.nature.fails:
		end, status = j.Fail, muster.Failed
	case roll < g.nature.fails+g.nature.rejects:
		end, status = j.Reject, muster.Rejected
	}
	if err := end(ctx, nil); err != nil {
		return err
	}
	g.s.acknowledged(c, ack{status, done})
	return nil
}

func sleeps(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// document returns what a job was ordered with.
func (s *site) document(job string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[job]
	if o == nil {
		return "", false
	}
	return o.document, true
}
