package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/store"
)

// files is a store of job files whose URLs say what they were made of. Its
// URLs are https://REGION/BUCKET/KEY@VERSION.
type files struct {
	presigned atomic.Int64 // URLs made
	broken    atomic.Bool  // it makes none
}

func (f *files) Locate(url string) (muster.Object, error) {
	parts := strings.SplitN(strings.TrimPrefix(url, "https://"), "/", 3)
	if len(parts) < 2 {
		return muster.Object{}, muster.Errorf(muster.Invalid, "not of this store")
	}
	o := muster.Object{Region: parts[0], Bucket: parts[1]}
	if len(parts) == 3 {
		o.Key, o.Version, _ = strings.Cut(parts[2], "@")
	}
	return o, nil
}

func (f *files) Check(_ context.Context, o muster.Object, upload bool) error {
	if o.Bucket == "closed" {
		return muster.Errorf(muster.Forbidden, "not for you")
	}
	if o.Bucket == "missing" {
		return muster.Errorf(muster.Invalid, "S3 bucket in job document presigned url upload placeholder not found")
	}
	return nil
}

func (f *files) Sign(_ context.Context, o muster.Object) (string, error) {
	if o.Key == "missing" {
		return "", muster.Errorf(muster.Invalid, "VersionId not found when attempting to access s3 url")
	}
	return "signed(" + o.Key + "@" + o.Version + ")", nil
}

func (f *files) Presign(o muster.Object, upload bool, life time.Duration, at muster.Instant) (string, error) {
	f.presigned.Add(1)
	if f.broken.Load() {
		return "", errors.New("the key is gone")
	}
	method := map[bool]string{false: "GET", true: "PUT"}[upload]
	return fmt.Sprintf("%s %s/%s for %s from %d", method, o.Bucket, o.Key, life, (at-testEpoch)/1000), nil
}

const (
	role      = "arn:aws:iam::000000000000:role/downloads"
	linked    = `{"url":"${aws:iot:s3-presigned-url:https://us-east-1/lab/fw.bin}"}`
	withRole  = 10 * time.Minute // the life of what linkedJob links to
	allHeard  = true
	noneHeard = false
)

// newLinkedEnv is an env with files, of which somebody hears all notifications
// or nobody hears any.
func newLinkedEnv(t *testing.T, s store.Store, heard bool) (*env, *files) {
	t.Helper()
	f := &files{}
	return newEnvOn(t, s, Options{Objects: f, Audience: audience{hears: func(store.QueueKey) bool { return heard }}}), f
}

// linkedJob creates a job with a document whose links live for ten minutes.
func (env *env) linkedJob(id, document string, names ...string) {
	env.t.Helper()
	in := jobs.NewJob{ID: muster.JobID(id), Document: document, Config: muster.JobConfig{
		Presigned: muster.PresignedConfig{RoleARN: role, ExpiresInSec: int(withRole / time.Second)},
	}}
	for _, name := range names {
		in.Targets = append(in.Targets, muster.Target{Name: name})
	}
	if _, err := env.CreateJob(env.t.Context(), in); err != nil {
		env.t.Fatalf("CreateJob(%s): %v", id, err)
	}
	env.settleDown()
}

func (env *env) describe(thing, job string) jobs.Described {
	env.t.Helper()
	d, err := env.DescribeExecution(env.t.Context(), jobs.DescribeInput{Thing: muster.ThingName(thing), Job: muster.JobID(job)})
	if err != nil {
		env.t.Fatalf("DescribeExecution(%s, %s): %v", thing, job, err)
	}
	return d
}

func wantDocument(t *testing.T, call string, d jobs.Described, want string) {
	t.Helper()
	if d.Document == nil || *d.Document != want {
		t.Errorf("%s: the document is %s, want %s", call, *cmp.Or(d.Document, new("none")), want)
	}
}

func urlFrom(seconds int) string {
	return fmt.Sprintf(`{"url":"GET lab/fw.bin for 10m0s from %d"}`, seconds)
}

