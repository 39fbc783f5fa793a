package dataplane

import (
	"context"
	"log/slog"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/limits"
	"github.com/muster-iot/muster/turns"
)

// Jobs is what the data plane asks of jobs; *jobs.Jobs is one. Its errors
// are those of muster.Error that the operations of jobs-data-plane.md know; any
// other is an internal failure.
type Jobs interface {
	GetPending(ctx context.Context, thing muster.ThingName, ns muster.Namespace) (jobs.Pending, error)
	// AwaitPending returns nil when something is pending for a thing, or when ctx
	// ends, whichever is first.
	AwaitPending(ctx context.Context, thing muster.ThingName, ns muster.Namespace) error
	DescribeExecution(ctx context.Context, in jobs.DescribeInput) (jobs.Described, error)
	// StartNext and UpdateExecution call done once: after the change is durable
	// and before the thing is notified of it.
	StartNext(in jobs.StartNextInput, done func(jobs.Described, error))
	UpdateExecution(in jobs.UpdateInput, done func(jobs.Described, error))
}

// Options are the parts a Service is made of. Jobs, Account and Now are
// required.
type Options struct {
	Jobs    Jobs
	Account muster.Account
	Now     func() time.Time

	// ReadsPerSecond and WritesPerSecond bound the whole deployment's requests:
	// Describe and GetPending, StartNext and Update. Zero means no bound
	// (arbitration A19).
	ReadsPerSecond, WritesPerSecond float64

	// Turns are told of each request. Nil is allowed.
	Turns *turns.Turns
	// Observe is called after each request. Nil is allowed.
	Observe func(Observation)
	// Saw is called after each request for a thing whose sender may make it. Nil is
	// allowed.
	Saw func(Sight)
	// Log takes one entry per request (jobs-events.md section 5): DEBUG, or
	// ERROR when it was refused. Nil discards them.
	Log *slog.Logger
}

// Observation is one request, for metrics. Its texts come from fixed tables.
type Observation struct {
	Operation string // such as "UpdateJobExecution"; "InvalidTopic" for none
	Plane     string // "mqtt" or "http"
	Code      string // "ok", or a code of jobs-data-plane.md section 8
	Took      time.Duration
}

// Sight is a request as a thing's diary has it.
type Sight struct {
	Thing     muster.ThingName // the request names it; there may be none of this name
	Job       muster.JobID     // that it names; empty for none and for $next
	Operation string           // as in Observation
	Code      string           // "" if it succeeded, or a code of jobs-data-plane.md section 8
	Message   string           // of the failure, as the sender was told
	Changed   bool             // an execution of the thing tells that it succeeded
	HTTPS     bool
}

// Service is the jobs data plane of one deployment. Its methods MQTT and HTTP
// return it as a server of each protocol.
type Service struct {
	o             Options
	reads, writes *limits.Throttle
}

// New returns a service on o.
func New(o Options) *Service {
	if o.Observe == nil {
		o.Observe = func(Observation) {}
	}
	if o.Saw == nil {
		o.Saw = func(Sight) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{o: o, reads: limits.NewThrottle(o.ReadsPerSecond), writes: limits.NewThrottle(o.WritesPerSecond)}
}

// Divide bounds the requests of this process to its part, if there are several equal ones.
func (s *Service) Divide(processes int) {
	s.reads.Divide(processes)
	s.writes.Divide(processes)
}

// serve performs r and calls done once. For the operations that write, it does
// so on the goroutine that commits, when the change is durable and before its
// notifications go out.
func (s *Service) serve(ctx context.Context, r *request, done func(answer)) {
	if !s.throttle(r.Kind).Allow(s.o.Now()) {
		done(answer{err: muster.Errorf(muster.Throttled, "Too many requests")})
		return
	}
	described := func(d jobs.Described, err error) { done(answer{described: d, err: err}) }
	switch r.Kind {
	case GetPending:
		p, err := s.o.Jobs.GetPending(ctx, r.Thing, r.Namespace)
		done(answer{pending: p, err: err})
	case StartNext:
		s.o.Jobs.StartNext(jobs.StartNextInput{
			Thing: r.Thing, Namespace: r.Namespace, Details: r.details, StepMinutes: r.stepMinutes,
		}, described)
	case Describe:
		job := r.Job
		if job == NextJob {
			job = ""
		}
		described(s.o.Jobs.DescribeExecution(ctx, jobs.DescribeInput{
			Thing: r.Thing, Namespace: r.Namespace, Job: job, Number: r.number, WithoutDocument: !r.withDocument,
		}))
	case Update:
		s.o.Jobs.UpdateExecution(jobs.UpdateInput{
			Thing: r.Thing, Namespace: r.Namespace, Job: r.Job, Number: r.number,
			Status: r.status, ExpectedVersion: r.expectedVersion, Details: r.details, StepMinutes: r.stepMinutes,
			WithDocument: r.withDocument,
		}, described)
	}
}

func (s *Service) throttle(k Kind) *limits.Throttle {
	if k == StartNext || k == Update {
		return s.writes
	}
	return s.reads
}
