package device_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/dataplane"
	"github.com/muster-iot/muster/device"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/iotpolicy"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/sigv4"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

// deployment is a whole server with in-memory connections. It runs in a synctest
// bubble, so that days pass in no time and settle knows when all is idle.
type deployment struct {
	*service.Service
	t        *testing.T
	gateway  *gateway.Server
	notifier *dataplane.Notifier
	http     *pipeListener
	denied   atomic.Bool // MQTT clients may neither publish nor subscribe

	mu       sync.Mutex
	conns    []net.Conn // of MQTT clients, the server's ends
	policies *iotpolicy.Policy
	headers  func(http.Header) // changes what HTTPS requests carry
	requests int               // over HTTPS
}

const (
	thing  = "lamp"
	region = "us-east-1"
)

var credential = sigv4.Credential{AccessKeyID: "AKIDEXAMPLE", Secret: "secret"}

func newDeployment(t *testing.T, change ...func(*service.Options)) *deployment {
	t.Helper()
	s := &deployment{t: t, http: &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError + 1}))
	account := muster.Account{ID: "000000000000", Region: region}
	o := service.Options{
		Store: memstore.New(), Account: account, Now: func() muster.Instant { return muster.At(time.Now()) },
		Audience: audience{s},
	}
	for _, c := range change {
		c(&o)
	}
	s.Service = service.New(o)
	plane := dataplane.New(dataplane.Options{Jobs: s.Jobs, Account: account, Now: time.Now, Log: log})
	var err error
	if s.gateway, err = gateway.New(t.Context(), gateway.Options{Authorizer: everybody{&s.denied}, Reserved: plane.MQTT(), Log: log}); err != nil {
		t.Fatalf("gateway: %v", err)
	}
	s.notifier = dataplane.NewNotifier(dataplane.NotifierOptions{Publisher: s.gateway, Log: log})
	s.allow(`"*"`)
	https := plane.HTTP()
	server := &http.Server{Handler: s.authenticate(https), ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}

	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	running.Go(func() { s.gateway.Run(ctx) })
	running.Go(func() { s.notifier.Run(ctx) })
	running.Go(func() { server.Serve(s.http) })
	t.Cleanup(func() {
		https.Drain()
		cancel()
		server.Close()
		running.Wait()
	})
	if _, err := s.Registry.CreateThing(t.Context(), muster.Thing{Name: thing}); err != nil {
		t.Fatalf("CreateThing: %v", err)
	}
	return s
}

// audience hands the notifier of a deployment what the thing must be told.
type audience struct{ s *deployment }

func (audience) Keep(store.QueueKey, muster.Change) bool { return false }
func (audience) Hears(store.QueueKey) bool               { return false }
func (a audience) Notify(n []jobs.Notification)          { a.s.notifier.Notify(n) }

