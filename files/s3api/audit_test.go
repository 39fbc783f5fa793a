package s3api_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/files/s3api"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/sigv4"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

// newLog returns audit records in a store, and a function that returns what they say.
func newLog(t *testing.T, s store.Store) (*audit.Log, func() []string) {
	t.Helper()
	var ahead atomic.Int64
	commits := commit.New(commit.Options{Store: s, Now: func() muster.Instant { return muster.At(time.Now()) + muster.Instant(ahead.Load()) }})
	log := audit.New(audit.Options{Settings: audit.Settings{Days: 1}, Store: s, Commits: commits, Pages: listing.NewPager(nil)})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	return log, func() (all []string) {
		ahead.Store(2000) // refused ones are written after a second
		go func() { ended <- commits.Run(ctx) }()
		if _, err := commits.Work(t.Context(), nil, log); err != nil {
			t.Error(err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		page, err := log.Lookup(t.Context(), audit.Query{Page: listing.Page{Limit: 250}})
		if err != nil {
			t.Error(err)
		}
		for _, r := range page.Records {
			text := fmt.Sprint(r.User, " ", r.Operation, " ", r.Outcome, " ", strings.Join(append(r.Resources, r.Error), " "))
			if r.AccessKeyID == "" || r.Address != "127.0.0.1" || r.Service != "s3" || r.RequestID == "" {
				t.Errorf("the record %+v lacks something", r)
			}
			all = append(all, strings.TrimSpace(strings.ReplaceAll(text, "arn:aws:s3:::", "")))
		}
		slices.Sort(all)
		return all
	}
}

func TestChangesOfFilesAreRecorded(t *testing.T) {
	index := memstore.New()
	log, records := newLog(t, index)
	e := newEnvOn(t, index, s3api.Options{Audit: func() *audit.Log { return log }}, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::lab/mine*"}]}`, diskstore.Limits{})
	e.must("PUT", "/new", "")
	e.must("PUT", "/lab/a", "one")
	e.must("PUT", "/lab/a", "two")
	e.must("GET", "/lab/a", "")
	e.must("PUT", "/lab/b", "", "X-Amz-Copy-Source: /lab/a")
	_, rest, _ := strings.Cut(e.must("POST", "/lab/big?uploads", "").body, "<UploadId>")
	id, _, _ := strings.Cut(rest, "</UploadId>")
	etag := e.must("PUT", "/lab/big?partNumber=1&uploadId="+id, "part").header.Get("ETag")
	e.must("POST", "/lab/big?uploadId="+id, `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>`+etag+`</ETag></Part></CompleteMultipartUpload>`)
	e.must("POST", "/lab?delete", `<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object><Object><Key>none</Key></Object></Delete>`)
	e.must("DELETE", "/new", "")
	e.must("DELETE", "/lab/none", "") // changes nothing
	for _, s := range []struct{ method, target, body string }{
		{"GET", "/lab/big", ""}, {"PUT", "/lab/big", "x"}, {"PUT", "/lab/mine", "x"}, {"DELETE", "/lab/mine?versionId=x", ""},
		{"POST", "/lab?delete", `<Delete><Object><Key>mine</Key></Object><Object><Key>big</Key></Object></Delete>`},
	} {
		e.send(e.signed(limited, s.method, s.target, s.body))
	}
	e.send(e.signed(sigv4.Credential{AccessKeyID: limited.AccessKeyID, Secret: "wrong"}, "PUT", "/lab/mine", "x"))
	if got := e.send(e.presigned(own, "PUT", "/lab/mine", "of a device")); got.status != http.StatusOK {
		t.Errorf("an upload with a link of the deployment = %s", got)
	}
	want := []string{
		"admin CompleteMultipartUpload done lab/big",
		"admin CopyObject done lab/b lab/a",
		"admin CreateBucket done new",
		"admin DeleteBucket done new",
		"admin DeleteObjects done lab lab/a lab/b lab/none",
		"admin PutObject done lab/a",
		"admin PutObject done lab/a",
		"limited DeleteObjects done lab lab/mine lab/big AccessDenied",
		"limited GetObject refused lab/big AccessDenied",
		"limited PutObject done lab/mine",
		"limited PutObject refused lab/big AccessDenied",
	}
	if got := records(); !slices.Equal(got, want) {
		t.Errorf("the records are\n%s", strings.Join(got, "\n"))
	}
}
