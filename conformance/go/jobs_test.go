// Package conformance drives a running Muster with the stock AWS SDK for Go. It
// is a module of its own, so that what it needs stays out of Muster's.
package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/aws/smithy-go"
)

// ready is the part of the ready file that clients need.
type ready struct {
	APIURL          string `json:"api_url"`
	CredentialsFile string `json:"credentials_file"`
	Region          string `json:"region"`
	Account         string `json:"account"`
}

// world is the server under test and the stock clients of it.
type world struct {
	ready
	*iot.Client
	device *devicePlane
	run    string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	file := os.Getenv("MUSTER_READY")
	if file == "" {
		t.Fatal("MUSTER_READY must name the ready file of a running server; conformance/run sets it")
	}
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{run: fmt.Sprintf("%08x", rand.Uint32())}
	if err := json.Unmarshal(body, &w.ready); err != nil {
		t.Fatal(err)
	}
	c, err := config.LoadDefaultConfig(t.Context(),
		config.WithRegion(w.Region),
		config.WithBaseEndpoint(w.APIURL),
		config.WithSharedCredentialsFiles([]string{w.CredentialsFile}),
		config.WithSharedConfigFiles(nil),
	)
	if err != nil {
		t.Fatal(err)
	}
	w.Client = iot.NewFromConfig(c)
	w.device = &devicePlane{config: c}
	return w
}

// name returns a name that no other test uses.
func (w *world) name(what string) string { return what + "-" + w.run }

func (w *world) arn(kind, name string) string {
	return fmt.Sprintf("arn:aws:iot:%s:%s:%s/%s", w.Region, w.Account, kind, name)
}

// thing registers a thing.
func (w *world) thing(t *testing.T, what string) string {
	t.Helper()
	name := w.name(what)
	if _, err := w.CreateThing(t.Context(), &iot.CreateThingInput{ThingName: &name}); err != nil {
		t.Fatal(err)
	}
	return name
}

