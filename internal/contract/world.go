package contract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot"
	"github.com/muster-iot/muster/dataplane"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/identity/ca"
	"github.com/muster-iot/muster/iotdata"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/sigv4"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

// The deployment under test.
var (
	account = muster.Account{ID: "111122223333", Region: "eu-west-1"}
	admin   = sigv4.Credential{AccessKeyID: "AKIDCONTRACT", Secret: "contract-secret"}
)

// beginning is the time at which a world begins.
const beginning = muster.Instant(1_790_000_000_123)

// world is a whole service in this process, with both planes, its own store, and a
// clock that only pass moves.
type world struct {
	service *service.Service
	store   *ledger
	handler http.Handler
	mqtt    *dataplane.MQTT
	faults  *faults
	now     atomic.Int64
	stop    func() error
}

func newWorld(s store.Store, tamper func(http.Handler) http.Handler) (*world, error) {
	if s == nil {
		s = memstore.New()
	}
	w := &world{store: &ledger{Store: s}, faults: new(faults)}
	w.now.Store(int64(beginning))
	log := slog.New(w.faults)
	w.service = service.New(service.Options{
		Store: w.store, Account: account, Now: w.clock, Log: log, TypeDeletionWait: time.Minute,
		PageKey: []byte("the key of page tokens"), NewID: w.newID(),
	})
	plane := dataplane.New(dataplane.Options{Jobs: w.service.Jobs, Account: account, Now: w.time, Log: log})
	w.mqtt = plane.MQTT()
	broker, err := gateway.New(context.Background(), gateway.Options{Authorizer: nobody{}, Reserved: w.mqtt, Log: log})
	if err != nil {
		return nil, err
	}
	issuer, err := ca.New(w.time())
	if err != nil {
		return nil, err
	}
	w.handler, err = awsiot.New(awsiot.Options{
		Catalog: w.service.Catalog, Events: w.service.Events, Jobs: w.service.Jobs,
		Registry: w.service.Registry, Rights: w.service.Rights, Tags: w.service.Tags,
		Account: account, Now: w.time, Keys: keys{}, Log: log, Issuer: issuer,
		DataPlane: plane.HTTP(),
		Messages:  iotdata.New(iotdata.Options{Broker: broker, Account: account, Now: w.time, Log: log, Inventory: w.service.Catalog.Inventory}),
		Endpoints: awsiot.Endpoints{Data: "data.example", CredentialProvider: "credentials.example"},
	})
	if err != nil {
		return nil, err
	}
	if tamper != nil {
		w.handler = tamper(w.handler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 2)
	go func() { stopped <- w.service.Run(ctx) }()
	go func() { stopped <- broker.Run(ctx) }()
	w.stop = func() error {
		cancel()
		return errors.Join(<-stopped, <-stopped)
	}
	return w, nil
}

// nobody may connect: requests of devices go directly to the data plane.
type nobody struct{}

func (nobody) Connect(context.Context, gateway.Connect) (gateway.Grant, error) {
	return nil, gateway.ErrRefused
}

// newID returns a source of ids that are the same in every run.
func (w *world) newID() func() string {
	var n atomic.Int64
	return func() string { return fmt.Sprintf("00000000-0000-4000-8000-%012x", n.Add(1)) }
}

func (w *world) clock() muster.Instant { return muster.Instant(w.now.Load()) }
func (w *world) time() time.Time       { return w.clock().Time() }

// pass moves the clock and does the background work that is due then.
func (w *world) pass(ctx context.Context, d time.Duration) error {
	w.now.Add(d.Milliseconds())
	for {
		agenda, err := w.service.Work(ctx)
		if err != nil {
			return fmt.Errorf("background work: %w", err)
		}
		if !agenda.More {
			return nil
		}
	}
}

// answer is an answer over HTTPS.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// errorType is the name of an error, empty for a success.
func (a *answer) errorType() string { return a.header.Get("X-Amzn-Errortype") }

func (a *answer) String() string {
	text := fmt.Sprintf("%d %s", a.status, a.errorType())
	if a.body.Len() > 0 {
		text += "\n" + a.body.String()
	}
	return text
}

// send signs a request, applies its forge if it has one, and sends it to the service.
// A panic of the service becomes an error.
func (w *world) send(r *request) (a *answer, err error) {
	hr := &http.Request{
		Method: r.method, RequestURI: r.target, Host: "iot.example", Header: r.header.Clone(), RemoteAddr: "192.0.2.1:4711",
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(bytes.NewReader(r.body)), ContentLength: int64(len(r.body)),
	}
	if hr.URL, err = url.ParseRequestURI(r.target); err != nil {
		return nil, fmt.Errorf("the request cannot be sent: %w", err)
	}
	sigv4.Sign(hr, r.body, admin, account.Region, r.service, w.time())
	if r.forge != nil {
		r.forge(hr)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the handler panics: %v", p)
		}
	}()
	a = &answer{header: http.Header{}}
	w.handler.ServeHTTP(a, hr)
	return a, nil
}

// keys has one key, which permits everything.
type keys struct{}

func (keys) Lookup(id string) (sigv4.Credential, error) {
	if id == admin.AccessKeyID {
		return admin, nil
	}
	return sigv4.Credential{}, sigv4.ErrUnknownKey
}

func (keys) Caller(string) (identity.Caller, error) {
	return identity.Unrestricted("arn:aws:iam::111122223333:user/contract"), nil
}

// faults is a log that keeps failures.
type faults struct {
	mu   sync.Mutex
	said []string
}

// Enabled reports whether failures are logged at this level.
func (f *faults) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle keeps a record.
func (f *faults) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "device request" {
		return nil // the data plane also logs refusals, which are in the answers
	}
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	f.mu.Lock()
	defer f.mu.Unlock()
	f.said = append(f.said, text)
	return nil
}

// WithAttrs returns the same log; its attributes are not needed.
func (f *faults) WithAttrs([]slog.Attr) slog.Handler { return f }

// WithGroup returns the same log, like WithAttrs.
func (f *faults) WithGroup(string) slog.Handler { return f }

// take returns what was logged since the last call.
func (f *faults) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	said := f.said
	f.said = nil
	return said
}
