package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-iot/muster/internal/teststore"
	"github.com/muster-iot/muster/sigv4"
)

// TestNoHalfJobFile kills a real server at random moments while job files are
// uploaded, replaced and deleted. What was answered is there, what is there is
// whole, and what is on disk is what the index says.
func TestNoHalfJobFile(t *testing.T) {
	data, where := filepath.Join(t.TempDir(), "data"), teststore.ServeFlags(t)
	said := uploaded{last: map[string]string{}, open: map[string]string{}}
	for round := range *crashRounds {
		s := startServer(t, data, where...)
		if round == 0 {
			if _, err := s.file(t.Context(), "PUT", "/lab", nil); err != nil {
				t.Fatal(err)
			}
		}
		said.check(t, s)
		working, stop := context.WithCancel(t.Context())
		var clients sync.WaitGroup
		for worker := range 4 {
			clients.Go(func() { said.work(working, s, fmt.Sprintf("w%d", worker), worker%2 == 0) })
		}
		time.Sleep(100*time.Millisecond + rand.N(300*time.Millisecond))
		s.kill(t)
		stop()
		clients.Wait()
		if out, err := exec.Command("muster", append([]string{"admin", "verify", data}, where...)...).CombinedOutput(); err != nil {
			t.Fatalf("in round %d: muster admin verify: %v\n%s", round, err, out)
		}
	}
	s := startServer(t, data, where...)
	said.check(t, s)
	s.kill(t)
	if said.answers < 5**crashRounds {
		t.Errorf("only %d answers in %d rounds; that proves little", said.answers, *crashRounds)
	}
	t.Logf("%d rounds, %d answers, %d files", *crashRounds, said.answers, len(said.last))
}

// file sends one signed request to the store of job files.
func (s *running) file(ctx context.Context, method, target string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, s.ready.APIURL+target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	sigv4.Sign(r, body, s.Credential, s.Region, "s3", time.Now())
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, target, response.Status, text)
	}
	if err == nil && method == "PUT" {
		text = []byte(response.Header.Get("ETag"))
	}
	return text, err
}

// uploaded is what the server has answered, and what it was asked last.
type uploaded struct {
	mu      sync.Mutex
	answers int
	last    map[string]string // by key: the seed of the content, "" when it was deleted
	open    map[string]string // by key: what was asked for and not answered
}

func (u *uploaded) asked(key, seed string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.open[key] = seed
}

func (u *uploaded) answered(key, seed string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answers++
	u.last[key] = seed
	delete(u.open, key)
}

// contentOf returns up to 200 KiB that belong to a seed.
func contentOf(seed string) []byte {
	sum := sha256.Sum256([]byte(seed))
	return bytes.Repeat(sum[:], 1+int(sum[0])*25)
}

// work uploads, replaces and deletes files of its own until the server is gone.
func (u *uploaded) work(ctx context.Context, on *running, name string, inParts bool) {
	for i := rand.IntN(1000); ctx.Err() == nil; i++ {
		key := fmt.Sprintf("%s/%d", name, i%5)
		seed := fmt.Sprintf("%s of %d %d", key, i, rand.Int())
		if i%7 == 0 {
			seed = ""
		}
		u.asked(key, seed)
		var err error
		switch {
		case seed == "":
			_, err = on.file(ctx, "DELETE", "/lab/"+key, nil)
		case inParts:
			err = on.uploadInParts(ctx, "/lab/"+key, contentOf(seed))
		default:
			_, err = on.file(ctx, "PUT", "/lab/"+key, contentOf(seed))
		}
		if err != nil {
			return
		}
		u.answered(key, seed)
	}
}

func (s *running) uploadInParts(ctx context.Context, target string, content []byte) error {
	begun, err := s.file(ctx, "POST", target+"?uploads", nil)
	if err != nil {
		return err
	}
	var upload struct {
		UploadID string `xml:"UploadId"`
	}
	if err := xml.Unmarshal(begun, &upload); err != nil {
		return err
	}
	etag, err := s.file(ctx, "PUT", target+"?partNumber=1&uploadId="+upload.UploadID, content)
	if err != nil {
		return err
	}
	made, err := s.file(ctx, "POST", target+"?uploadId="+upload.UploadID,
		fmt.Appendf(nil, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>%s</ETag></Part></CompleteMultipartUpload>", etag))
	if err == nil && !strings.Contains(string(made), "<ETag>") {
		err = errors.New("no ETag in the answer")
	}
	return err
}

// check asks a server for every file. What was asked for last and not answered
// may be there or not, but never in part.
func (u *uploaded) check(t *testing.T, s *running) {
	t.Helper()
	keys := map[string]bool{}
	for key := range u.last {
		keys[key] = true
	}
	for key := range u.open {
		keys[key] = true
	}
	for key := range keys {
		got, err := s.file(t.Context(), "GET", "/lab/"+key, nil)
		is := func(seed string) bool {
			if seed == "" {
				return err != nil && strings.Contains(err.Error(), "NoSuchKey")
			}
			return err == nil && bytes.Equal(got, contentOf(seed))
		}
		asked, open := u.open[key]
		switch {
		case is(u.last[key]):
		case open && is(asked):
			u.last[key] = asked
		default:
			t.Errorf("file %s has %d bytes (%v), which is neither what was answered last nor what was asked for", key, len(got), err)
		}
		delete(u.open, key) // settled, one way or the other
	}
}
