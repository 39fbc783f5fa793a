package s3api_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/files/s3api"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/iotpolicy"
	"github.com/muster-iot/muster/sigv4"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

const region = "eu-west-1"

var (
	admin   = sigv4.Credential{AccessKeyID: "AKIDADMIN", Secret: "admin-secret"}
	limited = sigv4.Credential{AccessKeyID: "AKIDLIMITED", Secret: "limited-secret"}
	own     = sigv4.Credential{AccessKeyID: "AKIDOWN", Secret: "own-secret"}
)

const nothing = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`

// keys holds two keys: admin, who may do everything, and limited, with this policy.
type keys string

func (keys) Lookup(id string) (sigv4.Credential, error) {
	for _, c := range []sigv4.Credential{admin, limited} {
		if c.AccessKeyID == id {
			return c, nil
		}
	}
	return sigv4.Credential{}, sigv4.ErrUnknownKey
}

func (k keys) Caller(id string) (identity.Caller, error) {
	if id == admin.AccessKeyID {
		return identity.Unrestricted("arn:aws:iam::111122223333:user/admin"), nil
	}
	p, err := iotpolicy.Parse("test", string(k))
	return identity.Caller{ARN: "arn:aws:iam::111122223333:user/limited", Policies: iotpolicy.Set{p}}, err
}

// env is a server of job files with the bucket "lab".
type env struct {
	*httptest.Server
	t     testing.TB
	files *diskstore.Store
	skip  time.Duration // how far the clock of jobs is ahead of real time
}

func newEnv(t testing.TB, o s3api.Options, policy string, limits diskstore.Limits) *env {
	t.Helper()
	return newEnvOn(t, memstore.New(), o, policy, limits)
}

// newEnvOn is newEnv with the index in a store.
func newEnvOn(t testing.TB, index store.Store, o s3api.Options, policy string, limits diskstore.Limits) *env {
	t.Helper()
	t.Cleanup(func() { index.Close() })
	e := &env{t: t}
	var err error
	e.files, err = diskstore.Open(t.Context(), diskstore.Options{Dir: filepath.Join(t.TempDir(), "files"), Index: index, Now: time.Now, Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	o.Files, o.Own, o.Region, o.Account, o.Keys = e.files, own, region, "111122223333", keys(policy)
	if o.Now == nil {
		o.Now = time.Now
	}
	o.OwnNow = func() time.Time { return time.Now().Add(e.skip) }
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	}
	server, err := s3api.New(o)
	if err != nil {
		t.Fatal(err)
	}
	e.Server = httptest.NewServer(server)
	t.Cleanup(e.Close)
	if err := e.files.CreateBucket(t.Context(), "lab"); err != nil {
		t.Fatal(err)
	}
	return e
}

// client returns a client of the AWS SDK for e, with key c.
func (e *env) client(c sigv4.Credential) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(e.URL), Region: region, UsePathStyle: true, RetryMaxAttempts: 1, HTTPClient: e.Client(),
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, string(c.Secret), ""),
	})
}

// request returns a request without a signature.
func (e *env) request(method, target, body string) *http.Request {
	e.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, e.URL+target, strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	return r
}

// signed returns a request signed with a key, with headers such as "Range: bytes=0-".
func (e *env) signed(c sigv4.Credential, method, target, body string, headers ...string) *http.Request {
	e.t.Helper()
	r := e.request(method, target, body)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	sigv4.Sign(r, []byte(body), c, region, "s3", time.Now())
	return r
}

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) String() string { return fmt.Sprintf("%d %v %.500s", r.status, r.header, r.body) }

func (e *env) send(r *http.Request) reply {
	e.t.Helper()
	response, err := e.Client().Do(r)
	if err != nil {
		e.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(body)}
}

// must sends a request of admin and fails unless it succeeds.
func (e *env) must(method, target, body string, headers ...string) reply {
	e.t.Helper()
	got := e.send(e.signed(admin, method, target, body, headers...))
	if got.status >= 300 {
		e.t.Fatalf("%s %s = %s", method, target, got)
	}
	return got
}
