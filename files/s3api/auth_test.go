package s3api

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/iotpolicy"
	"github.com/muster-iot/muster/sigv4"
	"github.com/muster-iot/muster/store/memstore"
)

// reader is a key that may read bucket open, and nothing else.
type reader struct{ t *testing.T }

var readerKey = sigv4.Credential{AccessKeyID: "AKIAREADER", Secret: "reader-secret"}

func (reader) Lookup(id string) (sigv4.Credential, error) {
	if id != readerKey.AccessKeyID {
		return sigv4.Credential{}, sigv4.ErrUnknownKey
	}
	return readerKey, nil
}

func (r reader) Caller(string) (identity.Caller, error) {
	p, err := iotpolicy.Parse("reader", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::open/*"}]}`)
	if err != nil {
		r.t.Fatal(err)
	}
	return identity.Caller{ARN: "arn:aws:iam::000000000000:user/reader", Policies: iotpolicy.Set{p}}, nil
}

var ownKey = sigv4.Credential{AccessKeyID: "AKIAMUSTER", Secret: "own-secret"}

func newServer(t *testing.T) (*Server, time.Time) {
	t.Helper()
	index := memstore.New()
	t.Cleanup(func() { index.Close() })
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	clock := func() time.Time { return now }
	files, err := diskstore.Open(t.Context(), diskstore.Options{Dir: filepath.Join(t.TempDir(), "files"), Index: index, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	for _, bucket := range []string{"open", "closed"} {
		if err := files.CreateBucket(t.Context(), bucket); err != nil {
			t.Fatal(err)
		}
		content := diskstore.Content{Body: strings.NewReader("text"), Size: 4}
		if _, err := files.Put(t.Context(), bucket, "a", content, diskstore.Attributes{}, diskstore.Precondition{}); err != nil {
			t.Fatal(err)
		}
	}
	s, err := New(Options{Files: files, Keys: reader{t}, Own: ownKey, Region: "us-east-1", Account: "000000000000", Now: clock, OwnNow: clock})
	if err != nil {
		t.Fatal(err)
	}
	return s, now
}

// legacyURL presigns a GET with signature version 2.
func legacyURL(path string, key sigv4.Credential, until time.Time) string {
	mac := hmac.New(sha1.New, []byte(key.Secret))
	fmt.Fprintf(mac, "GET\n\n\n%d\n%s", until.Unix(), path)
	return fmt.Sprintf("%s?AWSAccessKeyId=%s&Expires=%d&Signature=%s", path, key.AccessKeyID, until.Unix(),
		url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil))))
}

// Everybody who has seen a URL of the deployment's own key knows its id. Naming that id
// next to a signature with another key must give no rights.
func TestOnlyWhatTheDeploymentSignedHasItsRights(t *testing.T) {
	claim := "X-Amz-Credential=" + url.QueryEscape(ownKey.AccessKeyID+"/20260102/us-east-1/s3/aws4_request")
	for name, tt := range map[string]struct {
		bucket, how string
		more        string // further parameters
		want        int
	}{
		"a header, what the key may":                   {"open", "header", "", 200},
		"a header, what it may not":                    {"closed", "header", "", 403},
		"a header, and the name of the own key":        {"closed", "header", claim, 403},
		"an old URL, what the key may":                 {"open", "legacy", "", 200},
		"an old URL, what it may not":                  {"closed", "legacy", "", 403},
		"an old URL, and the name of the own key":      {"closed", "legacy", claim, 403},
		"a presigned URL, what the key may not":        {"closed", "presigned", "", 403},
		"a presigned URL of the own key":               {"closed", "own", "", 200},
		"a header, and a name with the same beginning": {"closed", "header", claim + "x", 403},
	} {
		s, now := newServer(t)
		target := "/" + tt.bucket + "/a"
		switch {
		case tt.how == "legacy":
			target = legacyURL(target, readerKey, now.Add(time.Hour))
			if tt.more != "" {
				target += "&" + tt.more
			}
		case tt.more != "":
			target += "?" + tt.more
		}
		r := httptest.NewRequest("GET", target, nil)
		switch tt.how {
		case "header":
			sigv4.Sign(r, nil, readerKey, "us-east-1", "s3", now)
		case "presigned":
			sigv4.Presign(r, readerKey, "us-east-1", "s3", time.Hour, now)
		case "own":
			sigv4.Presign(r, ownKey, "us-east-1", "s3", time.Hour, now)
		}
		r.RequestURI = r.URL.RequestURI()
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != tt.want {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, tt.want)
		}
	}
}