// allow replaces what HTTPS callers may do.
func (s *deployment) allow(actions string) {
	s.t.Helper()
	p, err := iotpolicy.Parse("test", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":`+actions+`,"Resource":"*"}]}`)
	if err != nil {
		s.t.Fatalf("policy: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.policies = p
}

// authenticate is the HTTPS edge in front of the data plane.
func (s *deployment) authenticate(next *dataplane.HTTP) http.Handler {
	verifier := sigv4.Verifier{Region: region, Lookup: func(string) (sigv4.Credential, error) { return credential, nil }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if _, err := verifier.Verify(r, body, time.Now()); err != nil {
			s.t.Errorf("%s %s is not signed well: %v", r.Method, r.URL, err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.mu.Lock()
		if s.headers != nil {
			s.headers(r.Header)
		}
		s.requests++
		caller := identity.Caller{ARN: "arn:aws:iam::000000000000:user/lamp", Policies: iotpolicy.Set{s.policies}}
		s.mu.Unlock()
		next.ServeCaller(w, r, caller)
	})
}

// everybody may do everything over MQTT, unless a test has denied it.
type everybody struct{ denied *atomic.Bool }

func (e everybody) Connect(context.Context, gateway.Connect) (gateway.Grant, error) {
	return e, nil
}
func (e everybody) Principal() string          { return "everybody" }
func (e everybody) Publish(string, bool) error { return e.judge() }
func (e everybody) Subscribe(string) error     { return e.judge() }
func (e everybody) Receive(string) bool        { return true }

func (e everybody) judge() error {
	if e.denied.Load() {
		return gateway.ErrRefused
	}
	return nil
}

// dialMQTT opens a connection of a device to the gateway.
func (s *deployment) dialMQTT(context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	s.mu.Lock()
	s.conns = append(s.conns, ours)
	s.mu.Unlock()
	go s.gateway.ServeConn(ours, gateway.Peer{Addr: "pipe"})
	return newBuffered(theirs), nil
}

// buffered is a connection whose writes do not wait for a reader, as those of a
// socket do not: the MQTT library writes while it holds a lock that its reader
// wants.
type buffered struct {
	net.Conn
	out    chan []byte
	closed chan struct{}
	once   sync.Once
}

func newBuffered(c net.Conn) *buffered {
	b := &buffered{Conn: c, out: make(chan []byte, 1000), closed: make(chan struct{})}
	go func() {
		for {
			select {
			case p := <-b.out:
				c.Write(p)
			case <-b.closed:
				c.Close()
				return
			}
		}
	}()
	return b
}

func (b *buffered) Write(p []byte) (int, error) {
	select {
	case b.out <- bytes.Clone(p):
		return len(p), nil
	case <-b.closed:
		return 0, net.ErrClosed
	}
}

func (b *buffered) Close() error {
	b.once.Do(func() { close(b.closed) })
	return nil
}

// cut breaks all MQTT connections.
func (s *deployment) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
	s.conns = nil
}

// pipeListener is a listener for in-memory connections.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- ours:
		return theirs, nil
	case <-l.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// overMQTT returns a client over MQTT, closed when the test ends.
func (s *deployment) overMQTT(namespace string) *device.Client {
	s.t.Helper()
	c, err := device.ConnectMQTT(s.t.Context(), device.MQTTOptions{
		Endpoint: "mqtt://pipe", Thing: thing, Namespace: namespace, Dial: s.dialMQTT,
	})
	return s.closing(c, err)
}

// overHTTPS returns a client over HTTPS, closed when the test ends.
func (s *deployment) overHTTPS(namespace string) *device.Client {
	s.t.Helper()
	c, err := device.NewHTTPS(device.HTTPSOptions{
		Endpoint: "http://muster.test", Thing: thing, Namespace: namespace,
		Credential: &credential, Region: region,
		Client: &http.Client{Transport: &http.Transport{DialContext: s.http.dial}},
	})
	return s.closing(c, err)
}

func (s *deployment) closing(c *device.Client, err error) *device.Client {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("connect: %v", err)
	}
	s.t.Cleanup(func() {
		if err := c.Close(); err != nil {
			s.t.Errorf("Close: %v", err)
		}
	})
	return c
}

// overBoth runs a test in a bubble for each protocol.
func overBoth(t *testing.T, test func(t *testing.T, s *deployment, c *device.Client)) {
	t.Run("MQTT", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { s := newDeployment(t); test(t, s, s.overMQTT("")) })
	})
	t.Run("HTTPS", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { s := newDeployment(t); test(t, s, s.overHTTPS("")) })
	})
}

// job rolls out a job for the thing.
func (s *deployment) job(id string, change ...func(*jobs.NewJob)) {
	s.t.Helper()
	j := jobs.NewJob{ID: muster.JobID(id), Document: `{"n": 1.50}`, Targets: []muster.Target{{Name: thing}}}
	for _, c := range change {
		c(&j)
	}
	if _, err := s.Jobs.CreateJob(s.t.Context(), j); err != nil {
		s.t.Fatalf("CreateJob(%s): %v", id, err)
	}
	s.settle()
	time.Sleep(time.Millisecond) // so that the next one is queued later
}

// settle returns when all that is due has been done and all goroutines wait.
func (s *deployment) settle() {
	s.t.Helper()
	for more := true; more; {
		agenda, err := s.Work(s.t.Context())
		if err != nil {
			s.t.Fatalf("Work: %v", err)
		}
		more = agenda.More
	}
	synctest.Wait()
}

// outcome returns the latest execution of a job as the service has it.
func (s *deployment) outcome(job string) muster.Execution {
	s.t.Helper()
	x, err := s.Jobs.ShowExecution(s.t.Context(), thing, muster.JobID(job), nil)
	if err != nil {
		s.t.Fatalf("ShowExecution(%s): %v", job, err)
	}
	return x.Execution
}

// cancelJob cancels a job by force.
func (s *deployment) cancelJob(job string) {
	s.t.Helper()
	if _, err := s.Jobs.CancelJob(s.t.Context(), muster.JobID(job), jobs.Cancellation{Force: true}); err != nil {
		s.t.Fatalf("CancelJob(%s): %v", job, err)
	}
	s.settle()
}

// deleteJob deletes a job by force.
func (s *deployment) deleteJob(job string) {
	s.t.Helper()
	if err := s.Jobs.DeleteJob(s.t.Context(), muster.JobID(job), nil, true); err != nil {
		s.t.Fatalf("DeleteJob(%s): %v", job, err)
	}
	s.settle()
}
