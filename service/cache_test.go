package service

import (
	"testing"
	"testing/synctest"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/jobs"
)

// The last of a job is removed and another of its name is ordered in one
// transaction: devices get the document of the other.
func TestADocumentIsNotThatOfAnEarlierJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := newEnv(t)
		env.thing("lamp")
		env.job("job1", "lamp")
		if d := env.start("lamp"); d.Document == nil || *d.Document != `{"do":"job1"}` {
			t.Fatalf("the document is %v", d.Document)
		}
		if err := env.DeleteJob(t.Context(), "job1", nil, true); err != nil {
			t.Fatal(err)
		}

		steps := env.stepsOf(env.Jobs) // all of them are of the job
		held := make(chan struct{})
		env.submit(func(*commit.Tx) error { <-held; return nil }, func(error) {})
		synctest.Wait()
		done := make(chan error, 3)
		for _, step := range steps[:2] { // to end its execution, and to erase it
			env.submit(step, func(err error) { done <- err })
		}
		go func() {
			_, err := env.CreateJob(t.Context(), jobs.NewJob{ID: "job1", Document: `{"do":"other"}`, Targets: []muster.Target{{Name: "lamp"}}})
			done <- err
		}()
		synctest.Wait()
		close(held)
		for range cap(done) {
			if err := <-done; err != nil {
				t.Fatalf("the last steps of a job and CreateJob: %v", err)
			}
		}

		env.settleDown()
		if d := env.start("lamp"); d.Document == nil || *d.Document != `{"do":"other"}` {
			t.Errorf("the document is %q, want that of the job which has the name now", *d.Document)
		}
	})
}