// job creates a job for one thing and waits for its execution.
func (w *world) job(t *testing.T, what, thing string) string {
	t.Helper()
	id := w.name(what)
	_, err := w.CreateJob(t.Context(), &iot.CreateJobInput{
		JobId: &id, Targets: []string{w.arn("thing", thing)}, Document: aws.String(`{"do": "flash"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the execution", func() bool {
		_, err := w.DescribeJobExecution(t.Context(), &iot.DescribeJobExecutionInput{JobId: &id, ThingName: &thing})
		return err == nil
	})
	return id
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for !condition() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// refused checks that err is the modelled error T.
func refused[T error](t *testing.T, call string, err error) T {
	t.Helper()
	var want T
	if !errors.As(err, &want) {
		var got smithy.APIError
		errors.As(err, &got)
		t.Fatalf("%s fails with %v (%v), want %T", call, err, got, want)
	}
	return want
}

func TestAJobRunsToItsEnd(t *testing.T) {
	w := newWorld(t)
	lamp := w.thing(t, "lamp")
	id := w.job(t, "fw", lamp)

	started, err := w.device.startNext(t.Context(), lamp)
	if err != nil || started.JobID != id || started.Document != `{"do": "flash"}` {
		t.Fatalf("StartNext() = %+v, %v", started, err)
	}
	if err := w.device.update(t.Context(), lamp, id, "SUCCEEDED"); err != nil {
		t.Fatal(err)
	}
	var job *types.Job
	eventually(t, "the job to complete", func() bool {
		out, err := w.DescribeJob(t.Context(), &iot.DescribeJobInput{JobId: &id})
		if err != nil {
			t.Fatal(err)
		}
		job = out.Job
		return job.Status == types.JobStatusCompleted
	})
	if n := *job.JobProcessDetails.NumberOfSucceededThings; n != 1 {
		t.Errorf("DescribeJob() counts %d succeeded, want 1", n)
	}
	if job.CompletedAt == nil || job.CompletedAt.Before(*job.CreatedAt) {
		t.Errorf("DescribeJob(): created %v, completed %v", job.CreatedAt, job.CompletedAt)
	}
	document, err := w.GetJobDocument(t.Context(), &iot.GetJobDocumentInput{JobId: &id})
	if err != nil || *document.Document != `{"do": "flash"}` {
		t.Errorf("GetJobDocument() = %v, %v", document, err)
	}
	if _, err := w.DeleteJob(t.Context(), &iot.DeleteJobInput{JobId: &id}); err != nil {
		t.Errorf("DeleteJob() = %v", err)
	}
}

func TestPagesOfAGroupJob(t *testing.T) {
	w := newWorld(t)
	group := w.name("site")
	if _, err := w.CreateThingGroup(t.Context(), &iot.CreateThingGroupInput{ThingGroupName: &group}); err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 5 {
		lamp := w.thing(t, fmt.Sprint("lamp", i))
		want = append(want, w.arn("thing", lamp))
		_, err := w.AddThingToThingGroup(t.Context(), &iot.AddThingToThingGroupInput{ThingGroupName: &group, ThingName: &lamp})
		if err != nil {
			t.Fatal(err)
		}
	}
	id := w.name("fw")
	_, err := w.CreateJob(t.Context(), &iot.CreateJobInput{
		JobId: &id, Targets: []string{w.arn("thinggroup", group)}, Document: aws.String("{}"), TargetSelection: types.TargetSelectionContinuous,
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	eventually(t, "five executions", func() bool {
		got = nil
		pages := iot.NewListJobExecutionsForJobPaginator(w.Client, &iot.ListJobExecutionsForJobInput{JobId: &id, MaxResults: aws.Int32(2)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range page.ExecutionSummaries {
				got = append(got, *s.ThingArn)
			}
		}
		return len(got) == len(want)
	})
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("ListJobExecutionsForJob() = %v, want %v", got, want)
	}
	cancelled, err := w.CancelJob(t.Context(), &iot.CancelJobInput{JobId: &id, Comment: aws.String("enough")})
	if err != nil || *cancelled.JobId != id {
		t.Errorf("CancelJob() = %+v, %v", cancelled, err)
	}
}

func TestModelledErrors(t *testing.T) {
	w := newWorld(t)
	lamp := w.thing(t, "lamp")
	id := w.job(t, "fw", lamp)
	ctx := t.Context()

	_, err := w.DescribeJob(ctx, &iot.DescribeJobInput{JobId: aws.String("nosuch")})
	refused[*types.ResourceNotFoundException](t, "DescribeJob(nosuch)", err)
	_, err = w.CreateJob(ctx, &iot.CreateJobInput{JobId: &id, Targets: []string{w.arn("thing", lamp)}, Document: aws.String("{}")})
	taken := refused[*types.ResourceAlreadyExistsException](t, "CreateJob again", err)
	if *taken.ResourceId != id || *taken.ResourceArn != w.arn("job", id) {
		t.Errorf("CreateJob again: resource %v %v", *taken.ResourceId, *taken.ResourceArn)
	}
	_, err = w.DeleteJob(ctx, &iot.DeleteJobInput{JobId: &id})
	refused[*types.InvalidStateTransitionException](t, "DeleteJob of a running job", err)
	_, err = w.CancelJobExecution(ctx, &iot.CancelJobExecutionInput{JobId: &id, ThingName: &lamp, ExpectedVersion: aws.Int64(9)})
	refused[*types.VersionConflictException](t, "CancelJobExecution with a wrong version", err)
	_, err = w.CreateThing(ctx, &iot.CreateThingInput{ThingName: aws.String("no spaces")})
	refused[*types.InvalidRequestException](t, "CreateThing with a bad name", err)
	err = w.device.update(ctx, lamp, id, "QUEUED")
	if got := (*deviceError)(nil); !errors.As(err, &got) || got.kind != "InvalidRequestException" || got.status != 400 {
		t.Errorf("UpdateJobExecution to QUEUED fails with %v, want InvalidRequestException 400", err)
	}
}