// Each way to get a document gives the URL that was issued, until less than half
// of its life remains (arbitration A1), and that in the life of any process.
func TestURLsAreGivenAgain(t *testing.T) {
	s := newStore(t)
	env, _ := newLinkedEnv(t, s, noneHeard)
	env.thing("lamp")
	env.pass(700) // what is signed knows no milliseconds
	env.linkedJob("fw", linked, "lamp")
	env.pass(60_000)
	wantDocument(t, "describe", env.describe("lamp", "fw"), urlFrom(60))
	env.pass(100_000)
	wantDocument(t, "describe of $next", env.describe("lamp", ""), urlFrom(60))
	started := env.start("lamp")
	wantDocument(t, "start-next", started, urlFrom(60))

	again, _ := newLinkedEnv(t, s, noneHeard)
	again.pass(60_000 + 5*60_000)
	wantDocument(t, "describe when half of the life remains, after a restart", again.describe("lamp", "fw"), urlFrom(60))
	again.pass(1000)
	now := again.describe("lamp", "fw")
	wantDocument(t, "describe when less than half remains", now, urlFrom(361))
	if now.Execution.Version != started.Execution.Version || now.Execution.UpdatedAt != started.Execution.UpdatedAt {
		t.Errorf("new URLs changed version %d at %d to version %d at %d", started.Execution.Version, started.Execution.UpdatedAt, now.Execution.Version, now.Execution.UpdatedAt)
	}
	if told := again.told(); len(told) != 0 {
		t.Errorf("new URLs told %q, want nobody told", told)
	}
	again.pass(10 * 60_000)
	wantDocument(t, "start-next of what is in progress", again.start("lamp"), urlFrom(961))
	again.pass(10 * 60_000)
	updated, err := again.reportAs(jobs.UpdateInput{Thing: "lamp", Job: "fw", Status: muster.InProgress, WithDocument: true})
	if err != nil {
		t.Fatal(err)
	}
	wantDocument(t, "update with the document", updated, urlFrom(1561))
	wantDocument(t, "describe after it", again.describe("lamp", "fw"), urlFrom(1561))
}

func TestEachExecutionHasURLsOfItsOwn(t *testing.T) {
	env, _ := newLinkedEnv(t, newStore(t), noneHeard)
	env.thing("lamp", "pump")
	env.linkedJob("fw", `{"up":"${aws:iot:s3-presigned-url-upload:https://us-east-1/logs/${thingName}/${jobId}-${executionNumber}}","any":"${aws:iot:s3-presigned-url-upload:https://us-east-1/logs}"}`, "lamp", "pump")
	wantDocument(t, "start-next of the lamp", env.start("lamp"), `{"up":"PUT logs/lamp/fw-1 for 10m0s from 0","any":"PUT logs/fw/lamp/1 for 10m0s from 0"}`)
	env.pass(2000)
	wantDocument(t, "start-next of the pump", env.start("pump"), `{"up":"PUT logs/pump/fw-1 for 10m0s from 2","any":"PUT logs/fw/pump/1 for 10m0s from 2"}`)
	wantDocument(t, "describe of the lamp", env.describe("lamp", "fw"), `{"up":"PUT logs/lamp/fw-1 for 10m0s from 0","any":"PUT logs/fw/lamp/1 for 10m0s from 0"}`)
}

func TestNotificationsCarryTheURL(t *testing.T) {
	var notes []jobs.Notification
	f := &files{}
	var deaf atomic.Bool
	env := newEnvOn(t, newStore(t), Options{
		Objects: f,
		Audience: audience{
			hears:  func(store.QueueKey) bool { return !deaf.Load() },
			notify: func(n []jobs.Notification) { notes = append(notes, n...) },
		},
	})
	env.thing("lamp")
	document := func() string {
		t.Helper()
		env.write(func(store.Tx) {}) // after the notifications
		text, err := notes[len(notes)-1].Document(t.Context())
		if err != nil {
			t.Fatalf("Document: %v", err)
		}
		return text
	}
	env.linkedJob("one", linked, "lamp")
	env.pass(1000)
	if got := document(); got != urlFrom(0) {
		t.Errorf("notify-next carries %s, want %s", got, urlFrom(0))
	}
	wantDocument(t, "start-next after it", env.start("lamp"), urlFrom(0))

	env.linkedJob("two", linked, "lamp")
	env.pass(20 * 60_000)
	env.mustReport("lamp", "one", muster.Succeeded)
	if got := document(); got != urlFrom(1201) {
		t.Errorf("notify-next of the second job carries %s, want %s", got, urlFrom(1201))
	}

	// Nobody heard when it was committed, and somebody does now.
	deaf.Store(true)
	env.mustReport("lamp", "two", muster.Succeeded)
	env.linkedJob("three", linked, "lamp")
	env.pass(3000)
	if got := document(); got != urlFrom(1204) {
		t.Errorf("notify-next of the third job carries %s, want %s", got, urlFrom(1204))
	}
	wantDocument(t, "describe after it", env.describe("lamp", "three"), urlFrom(1204))

	f.broken.Store(true)
	if got := document(); got != linked {
		t.Errorf("notify-next that cannot be resolved carries %s, want %s", got, linked)
	}
}

