package device

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster/sigv4"
)

// HTTPSOptions say how to reach the service over HTTPS. Endpoint and Thing are
// required.
type HTTPSOptions struct {
	Endpoint  string // "https://host:8443"
	Thing     string // the thing to act for
	Namespace string // of its jobs; empty for the default one

	// Credential signs requests, for Region; with nil, Client must authenticate
	// with a certificate.
	Credential *sigv4.Credential
	Region     string

	// Client sends the requests; nil means one with the defaults of net/http. Its
	// timeout must be longer than Wait.
	Client *http.Client

	// Wait is how long one request for the next job may wait at the service,
	// up to 5 minutes; zero means 1 minute.
	Wait time.Duration
	// Poll is how often to ask whether the list of pending executions changed,
	// or, if the service does not support long polls, for the next job. Zero
	// means 30 seconds.
	Poll time.Duration
	Log  *slog.Logger // nil discards
}

const (
	defaultWait = time.Minute
	defaultPoll = 30 * time.Second
	// answerMax fits a document of 32 KiB with every character escaped.
	answerMax = 1 << 20
)

// NewHTTPS returns a client over HTTPS. It connects when it is first used. There
// are no notifications over HTTPS: Next uses long polls, and Watch and Do ask
// every Poll.
func NewHTTPS(o HTTPSOptions) (*Client, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Client == nil {
		o.Client = &http.Client{}
	}
	if o.Wait == 0 {
		o.Wait = defaultWait
	}
	if o.Poll == 0 {
		o.Poll = defaultPoll
	}
	base, err := url.Parse(o.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("device: endpoint: %w", err)
	}
	w := &httpsWire{o: o, base: base.JoinPath("things", o.Thing, "jobs")}
	w.open, w.end = context.WithCancel(context.Background())
	return &Client{wire: w, log: o.Log}, nil
}

// httpsWire is the transport over HTTPS.
type httpsWire struct {
	o      HTTPSOptions
	base   *url.URL
	waited atomic.Bool     // the service supports long polls
	open   context.Context // ends with close
	end    context.CancelFunc
}

func (w *httpsWire) do(ctx context.Context, r request) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(w.open, cancel)()
	send, err := w.build(ctx, r)
	if err != nil {
		return nil, err
	}
	resp, err := w.o.Client.Do(send)
	if w.open.Err() != nil {
		return nil, errClosed
	}
	if err != nil {
		return nil, fmt.Errorf("device: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, answerMax))
	if err != nil {
		return nil, fmt.Errorf("device: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, refusal(resp, answer)
	}
	if r.wait {
		w.waited.Store(resp.Header.Get("Preference-Applied") != "")
	}
	return answer, nil
}

// build makes the HTTP request of r (jobs-data-plane.md section 7).
func (w *httpsWire) build(ctx context.Context, r request) (*http.Request, error) {
	target, query, method, payload := *w.base, url.Values{}, http.MethodGet, []byte(nil)
	switch r.op {
	case startNext:
		method, target = http.MethodPut, *target.JoinPath(headID)
	case describe:
		target = *target.JoinPath(r.job)
		if r.body.ExecutionNumber != 0 {
			query.Set("executionNumber", strconv.FormatInt(r.body.ExecutionNumber, 10))
		}
		if r.body.IncludeDocument != nil {
			query.Set("includeJobDocument", strconv.FormatBool(*r.body.IncludeDocument))
		}
	case update:
		method, target = http.MethodPost, *target.JoinPath(r.job)
	}
	if w.o.Namespace != "" {
		query.Set("namespaceId", w.o.Namespace)
	}
	target.RawQuery = query.Encode()
	if method != http.MethodGet {
		var err error
		if payload, err = json.Marshal(r.body); err != nil {
			return nil, err
		}
	}
	send, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	if payload != nil {
		send.Header.Set("Content-Type", "application/json")
	}
	if r.wait {
		send.Header.Set("Prefer", "wait="+strconv.Itoa(int(w.o.Wait/time.Second)))
	}
	if w.o.Credential != nil {
		sigv4.Sign(send, payload, *w.o.Credential, w.o.Region, "iot-jobs-data", time.Now())
	}
	return send, nil
}

// httpCodes are the contract's codes for the exceptions of the HTTPS API.
var httpCodes = map[string]Code{
	"InvalidRequestException":         InvalidRequest,
	"ResourceNotFoundException":       ResourceNotFound,
	"InvalidStateTransitionException": InvalidStateTransition,
	"TerminalStateException":          TerminalStateReached,
	"ThrottlingException":             RequestThrottled,
	"ServiceUnavailableException":     InternalError,
}

// versionPrefix begins the message of a version mismatch, which has the same
// exception as other refusals.
const versionPrefix = "Expected version "

// refusal returns an HTTP answer as an error.
func refusal(resp *http.Response, answer []byte) error {
	var m struct {
		Message string `json:"message"`
		State   *State `json:"executionState"`
	}
	_ = json.Unmarshal(answer, &m) // what is not JSON has no message
	name, _, _ := strings.Cut(resp.Header.Get("X-Amzn-ErrorType"), ":")
	code, known := httpCodes[name]
	switch {
	case code == InvalidStateTransition && strings.HasPrefix(m.Message, versionPrefix):
		code = VersionMismatch
	case known:
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		code = Unauthorized
	case resp.StatusCode == http.StatusTooManyRequests:
		code = RequestThrottled
	case resp.StatusCode >= 500:
		code = InternalError
	default:
		code = InvalidRequest
	}
	if m.Message == "" {
		m.Message = resp.Status
	}
	return &Error{code, m.Message, m.State}
}

func (w *httpsWire) notified() notified { return notified{} }

// await waits for Poll, after which anything may have changed.
func (w *httpsWire) await(ctx context.Context, since notified) (notified, error) {
	select {
	case <-time.After(w.o.Poll):
		return notified{epoch: since.epoch + 1}, nil
	case <-w.open.Done():
		return since, errClosed
	case <-ctx.Done():
		return since, ctx.Err()
	}
}

func (w *httpsWire) waits() bool { return w.waited.Load() }

func (w *httpsWire) close() error {
	w.end()
	w.o.Client.CloseIdleConnections()
	return nil
}
