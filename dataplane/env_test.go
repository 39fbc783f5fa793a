package dataplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/internal/teststore"
	"github.com/muster-iot/muster/iotpolicy"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/pebblestore"
)

var (
	_ Publisher     = (*gateway.Server)(nil)
	_ jobs.Audience = (*Notifier)(nil)
)

func TestMain(m *testing.M) { os.Exit(teststore.Main(m)) }

// stores returns all stores that everything must run on, or the one that the suites are
// aimed at.
func stores(t *testing.T) map[string]func(t *testing.T) store.Store {
	if teststore.Postgres(t) {
		return map[string]func(*testing.T) store.Store{"pgstore": newStore}
	}
	return map[string]func(*testing.T) store.Store{
		"memstore": newStore,
		"pebblestore": func(t *testing.T) store.Store {
			s, err := pebblestore.Open("data", pebblestore.Options{FS: vfs.NewMem()})
			if err != nil {
				t.Fatalf("open the store: %v", err)
			}
			return s
		},
	}
}

// newStore returns an empty store, in memory unless the suites are aimed at another.
func newStore(t *testing.T) store.Store {
	t.Helper()
	return teststore.New(t, func() store.Store { return memstore.New() })
}

// env is the whole server but its sockets: the service on a store, the data
// plane, and a gateway whose clients are on in-memory connections. It lives in
// a synctest bubble, so settle knows when everything has happened.
type env struct {
	*service.Service
	t        *testing.T
	mqtt     *MQTT
	http     *HTTP
	gateway  *gateway.Server
	notifier *Notifier
	clients  map[string]*mqtttest.Client
	version  byte // of the clients

	mu       sync.Mutex
	answers  []*httpAnswer // to requests, not yet returned by heard
	observed []Observation
}

var account = muster.Account{ID: "000000000000", Region: "us-east-1"}

// beginning is when an env's time begins; a bubble's own begins in the year 2000.
const beginning = 1_790_000_000

func now() time.Time { return time.Now().Add((beginning - 946_684_800) * time.Second) }

// options change an env's service.
type options func(*Options, *service.Options)

