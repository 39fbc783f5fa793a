package awsiot

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/awsiot/route"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/awsiot/wire/wiretest"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/identity/ca"
	"github.com/muster-iot/muster/internal/teststore"
	"github.com/muster-iot/muster/iotpolicy"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/sigv4"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

// env is a server on its own service and store, with a clock that tests move. Every
// answer of an operation that the server implements is checked against the model.
type env struct {
	t       testing.TB
	service *service.Service
	store   store.Store
	server  *Server
	checker *wiretest.Checker
	router  *route.Router
	key     sigv4.Credential // that requests are signed with
	stop    func()           // ends the service and closes the store

	mu  sync.Mutex
	now muster.Instant
}

const testEpoch = muster.Instant(1_790_000_000_123)

var (
	testAccount = muster.Account{ID: "111122223333", Region: "eu-west-1"}
	admin       = sigv4.Credential{AccessKeyID: "AKIDADMIN", Secret: "admin-secret"}
	limited     = sigv4.Credential{AccessKeyID: "AKIDLIMITED", Secret: "limited-secret"}
)

// testKeys has two keys: admin, who may do everything, and limited, who may do
// what policy says.
type testKeys struct{ policy string }

const everything = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

func (testKeys) Lookup(id string) (sigv4.Credential, error) {
	for _, c := range []sigv4.Credential{admin, limited} {
		if c.AccessKeyID == id {
			return c, nil
		}
	}
	return sigv4.Credential{}, sigv4.ErrUnknownKey
}

func (k testKeys) Caller(id string) (identity.Caller, error) {
	if id == admin.AccessKeyID {
		return adminCaller, nil
	}
	p, err := iotpolicy.Parse("test", k.policy)
	return identity.Caller{ARN: "arn:aws:iam::111122223333:user/" + id, Policies: iotpolicy.Set{p}}, err
}

var adminCaller = identity.Unrestricted("arn:aws:iam::111122223333:user/AKIDADMIN")

var testIssuer = sync.OnceValue(func() *ca.Authority {
	issuer, err := ca.New(testEpoch.Time())
	if err != nil {
		panic(err)
	}
	return issuer
})

func newEnv(t testing.TB) *env { return newEnvWith(t, Options{}) }

func newEnvWith(t testing.TB, o Options) *env {
	t.Helper()
	return newEnvOn(t, newStore(t), o)
}

// newStore returns an empty store, in memory unless the suites are aimed at another.
func newStore(t testing.TB) store.Store {
	t.Helper()
	return teststore.New(t, func() store.Store { return memstore.New() })
}

func newEnvOn(t testing.TB, s store.Store, o Options) *env {
	t.Helper()
	return newEnvWithFiles(t, s, o, nil)
}

// newEnvWithFiles is newEnvOn with a store of job files.
func newEnvWithFiles(t testing.TB, s store.Store, o Options, files jobs.Objects) *env {
	t.Helper()
	env := &env{
		t: t, store: s, checker: wiretest.New(t), router: route.New(wire.Operations()),
		key: admin, now: testEpoch,
	}
	env.service = service.New(service.Options{Store: env.store, Account: testAccount, Now: env.clock, Objects: files, Audit: audit.Settings{Days: 400}})
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- env.service.Run(ctx) }()
	env.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Errorf("Run: %v", err)
		}
		if err := env.store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	t.Cleanup(env.stop)
	rooms := env.service
	o.Catalog, o.Events, o.Jobs, o.Registry, o.Rights, o.Tags = rooms.Catalog, rooms.Events, rooms.Jobs, rooms.Registry, rooms.Rights, rooms.Tags
	o.Audit = rooms.Audit
	o.Account, o.Now = testAccount, func() time.Time { return env.clock().Time() }
	if o.Keys == nil {
		o.Keys = testKeys{everything}
	}
	if o.Issuer == nil {
		o.Issuer = testIssuer()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	var err error
	if env.server, err = New(o); err != nil {
		t.Fatalf("New: %v", err)
	}
	return env
}

func (env *env) clock() muster.Instant {
	env.mu.Lock()
	defer env.mu.Unlock()
	return env.now
}

// pass moves the clock forward.
func (env *env) pass(ms int64) {
	env.mu.Lock()
	defer env.mu.Unlock()
	env.now += muster.Instant(ms)
}

// reply is the answer to a request.
type reply struct {
	status int
	header http.Header
	body   string
}

// errorType is the name of the error, empty for a success.
func (r reply) errorType() string { return r.header.Get("x-amzn-ErrorType") }

// send signs a request for the control plane and sends it.
func (env *env) send(method, target, body string) reply {
	env.t.Helper()
	return env.sendWith(nil, method, target, body)
}