func TestWhatNobodyHearsIsNotPresigned(t *testing.T) {
	env, f := newLinkedEnv(t, newStore(t), noneHeard)
	env.thing("lamp")
	env.linkedJob("fw", linked, "lamp")
	if x, err := env.ShowExecution(t.Context(), "lamp", "fw", nil); err != nil || x.PresignedAt != 0 || f.presigned.Load() != 0 {
		t.Errorf("after a rollout: %+v, %v and %d URLs, want none", x, err, f.presigned.Load())
	}

	env, f = newLinkedEnv(t, newStore(t), allHeard)
	env.thing("lamp")
	env.linkedJob("first", linked, "lamp")
	env.linkedJob("second", linked, "lamp")
	for job, want := range map[muster.JobID]muster.Instant{"first": testEpoch, "second": 0} {
		if x, err := env.ShowExecution(t.Context(), "lamp", job, nil); err != nil || x.PresignedAt != want || f.presigned.Load() != 0 {
			t.Errorf("after a rollout that is heard, %s: %+v, %v and %d URLs, want those of %d and none made", job, x, err, f.presigned.Load(), want)
		}
	}
}

func TestAPlaceholderThatCannotBeResolvedChangesNothing(t *testing.T) {
	env, f := newLinkedEnv(t, newStore(t), allHeard)
	env.thing("lamp")
	env.linkedJob("fw", linked, "lamp")
	f.broken.Store(true)
	_, err := env.DescribeExecution(t.Context(), jobs.DescribeInput{Thing: "lamp", Job: "fw"})
	wantKind(t, "describe", err, muster.Internal)
	_, err = commit.Await(t.Context(), func(done func(jobs.Described, error)) { env.StartNext(jobs.StartNextInput{Thing: "lamp"}, done) })
	wantKind(t, "start-next", err, muster.Internal)
	_, err = env.reportAs(jobs.UpdateInput{Thing: "lamp", Job: "fw", Status: muster.InProgress, WithDocument: true})
	wantKind(t, "update with the document", err, muster.Internal)
	x, err := env.ShowExecution(t.Context(), "lamp", "fw", nil)
	if err != nil || x.Status != muster.Queued || x.Version != 1 {
		t.Errorf("after that the execution is %+v, %v, want QUEUED at version 1", x, err)
	}
	if _, err := env.DescribeExecution(t.Context(), jobs.DescribeInput{Thing: "lamp", Job: "fw", WithoutDocument: true}); err != nil {
		t.Errorf("describe without the document: %v", err)
	}
	if _, err := env.report("lamp", "fw", muster.Succeeded); err != nil {
		t.Errorf("update without the document: %v", err)
	}
}

func TestUpdateJobChangesTheLifeOfURLs(t *testing.T) {
	env, _ := newLinkedEnv(t, newStore(t), noneHeard)
	env.thing("lamp")
	env.linkedJob("fw", linked, "lamp")
	wantDocument(t, "describe", env.describe("lamp", "fw"), urlFrom(0))
	update := func(c muster.PresignedConfig) error {
		return env.UpdateJob(t.Context(), "fw", nil, jobs.JobChange{Presigned: &c})
	}
	e := wantKind(t, "UpdateJob without a role", update(muster.PresignedConfig{ExpiresInSec: 60}), muster.Invalid)
	if e.Msg != "presignedUrlConfig role ARN is required to generate an S3 presigned url in job document." {
		t.Errorf("UpdateJob without a role says %q", e.Msg)
	}
	wantKind(t, "UpdateJob with a short life", update(muster.PresignedConfig{RoleARN: role, ExpiresInSec: 1}), muster.Invalid)
	if err := update(muster.PresignedConfig{RoleARN: role}); err != nil {
		t.Fatal(err)
	}
	env.pass(20 * 60_000)
	wantDocument(t, "describe after UpdateJob", env.describe("lamp", "fw"), `{"url":"GET lab/fw.bin for 1h0m0s from 0"}`)
}
