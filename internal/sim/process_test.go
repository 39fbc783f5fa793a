package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/authz"
	"github.com/muster-iot/muster/awsiot"
	"github.com/muster-iot/muster/dataplane"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/events"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/rights"
	"github.com/muster-iot/muster/scheduler"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/sessionstore"
	"github.com/muster-iot/muster/sigv4"
	"github.com/muster-iot/muster/store"
)

var account = muster.Account{ID: "000000000000", Region: "us-east-1"}

// key is the access key that all callers share.
var key = sigv4.Credential{AccessKeyID: "AKIDSIMULATION", Secret: "a secret of no worth"}

// process is the whole service from the disk to the wires, as cmd/muster puts
// it together, without what only real machines have: TLS and sockets.
type process struct {
	store   store.Store
	service *service.Service
	timer   *scheduler.Scheduler
	news    *dataplane.Notifier
	events  *events.Publisher
	authz   *authz.Authorizer
	gateway *gateway.Server
	plane   *dataplane.HTTP
	server  *http.Server

	stop    context.CancelFunc
	running sync.WaitGroup
	mu      sync.Mutex
	failed  error // why a part ended by itself
}

// everyKey has one key, which may do everything.
type everyKey struct{}

func (everyKey) Lookup(id string) (sigv4.Credential, error) {
	if id != key.AccessKeyID {
		return sigv4.Credential{}, sigv4.ErrUnknownKey
	}
	return key, nil
}

func (everyKey) Caller(string) (identity.Caller, error) {
	return identity.Unrestricted("arn:aws:iam::000000000000:user/simulation"), nil
}

func now() muster.Instant { return muster.At(time.Now()) }

// startProcess brings the service up on a store, which it closes in the end. between comes
// between the service and the store.
func startProcess(s store.Store, between func(store.Store) store.Store, log *slog.Logger) (*process, error) {
	p := &process{store: s}
	problems, err := store.Verify(context.Background(), p.store)
	if err != nil || len(problems) > 0 {
		return nil, errors.Join(fmt.Errorf("Verify() = %v, %w", problems, err), p.store.Close())
	}
	disk := between(p.store)
	p.timer = scheduler.New(now, log)
	p.service = service.New(service.Options{
		Store: disk, Account: account, Now: now, Log: log, PageKey: make([]byte, 32),
		Audience: subscribers{p}, Watcher: parts{p},
		Sinks: eventlog.Sinks{Subscribers: true},
	})
	jobs := dataplane.New(dataplane.Options{Jobs: p.service.Jobs, Account: account, Now: time.Now, Log: log})
	p.authz = authz.New(authz.Options{Principals: p.service.Rights, Account: account, Now: now, Log: log, Keys: everyKey{}.Caller, Anonymous: true})
	p.gateway, err = gateway.New(context.Background(), gateway.Options{
		Authorizer: p.authz, Reserved: jobs.MQTT(), Sessions: sessionstore.On(disk, reserve.Endless), Log: log, Goroutines: true,
		Presence: func(x gateway.Presence) { p.events.Presence(x) },
		Interest: func(x gateway.Interest) { p.events.Interest(x) },
	})
	if err != nil {
		return nil, errors.Join(err, p.store.Close())
	}
	p.events = events.New(events.Options{Broker: p.gateway, Events: p.service.Events, Account: account, Log: log})
	p.news = dataplane.NewNotifier(dataplane.NotifierOptions{Publisher: p.gateway, Delivered: p.service.Jobs.Delivered, Log: log})
	p.plane = jobs.HTTP()
	api, err := awsiot.New(awsiot.Options{
		Catalog: p.service.Catalog, Events: p.service.Events, Jobs: p.service.Jobs, Registry: p.service.Registry, Rights: p.service.Rights, Tags: p.service.Tags,
		Account: account, Now: time.Now, Keys: everyKey{}, Log: log, DataPlane: p.plane,
		Endpoints: awsiot.Endpoints{Data: "muster.test"},
	})
	if err != nil {
		return nil, errors.Join(err, p.store.Close())
	}
	p.server = awsiot.NewHTTPServer(api, log)
	return p, nil
}

// subscribers are who hears of changes of queues: the clients of the gateway,
// which is made after the service.
type subscribers struct{ p *process }

func (s subscribers) Keep(key store.QueueKey, change muster.Change) bool {
	return s.p.news.Keep(key, change)
}
func (s subscribers) Hears(store.QueueKey) bool    { return false }
func (s subscribers) Notify(n []jobs.Notification) { s.p.news.Notify(n) }

// parts are what follows a commit.
type parts struct{ p *process }

func (w parts) Due()                          { w.p.timer.Due() }
func (w parts) Committed(int)                 {}
func (w parts) Told(muster.Instant)           {}
func (w parts) Recorded()                     { w.p.events.Recorded() }
func (w parts) RightsChanged(c rights.Change) { w.p.authz.Changed(c) }

// run serves until end is called, HTTP from l.
func (p *process) run(l *pipes) {
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	for _, part := range []func(context.Context) error{p.service.Run, p.news.Run, p.events.Run, p.gateway.Run, p.background} {
		p.running.Go(func() {
			err := part(ctx)
			if ctx.Err() == nil {
				p.mu.Lock()
				p.failed = fmt.Errorf("a part of the service ended by itself: %w", err)
				p.mu.Unlock()
			}
		})
	}
	p.running.Go(func() { p.authz.Run(ctx) })
	p.running.Go(func() { _ = p.server.Serve(l) })
}

func (p *process) background(ctx context.Context) error {
	if err := p.service.Jobs.Redeliver(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	p.timer.Run(ctx, p.service)
	return nil
}

// end stops what is left of a process that cannot be reached any more.
func (p *process) end() error {
	p.stop()
	p.plane.Drain()
	p.server.Close()
	p.running.Wait()
	return errors.Join(p.failed, p.store.Close())
}
