package s3api_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/files/s3api"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/sigv4"
	"github.com/muster-iot/muster/store/memstore"
)

// keyed is a server of job files with access keys in a file; one of them may read and
// write bucket lab.
type keyed struct {
	*env
	keys *identity.Keys
	key  identity.Key
}

func newKeyed(t *testing.T) *keyed {
	t.Helper()
	const account = "111122223333"
	index := memstore.New()
	t.Cleanup(func() { index.Close() })
	folder := t.TempDir()
	keys, err := identity.OpenKeys(identity.KeysOptions{Path: filepath.Join(folder, "keys.json"), Account: account, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	key := identity.NewKey(account, "ann")
	key.Policies = []string{`{"Statement":{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::lab/*"}}`}
	if err := keys.Add(key); err != nil {
		t.Fatal(err)
	}
	files, err := diskstore.Open(t.Context(), diskstore.Options{Dir: filepath.Join(folder, "files"), Index: index, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := files.CreateBucket(t.Context(), "lab"); err != nil {
		t.Fatal(err)
	}
	server, err := s3api.New(s3api.Options{Files: files, Keys: keys, Own: own, Region: region, Account: account, Now: time.Now, OwnNow: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	k := &keyed{&env{Server: httptest.NewServer(server), t: t, files: files}, keys, key}
	t.Cleanup(k.Close)
	return k
}

// lost are the ways in which a key loses a right that is in use.
var lost = map[string]func(k *keyed) error{
	"the key is removed": func(k *keyed) error { return k.keys.Remove(k.key.AccessKeyID) },
	"the key may do something else": func(k *keyed) error {
		other := k.key
		other.Policies = []string{`{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::other/*"}}`}
		return errors.Join(k.keys.Remove(k.key.AccessKeyID), k.keys.Add(other))
	},
}

func TestADownloadEndsWithTheRightToIt(t *testing.T) {
	for name, lose := range lost {
		t.Run(name, func(t *testing.T) {
			k := newKeyed(t)
			const size = 64 << 20 // more than all buffers of the connection hold
			content := diskstore.Content{Body: io.LimitReader(zeros{}, size), Size: size}
			if _, err := k.files.Put(t.Context(), "lab", "large", content, diskstore.Attributes{}, diskstore.Precondition{}); err != nil {
				t.Fatal(err)
			}
			answer, err := k.Client().Do(k.signed(k.key.Credential, "GET", "/lab/large", ""))
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				t.Fatalf("GET = %s", answer.Status)
			}
			if err := lose(k); err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, answer.Body); err == nil {
				t.Errorf("all %d bytes arrived, want the download cut off", n)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestAnUploadEndsWithTheRightToIt(t *testing.T) {
	for name, lose := range lost {
		t.Run(name, func(t *testing.T) {
			k := newKeyed(t)
			body, feed := io.Pipe()
			r := k.request("PUT", "/lab/new", "")
			r.Body, r.ContentLength = body, 8
			r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
			sigv4.Sign(r, nil, k.key.Credential, region, "s3", time.Now())
			done := make(chan reply, 1)
			go func() { done <- k.send(r) }()
			if _, err := feed.Write([]byte("text")); err != nil {
				t.Fatal(err)
			}
			for end := time.Now().Add(time.Minute); k.files.Used() < 4; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("the first half did not arrive")
				}
			}
			if err := lose(k); err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = io.Copy(feed, strings.NewReader("text")); feed.Close() }()
			if got := <-done; got.status != http.StatusForbidden {
				t.Errorf("PUT = %s, want it refused", got)
			}
			if _, err := k.files.Stat(t.Context(), "lab", "new", ""); err == nil {
				t.Error("the object is there")
			}
			if k.files.Used() != 0 {
				t.Errorf("%d bytes are left of it", k.files.Used())
			}
		})
	}
}

// A presigned URL is valid no longer than the key that signed it.
func TestAPresignedURLEndsWithItsKey(t *testing.T) {
	for _, kind := range []string{"version 4", "version 2"} {
		for name, lose := range lost {
			t.Run(kind+", "+name, func(t *testing.T) {
				k := newKeyed(t)
				content := diskstore.Content{Body: bytes.NewReader([]byte("text")), Size: 4}
				if _, err := k.files.Put(t.Context(), "lab", "a", content, diskstore.Attributes{}, diskstore.Precondition{}); err != nil {
					t.Fatal(err)
				}
				target := k.URL + "/lab/a?" + legacy(k.key.Credential, "GET", "/lab/a", "")
				if kind == "version 4" {
					r := k.request("GET", "/lab/a", "")
					sigv4.Presign(r, k.key.Credential, region, "s3", time.Hour, time.Now())
					target = r.URL.String()
				}
				get := func() int {
					answer, err := k.Client().Get(target)
					if err != nil {
						t.Fatal(err)
					}
					defer answer.Body.Close()
					return answer.StatusCode
				}
				if got := get(); got != http.StatusOK {
					t.Fatalf("GET = %d, want 200", got)
				}
				if err := lose(k); err != nil {
					t.Fatal(err)
				}
				if got := get(); got != http.StatusForbidden {
					t.Errorf("GET after that = %d, want 403", got)
				}
			})
		}
	}
}
