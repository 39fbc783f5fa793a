package dataplane

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/pebblestore"
)

// benchThings is how many devices work at a time.
const benchThings = 64

// benchService returns a service on s with a job in progress on every thing.
func benchService(b *testing.B, s store.Store) (*Service, *service.Service) {
	b.Helper()
	account := muster.Account{ID: "000000000000", Region: "us-east-1"}
	e := service.New(service.Options{Store: s, Account: account, Now: func() muster.Instant { return muster.At(time.Now()) }})
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() { e.Run(ctx); close(stopped) }()
	b.Cleanup(func() { cancel(); <-stopped; s.Close() })
	job := jobs.NewJob{ID: "fw", Document: `{"do":"flash"}`}
	for i := range benchThings {
		name := fmt.Sprint("lamp-", i)
		if _, err := e.Registry.CreateThing(ctx, muster.Thing{Name: muster.ThingName(name)}); err != nil {
			b.Fatal(err)
		}
		job.Targets = append(job.Targets, muster.Target{Name: name})
	}
	if _, err := e.Jobs.CreateJob(ctx, job); err != nil {
		b.Fatal(err)
	}
	for range 10_000_000 {
		agenda, err := e.Work(ctx)
		if err != nil {
			b.Fatal(err)
		}
		if !agenda.More {
			return New(Options{Jobs: e.Jobs, Account: account, Now: time.Now}), e
		}
	}
	b.Fatal("the background work never ends")
	return nil, nil
}

// BenchmarkUpdate reports progress from 64 devices at a time, over MQTT as the
// gateway would and straight to package jobs: the difference is what this package
// costs.
func BenchmarkUpdate(b *testing.B) {
	disk := func() store.Store {
		s, err := pebblestore.Open(b.TempDir(), pebblestore.Options{})
		if err != nil {
			b.Fatal(err)
		}
		return s
	}
	for name, open := range map[string]func() store.Store{
		"memstore":    func() store.Store { return memstore.New() },
		"pebblestore": disk,
	} {
		payload := []byte(`{"status":"IN_PROGRESS","statusDetails":{"step":"download"},"clientToken":"5f1b7a0e-2d4c-4b8e-9a77-0c5d1e6f7a8b"}`)
		var next atomic.Int64
		each := func(b *testing.B, do func(thing string)) {
			b.ReportAllocs()
			b.SetParallelism(benchThings / 2)
			b.RunParallel(func(pb *testing.PB) {
				thing := fmt.Sprint("lamp-", next.Add(1)%benchThings)
				for pb.Next() {
					do(thing)
				}
			})
		}
		b.Run(name+"/MQTT", func(b *testing.B) {
			s, _ := benchService(b, open())
			m := s.MQTT()
			each(b, func(thing string) {
				m.Request(gateway.Request{Topic: "$aws/things/" + thing + "/jobs/fw/update", Payload: payload}, func(topic string, reply []byte) {
					if topic[len(topic)-len(acceptedSuffix):] != acceptedSuffix {
						b.Errorf("%s %s", topic, reply)
					}
				})
			})
		})
		b.Run(name+"/jobs", func(b *testing.B) {
			_, e := benchService(b, open())
			each(b, func(thing string) {
				report := jobs.UpdateInput{
					Thing: muster.ThingName(thing), Job: "fw", Status: muster.InProgress, Details: map[string]string{"step": "download"},
				}
				if _, err := commit.Await(context.Background(), func(done func(jobs.Described, error)) {
					e.Jobs.UpdateExecution(report, done)
				}); err != nil {
					b.Error(err)
				}
			})
		})
	}
}

// BenchmarkWants is what a thing that another node tells of costs if nobody here listens to it.
func BenchmarkWants(b *testing.B) {
	g, err := gateway.New(b.Context(), gateway.Options{Authorizer: nobody{}})
	if err != nil {
		b.Fatal(err)
	}
	n := NewNotifier(NotifierOptions{Publisher: g})
	keys := make([]store.QueueKey, 512)
	for i := range keys {
		keys[i].Thing = muster.ThingName(fmt.Sprintf("thing-%06d", i))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if n.Wants(keys[i%len(keys)], muster.Change{List: true, Next: true}) {
			b.Fatal("somebody listens")
		}
	}
}

// nobody lets nobody connect.
type nobody struct{}

func (nobody) Connect(context.Context, gateway.Connect) (gateway.Grant, error) {
	return nil, errors.New("nobody may")
}
