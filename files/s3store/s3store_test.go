package s3store_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/files"
	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/files/s3api"
	"github.com/muster-iot/muster/files/s3store"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/sigv4"
	"github.com/muster-iot/muster/store/memstore"
)

const account = "000000000000"

// elsewhere is another Muster that serves job files.
type elsewhere struct {
	files *diskstore.Store
	url   *url.URL
	keys  *identity.Keys
	file  string // credentials file with its first key
}

func newElsewhere(t *testing.T) *elsewhere {
	t.Helper()
	index := memstore.New()
	t.Cleanup(func() { index.Close() })
	files, err := diskstore.Open(t.Context(), diskstore.Options{Dir: filepath.Join(t.TempDir(), "files"), Index: index, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := identity.OpenKeys(identity.KeysOptions{Path: filepath.Join(t.TempDir(), "keys.json"), Account: account, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	server, err := s3api.New(s3api.Options{
		Files: files, Keys: keys, Own: identity.NewKey(account, "files").Credential, Region: "eu-west-1", Account: account,
		Now: time.Now, OwnNow: time.Now, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(server)
	t.Cleanup(listener.Close)
	base, err := url.Parse(listener.URL)
	if err != nil {
		t.Fatal(err)
	}
	e := &elsewhere{files: files, url: base, keys: keys, file: filepath.Join(t.TempDir(), "credentials")}
	if err := identity.WriteProfile(e.file, keys.List()[0].Credential, "eu-west-1"); err != nil {
		t.Fatal(err)
	}
	if err := files.CreateBucket(t.Context(), "lab"); err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *elsewhere) put(t *testing.T, key, body string) diskstore.Version {
	t.Helper()
	v, err := e.files.Put(t.Context(), "lab", key, diskstore.Content{Body: strings.NewReader(body), Size: -1},
		diskstore.Attributes{Headers: map[string]string{"Content-Type": "text/plain"}}, diskstore.Precondition{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (e *elsewhere) open(t *testing.T) *s3store.Store {
	t.Helper()
	s, err := s3store.Open(t.Context(), s3store.Options{Endpoint: e.url, Region: "eu-west-1", Credentials: e.file})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestReads(t *testing.T) {
	e := newElsewhere(t)
	if err := e.files.SetVersioning(t.Context(), "lab", diskstore.Enabled); err != nil {
		t.Fatal(err)
	}
	const key = "a b/ä+%2F?.txt"
	old := e.put(t, key, "old")
	e.put(t, key, "new text")
	s := e.open(t)
	for version, want := range map[string]string{"": "new text", old.ID: "old"} {
		o := files.Object{Bucket: "lab", Key: key, Version: version}
		info, err := s.Stat(t.Context(), o)
		if err != nil || info.Size != int64(len(want)) || info.ContentType != "text/plain" || info.Version == "" || info.Modified.IsZero() {
			t.Errorf("Stat(%+v) = %+v, %v", o, info, err)
		}
		body, info, err := s.Open(t.Context(), o, 8)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body)
		if err != nil || string(got) != want || info.Size != int64(len(want)) {
			t.Errorf("Open(%+v) reads %q, %v", o, got, err)
		}
		body.Close()
	}
	if err := s.CheckBucket(t.Context(), "lab"); err != nil {
		t.Errorf("CheckBucket() = %v", err)
	}
}

func TestRefusals(t *testing.T) {
	e := newElsewhere(t)
	e.put(t, "k", "12345")
	s := e.open(t)
	lab := func(key string) files.Object { return files.Object{Bucket: "lab", Key: key} }
	kinds := func(want muster.Kind, errs ...error) {
		t.Helper()
		for i, err := range errs {
			if e, ok := errors.AsType[*muster.Error](err); !ok || e.Kind != want {
				t.Errorf("question %d: %v, want kind %d", i, err, want)
			}
		}
	}
	stat := func(o files.Object) error { _, err := s.Stat(t.Context(), o); return err }
	open := func(o files.Object, limit int64) error { _, _, err := s.Open(t.Context(), o, limit); return err }
	kinds(muster.NotFound, stat(lab("none")), open(lab("none"), 10), stat(files.Object{Bucket: "none", Key: "k"}), s.CheckBucket(t.Context(), "none"),
		stat(files.Object{Bucket: "lab", Key: "k", Version: "none"}))
	kinds(muster.LimitExceeded, open(lab("k"), 4))
	if err := e.keys.Remove(e.keys.List()[0].AccessKeyID); err != nil {
		t.Fatal(err)
	}
	kinds(muster.Forbidden, stat(lab("k")), open(lab("k"), 10), s.CheckBucket(t.Context(), "lab"))
}

// Redirects of a store are not followed, and an error of the store is not taken for one of
// the object.
func TestNoRedirects(t *testing.T) {
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer target.Close()
	status := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", target.URL+"/lab/k")
		w.WriteHeader(status)
	}))
	defer server.Close()
	e := newElsewhere(t)
	var err error
	if e.url, err = url.Parse(server.URL); err != nil {
		t.Fatal(err)
	}
	s := e.open(t)
	for answer, want := range map[int]muster.Kind{
		http.StatusMovedPermanently:  muster.Invalid,
		http.StatusTemporaryRedirect: muster.Invalid,
		http.StatusFound:             muster.Unavailable,
		http.StatusNotImplemented:    muster.Unavailable,
	} {
		status = answer
		_, _, err := s.Open(t.Context(), files.Object{Bucket: "lab", Key: "k"}, 10)
		if e, ok := errors.AsType[*muster.Error](err); !ok || e.Kind != want {
			t.Errorf("Open() of what answers %d = %v, want kind %d", answer, err, want)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const key = "[default]\naws_access_key_id = AKIA\naws_secret_access_key = hidden\n"
	good := write("good", key, 0o600)
	for name, o := range map[string]s3store.Options{
		"no file":              {Credentials: filepath.Join(dir, "none")},
		"read by others":       {Credentials: write("open", key, 0o644)},
		"no key":               {Credentials: write("empty", "[default]\n", 0o600)},
		"another profile":      {Credentials: write("other", strings.Replace(key, "default", "other", 1), 0o600)},
		"a CA that is missing": {Credentials: good, CA: filepath.Join(dir, "none")},
		"a CA that is none":    {Credentials: good, CA: good},
	} {
		o.Endpoint, o.Region = &url.URL{Scheme: "https", Host: "s3.example.com"}, "eu-west-1"
		if _, err := s3store.Open(t.Context(), o); err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: Open() = %v, want an error without the secret", name, err)
		}
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "ENVIRONMENT")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "x")
	s, err := s3store.Open(t.Context(), s3store.Options{Endpoint: &url.URL{Scheme: "https", Host: "s3.example.com"}, Region: "eu-west-1", Credentials: good})
	if err != nil || s.Credential() != (sigv4.Credential{AccessKeyID: "AKIA", Secret: "hidden"}) {
		t.Errorf("Open() = %v, %v; want the key of the file", s, err)
	}
	if text := fmt.Sprintf("%+v", s.Credential()); strings.Contains(text, "hidden") {
		t.Errorf("the key prints as %s", text)
	}
}

// A store elsewhere serves the URLs that are presigned for it.
func TestPresigned(t *testing.T) {
	e := newElsewhere(t)
	s := e.open(t)
	endpoint := &files.Endpoint{URL: e.url, Region: "eu-west-1", Credential: s.Credential}
	o := files.Object{Bucket: "lab", Key: "logs/ä b+.txt"}
	put, err := http.NewRequestWithContext(t.Context(), http.MethodPut, endpoint.PresignPut(o, time.Minute, time.Now()), strings.NewReader("a log"))
	if err != nil {
		t.Fatal(err)
	}
	if got := do(t, put); got != "200 " {
		t.Fatalf("PUT of a presigned URL: %s", got)
	}
	get := func(at time.Time) string {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, endpoint.PresignGet(o, time.Minute, at), nil)
		if err != nil {
			t.Fatal(err)
		}
		return do(t, r)
	}
	if got := get(time.Now()); got != "200 a log" {
		t.Errorf("GET of a presigned URL: %s", got)
	}
	if got := get(time.Now().Add(-2 * time.Minute)); !strings.HasPrefix(got, "403 ") || !strings.Contains(got, "Request has expired") {
		t.Errorf("GET of a URL that ended: %s", got)
	}
}

func do(t *testing.T, r *http.Request) string {
	t.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", response.StatusCode, body)
}