func newEnv(t *testing.T, s store.Store, version byte, change ...options) *env {
	t.Helper()
	env := &env{t: t, version: version, clients: map[string]*mqtttest.Client{}}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError + 1}))
	o := Options{Account: account, Now: now, Log: log, Observe: env.observe}
	so := service.Options{
		Store: s, Account: account, Now: func() muster.Instant { return muster.At(now()) },
		Audience: audience{env},
		Objects:  files{},
	}
	for _, c := range change {
		c(&o, &so)
	}
	env.Service = service.New(so)
	o.Jobs = env.Jobs
	plane := New(o)
	env.mqtt, env.http = plane.MQTT(), plane.HTTP()
	var err error
	env.gateway, err = gateway.New(t.Context(), gateway.Options{Authorizer: everybody{}, Reserved: env.mqtt, Log: log})
	if err != nil {
		t.Fatalf("gateway: %v", err)
	}
	env.notifier = NewNotifier(NotifierOptions{Publisher: env.gateway, Log: log})

	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { env.Run(ctx) })
	running.Go(func() { env.gateway.Run(ctx) })
	running.Go(func() { env.notifier.Run(ctx) })
	t.Cleanup(func() {
		env.http.Drain()
		cancel()
		running.Wait()
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return env
}

// audience is the notifier of an env. No subscriber is kept across restarts.
type audience struct{ env *env }

func (audience) Keep(store.QueueKey, muster.Change) bool { return false }
func (a audience) Hears(key store.QueueKey) bool         { return a.env.notifier.Hears(key) }
func (a audience) Notify(n []jobs.Notification)          { a.env.notifier.Notify(n) }

func (env *env) observe(o Observation) {
	env.mu.Lock()
	defer env.mu.Unlock()
	o.Took = 0
	env.observed = append(env.observed, o)
}

// files is a store of job files that presigns as package files does.
type files struct{}

func (files) Locate(url string) (muster.Object, error) {
	parts := strings.SplitN(strings.TrimPrefix(url, "https://s3.us-east-1.amazonaws.com/"), "/", 2)
	if len(parts) != 2 {
		return muster.Object{}, muster.Errorf(muster.Invalid, "not of this store")
	}
	return muster.Object{Region: account.Region, Bucket: parts[0], Key: parts[1]}, nil
}

func (files) Check(context.Context, muster.Object, bool) error { return nil }

func (files) Sign(_ context.Context, o muster.Object) (string, error) {
	return "signature of " + o.Key + "@" + o.Version, nil
}

func (files) Presign(o muster.Object, upload bool, life time.Duration, at muster.Instant) (string, error) {
	if o.Key == "lost" {
		return "", errors.New("there is no key to sign with")
	}
	return fmt.Sprintf("https://files/%s/%s?put=%t&X-Amz-Date=%s&X-Amz-Expires=%.0f", o.Bucket, o.Key, upload, at.Time().Format("150405"), life.Seconds()), nil
}

// everybody may do everything.
type everybody struct{}

func (everybody) Connect(context.Context, gateway.Connect) (gateway.Grant, error) {
	return everybody{}, nil
}
func (everybody) Principal() string          { return "everybody" }
func (everybody) Publish(string, bool) error { return nil }
func (everybody) Subscribe(string) error     { return nil }
func (everybody) Receive(string) bool        { return true }

// settle returns when all that is due has been done.
func (env *env) settle() {
	env.t.Helper()
	for more := true; more; {
		agenda, err := env.Work(env.t.Context())
		if err != nil {
			env.t.Fatalf("Work: %v", err)
		}
		more = agenda.More
	}
	synctest.Wait()
}

// client returns the MQTT client called name, connected.
func (env *env) client(name string) *mqtttest.Client {
	env.t.Helper()
	if c, ok := env.clients[name]; ok {
		return c
	}
	ours, theirs := net.Pipe()
	go env.gateway.ServeConn(ours, gateway.Peer{Addr: "pipe"})
	c := mqtttest.New(env.t, theirs, env.version)
	if ack := c.Connect(packet.Connect{ClientID: name, Clean: true}); ack.Reason != packet.Success {
		env.t.Fatalf("CONNECT of %s is refused: %v", name, ack.Reason)
	}
	env.clients[name] = c
	return c
}

// heard returns what all clients and HTTP requests received since the last call,
// as a transcript writes it.
func (env *env) heard() []string {
	env.t.Helper()
	lines := env.answered()
	names := make([]string, 0, len(env.clients))
	for name := range env.clients {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		who := ""
		if name != lamp {
			who = name + ": "
		}
		c := env.clients[name]
		c.Send(packet.Pingreq{})
		for p := c.Next(); p != (packet.Pingresp{}); p = c.Next() {
			switch p := p.(type) {
			case *packet.Publish:
				if p.QoS == 1 {
					c.Send(&packet.Puback{ID: p.ID})
				}
				if p.Retain || p.Dup {
					env.t.Errorf("%s is sent to %s with RETAIN or DUP", p.Topic, name)
				}
				lines = append(lines, "expect "+who+p.Topic, "       "+string(p.Payload))
			case *packet.Puback:
				if p.Reason >= 0x80 {
					lines = append(lines, "expect "+who+"PUBACK "+p.Reason.String())
				}
			default:
				lines = append(lines, fmt.Sprintf("expect %s%T", who, p))
			}
		}
	}
	return lines
}

// lamp is the device of the transcripts; a client of another name is some other
// connection.
const lamp = "lamp"

// admin may do everything over HTTPS.
func admin(t *testing.T) identity.Caller {
	t.Helper()
	return caller(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)
}

func caller(t *testing.T, document string) identity.Caller {
	t.Helper()
	p, err := iotpolicy.Parse("test", document)
	if err != nil {
		t.Fatalf("policy: %v", err)
	}
	return identity.Caller{ARN: "arn:aws:iam::000000000000:user/admin", Policies: iotpolicy.Set{p}}
}

// httpAnswer is the answer to an HTTP request, nil lines until it has come.
type httpAnswer struct{ lines []string }

// ask sends an HTTP request; heard returns its answer when it has come.
func (env *env) ask(method, target, prefer, body string) {
	env.t.Helper()
	r := httptest.NewRequestWithContext(env.t.Context(), method, target, strings.NewReader(body))
	if prefer != "" {
		r.Header.Set("Prefer", prefer)
	}
	w := httptest.NewRecorder()
	who := admin(env.t)
	env.mu.Lock()
	defer env.mu.Unlock()
	a := &httpAnswer{}
	env.answers = append(env.answers, a)
	go func() {
		env.http.ServeCaller(w, r, who)
		env.mu.Lock()
		defer env.mu.Unlock()
		a.lines = []string{"expect " + status(w.Result()), "       " + w.Body.String()}
	}()
}

// answered returns the answers that have come, in the order of the requests.
func (env *env) answered() (lines []string) {
	env.mu.Lock()
	defer env.mu.Unlock()
	env.answers = slices.DeleteFunc(env.answers, func(a *httpAnswer) bool {
		lines = append(lines, a.lines...)
		return a.lines != nil
	})
	return lines
}

// status returns an answer's first line as a transcript writes it.
func status(r *http.Response) string {
	defer io.Copy(io.Discard, r.Body)
	line := fmt.Sprint(r.StatusCode)
	for _, name := range []string{"X-Amzn-ErrorType", "Preference-Applied"} {
		if v := r.Header.Get(name); v != "" {
			line += " " + v
		}
	}
	return line
}
