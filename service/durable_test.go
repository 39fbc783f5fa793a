package service

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/storetest"
)

// gate holds the next one who comes after it was closed, until it is opened.
type gate struct{ shut atomic.Pointer[chan struct{}] }

func (g *gate) pass() {
	if shut := g.shut.Swap(nil); shut != nil {
		<-*shut
	}
}

func (g *gate) close() (open func()) {
	shut := make(chan struct{})
	g.shut.Store(&shut)
	return func() { close(shut) }
}

// A device's question is under way when a job is cancelled: the cancellation is
// applied, and lost before it is durable. The device was told of nothing that a
// crash undid.
func TestAnAnswerRestsOnWhatIsDurable(t *testing.T) {
	for name, ask := range map[string]func(*env) (jobs.Described, error){
		"what is next": func(env *env) (jobs.Described, error) {
			return env.DescribeExecution(env.t.Context(), jobs.DescribeInput{Thing: "lamp"})
		},
		"the job": func(env *env) (jobs.Described, error) {
			return env.DescribeExecution(env.t.Context(), jobs.DescribeInput{Thing: "lamp", Job: "job"})
		},
		"what is pending": func(env *env) (jobs.Described, error) {
			p, err := env.GetPending(env.t.Context(), "lamp", "")
			if err != nil || len(p.InProgress) == 0 {
				return jobs.Described{}, err
			}
			return jobs.Described{Execution: &muster.Execution{Job: p.InProgress[0].Job}}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var read, durable gate
				power := errors.New("the power is out")
				out := false
				env := newEnvOnJust(t, storetest.Late(memstore.New(), storetest.Pauses{
					Read: read.pass,
					Durable: func() error {
						durable.pass()
						if out {
							return power
						}
						return nil
					},
				}), Options{})
				env.thing("lamp")
				env.job("job", "lamp")
				env.start("lamp") // in progress, so that a plain cancellation would leave it
				told := make(chan jobs.Described, 1)
				openRead, openDurable := read.close(), durable.close()
				go func() {
					d, err := ask(env)
					if err != nil {
						t.Errorf("the question = %v", err)
					}
					told <- d
				}()
				synctest.Wait()
				canceled := make(chan error, 1)
				go func() {
					_, err := env.CancelJob(t.Context(), "job", jobs.Cancellation{Force: true})
					canceled <- err
				}()
				synctest.Wait()
				openRead()
				if d := <-told; d.Execution == nil || d.Execution.Job != "job" {
					t.Errorf("the device was told %+v while the cancellation was not durable", d)
				}
				later := make(chan error, 1)
				go func() { _, err := ask(env); later <- err }() // its snapshot shows the cancellation
				synctest.Wait()
				out = true
				openDurable()
				if err := <-later; !errors.Is(err, power) {
					t.Errorf("who saw the cancellation was told %v, want nothing but that the power is out", err)
				}
				if err := <-canceled; err == nil {
					t.Error("the cancellation was acknowledged and is lost")
				}
			})
		})
	}
}

// A job is erased and another of its name is made while a device asks: the
// device gets the document of the one whose execution it is shown.
func TestAnAnswerIsOfOneSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var read gate
		env := newEnvOnJust(t, storetest.Late(memstore.New(), storetest.Pauses{Read: read.pass}), Options{})
		env.thing("lamp")
		env.job("job", "lamp")
		env.start("lamp")
		open := read.close()
		told := make(chan jobs.Described, 1)
		go func() {
			d, err := env.DescribeExecution(t.Context(), jobs.DescribeInput{Thing: "lamp"})
			if err != nil {
				t.Errorf("DescribeExecution = %v", err)
			}
			told <- d
		}()
		synctest.Wait()
		noErr(t, "DeleteJob", env.DeleteJob(t.Context(), "job", nil, true))
		env.settleDown() // ends its executions, and erases it
		_, err := env.CreateJob(t.Context(), jobs.NewJob{ID: "job", Document: `{"do":"other"}`, Targets: []muster.Target{{Name: "lamp"}}})
		noErr(t, "CreateJob", err)
		env.settleDown()
		open()
		if d := <-told; d.Document == nil || *d.Document != `{"do":"job"}` {
			t.Errorf("the device was told %+v", d)
		}
		d, err := env.DescribeExecution(t.Context(), jobs.DescribeInput{Thing: "lamp"})
		if err != nil || d.Document == nil || *d.Document != `{"do":"other"}` {
			t.Errorf("afterwards it is told %+v, %v", d, err)
		}
	})
}