// sendWith is send for a request with more headers.
func (env *env) sendWith(headers http.Header, method, target, body string) reply {
	env.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	maps.Copy(r.Header, headers)
	sigv4.Sign(r, []byte(body), env.key, testAccount.Region, "iot", env.clock().Time())
	return env.serve(r)
}

// serve sends a request as it is and checks the answer against the model.
func (env *env) serve(r *http.Request) reply {
	env.t.Helper()
	rec := httptest.NewRecorder()
	env.server.ServeHTTP(rec, r)
	got := reply{rec.Code, rec.Header(), rec.Body.String()}
	if rec.Header().Get("x-amzn-RequestId") == "" {
		env.t.Errorf("%s %s: no request id", r.Method, r.URL)
	}
	m, err := env.router.Match("iot", r.Method, r.URL.EscapedPath())
	if err == nil && env.server.operations[m.Operation].run != nil && !unmodeled[got.errorType()] {
		env.checker.Check(env.t, m.Operation, got.status, got.header, []byte(got.body))
	}
	return got
}

// unmodeled are the errors of this package that no operation models.
var unmodeled = map[string]bool{
	"AccessDeniedException": true, "MissingAuthenticationTokenException": true, "IncompleteSignatureException": true,
	"UnrecognizedClientException": true, "InvalidSignatureException": true, "RequestEntityTooLargeException": true,
}

// must sends a request that must succeed and returns the body of the answer.
func (env *env) must(method, target, body string) string {
	env.t.Helper()
	got := env.send(method, target, body)
	if got.status != http.StatusOK {
		env.t.Fatalf("%s %s %s = %d %s %s, want 200", method, target, body, got.status, got.errorType(), got.body)
	}
	return got.body
}

// wantError sends a request that must fail with this status and error.
func (env *env) wantError(method, target, body string, status int, errorType string) reply {
	env.t.Helper()
	got := env.send(method, target, body)
	if got.status != status || got.errorType() != errorType {
		env.t.Errorf("%s %s %s = %d %s %s, want %d %s", method, target, body, got.status, got.errorType(), got.body, status, errorType)
	}
	return got
}

// want compares an answer with what it must be.
func (env *env) want(call, got, want string) {
	env.t.Helper()
	if got != want {
		env.t.Errorf("%s\n got %s\nwant %s", call, got, want)
	}
}

// settle does the background work that is due.
func (env *env) settle() {
	env.t.Helper()
	for range 10_000 {
		agenda, err := env.service.Work(env.t.Context())
		if err != nil {
			env.t.Fatalf("Work: %v", err)
		}
		if !agenda.More {
			return
		}
	}
	env.t.Fatal("the background work never ends")
}

// thing registers things.
func (env *env) thing(names ...string) {
	env.t.Helper()
	things := store.Of[muster.Thing]{Table: "thing"}
	err := store.Update(env.t.Context(), env.store, func(tx store.Tx) error {
		for _, name := range names {
			things.Put(tx, name, muster.Thing{Name: muster.ThingName(name), ID: "id-" + name, Version: 1})
		}
		return nil
	})
	if err != nil {
		env.t.Fatalf("thing(%v): %v", names, err)
	}
}

// job creates a job for things and rolls it out.
func (env *env) job(id string, things ...string) {
	env.t.Helper()
	env.must("PUT", "/jobs/"+id, `{"targets":[`+quoted(things)+`],"document":"{\"do\":\"`+id+`\"}"}`)
	env.settle()
}

// quoted lists the ARNs of things as JSON.
func quoted(things []string) string {
	var arns []string
	for _, name := range things {
		arns = append(arns, `"`+testAccount.ARN("thing", name)+`"`)
	}
	return strings.Join(arns, ",")
}

// report has a device report a status of an execution.
func (env *env) report(thing, job string, status muster.Status, details map[string]string) {
	env.t.Helper()
	_, err := commit.Await(env.t.Context(), func(done func(jobs.Described, error)) {
		env.service.Jobs.UpdateExecution(jobs.UpdateInput{
			Thing: muster.ThingName(thing), Job: muster.JobID(job), Status: status, Details: details,
		}, done)
	})
	if err != nil {
		env.t.Fatalf("report(%s, %s, %s): %v", thing, job, status, err)
	}
}

func (env *env) sign(r *http.Request, body string, service string) *http.Request {
	sigv4.Sign(r, []byte(body), env.key, testAccount.Region, service, env.clock().Time())
	return r
}

// controlPlane returns the operations that this package serves itself.
func controlPlane() []*wire.Operation {
	return slices.DeleteFunc(Implemented(), func(op *wire.Operation) bool { return op.Service != wire.ControlPlane })
}
