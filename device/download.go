package device

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// downloaded is a file that was downloaded and not verified yet.
type downloaded struct {
	file   *os.File
	size   int64
	digest []byte // SHA-256
}

// remove deletes the file.
func (d downloaded) remove() {
	_ = d.file.Close()
	_ = os.Remove(d.file.Name()) // where it could not be removed while it was open
}

// attemptsMax is how often a download is tried before the job fails.
const attemptsMax = 5

// errStatus is an HTTP answer without the file.
type errStatus struct {
	status int
	text   string
}

func (e *errStatus) Error() string { return e.text }

// download fetches the file of the i-th claim. Between two attempts it asks the
// service for the document again, since a presigned URL may have expired.
func (v *Verifier) download(ctx context.Context, j *Job, i int, c claim) (downloaded, error) {
	for attempt, pause := 1, firstPause; ; attempt, pause = attempt+1, 2*pause {
		d, err := v.fetch(ctx, c)
		no := (*refused)(nil)
		if err == nil || errors.As(err, &no) || ctx.Err() != nil {
			return d, err
		}
		if answer := (*errStatus)(nil); attempt == attemptsMax || errors.As(err, &answer) && !answer.mayChange() {
			return d, fmt.Errorf("%s could not be downloaded: %w", c, err)
		}
		if err := sleep(ctx, pause/2+rand.N(pause/2)); err != nil {
			return d, err
		}
		if c.url, err = j.urlNow(ctx, i, c.url); err != nil {
			return d, err
		}
	}
}

// mayChange reports whether a later attempt, or one with another URL, may succeed.
func (e *errStatus) mayChange() bool {
	switch e.status {
	case http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	}
	return e.status >= 500
}

// urlNow returns the URL of the i-th signed file as the document has it now.
func (j *Job) urlNow(ctx context.Context, i int, before string) (string, error) {
	x, err := j.c.Describe(ctx, j.JobID, Describe{Number: j.Number})
	if err != nil || x == nil {
		return before, err
	}
	now, err := signedFiles(x.Document, nil)
	if err != nil || i >= len(now.claims) {
		return before, err
	}
	return now.claims[i].url, nil
}

// fetch downloads a file once, and refuses one that is too large, or not as
// large as its claim.
func (v *Verifier) fetch(ctx context.Context, c claim) (d downloaded, err error) {
	if c.size > v.o.FileMax {
		return d, Refuse(fmt.Sprintf("%s has %d bytes; this device takes files of up to %d", c, c.size, v.o.FileMax))
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return d, Refuse(fmt.Sprintf("the URL of %s cannot be read", c))
	}
	answer, err := v.o.Client.Do(r)
	if err != nil {
		return d, withoutURL(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return d, &errStatus{answer.StatusCode, answer.Status}
	}
	if d.file, err = os.CreateTemp(v.o.Dir, "muster-*"); err != nil {
		return d, err
	}
	_ = os.Remove(d.file.Name()) // it exists for as long as it is open, so a crash leaves no file
	defer func() {
		if err != nil {
			d.remove()
		}
	}()
	limit := v.o.FileMax
	if c.size >= 0 {
		limit = c.size
	}
	digest := sha256.New()
	d.size, err = io.Copy(io.MultiWriter(d.file, digest), io.LimitReader(answer.Body, limit+1))
	d.digest = digest.Sum(nil)
	switch {
	case err != nil:
	case c.size >= 0 && d.size > c.size:
		err = Refuse(fmt.Sprintf("%s has more than the %d bytes that the job says", c, c.size))
	case d.size > limit:
		err = Refuse(fmt.Sprintf("%s has more than the %d bytes that this device takes", c, limit))
	case d.size < c.size:
		err = Refuse(fmt.Sprintf("%s has %d bytes, not the %d that the job says", c, d.size, c.size))
	}
	return d, err
}

// withoutQuery removes from a presigned URL what gives access to the file.
func withoutQuery(link string) string {
	plain, _, _ := strings.Cut(link, "?")
	return plain
}

// withoutURL returns the error of a request without its URL.
func withoutURL(err error) error {
	if e := (*url.Error)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}
