package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// body is the body of one request.
type body struct {
	contentType string
	text        []byte
}

// reply is the outcome of one request.
type reply struct {
	taken   bool
	refused bool          // the server answered with a failure that is not a request to wait
	wait    time.Duration // from Retry-After
	why     string        // of a failure; shows no secret
}

// post sends one request.
func (h *Hook) post(ctx context.Context, b body) reply {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.o.URL, bytes.NewReader(b.text))
	if err != nil {
		return reply{why: reason(err)}
	}
	now := h.o.Now()
	r.Header.Set("Content-Type", b.contentType)
	r.Header.Set("User-Agent", "muster")
	r.Header.Set(SignatureHeader, h.o.Secret.Sign(now, b.text))
	response, err := h.client.Do(r)
	if err != nil {
		return reply{why: reason(err)}
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, answerMax)
	if response.StatusCode/100 == 2 {
		return reply{taken: true}
	}
	asksToWait := false
	switch response.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		asksToWait = true
	}
	return reply{
		refused: !asksToWait,
		wait:    retryAfter(response.Header.Get("Retry-After"), now),
		why:     fmt.Sprintf("the server answers %d %s", response.StatusCode, http.StatusText(response.StatusCode)),
	}
}

// reason says why a request failed, without its URL, which may hold a token.
func reason(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return err.Error()
}

// retryAfter returns the pause that a Retry-After header asks for, in seconds or as
// a date; zero when it is neither.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(max(seconds, 0), int(askedMax/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
