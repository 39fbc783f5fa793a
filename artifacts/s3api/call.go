package s3api

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/sigv4"
)

// call is one request on its way, filled as it travels.
type call struct {
	id     string
	began  time.Time
	now    func() time.Time
	r      *http.Request
	w      *answer
	query  url.Values // nil when it cannot be read
	bucket string
	key    string

	operation string // "unknown" until it is known
	signature sigv4.Signature
	caller    identity.Caller
	own       bool         // by a URL that the deployment signed for a device
	still     func() error // nil while the caller may do what it began to do
	body      *sigv4.BodyReader
	chunked   bool // the body was coded

	code string // how it ended: "ok" or the code of the error
	err  error
}

func (s *Server) newCall(w http.ResponseWriter, r *http.Request) *call {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	c := &call{
		id: strings.ToUpper(hex.EncodeToString(id[:])), began: s.o.Now(), now: s.o.Now,
		r: r, w: &answer{ResponseWriter: w}, operation: "unknown", code: "ok",
		still: func() error { return nil },
	}
	c.bucket, c.key = s.name(r)
	if query, err := url.ParseQuery(r.URL.RawQuery); err == nil {
		c.query = query
	}
	c.w.Header().Set("X-Amz-Request-Id", c.id)
	return c
}

// name returns the bucket and the key that a request is for: in its path or, the
// bucket, in front of the host.
func (s *Server) name(r *http.Request) (bucket, key string) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(host)
	if !slices.Contains(s.o.Hosts, host) { // which may itself stand in front of another
		for _, base := range s.o.Hosts {
			if bucket, ok := strings.CutSuffix(host, "."+base); ok && net.ParseIP(base) == nil {
				return bucket, path
			}
		}
	}
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key
}

// resource returns the ARN of what the call is for.
func (c *call) resource() string {
	switch {
	case c.bucket == "":
		return "*"
	case c.key == "":
		return bucketARN(c.bucket)
	}
	return bucketARN(c.bucket) + "/" + c.key
}

func bucketARN(bucket string) string { return "arn:aws:s3:::" + bucket }

// end logs and counts a call: one wide event, and no secret.
func (s *Server) end(c *call) {
	took := s.o.Now().Sub(c.began)
	s.o.Observe(c.operation, c.code, took)
	attrs := []slog.Attr{
		slog.String("operation", c.operation), slog.String("plane", "files"), slog.String("code", c.code), slog.Int("status", c.w.status),
		slog.Duration("took", took), slog.String("request_id", c.id), slog.String("remote", c.r.RemoteAddr),
		slog.String("bucket", clip(c.bucket)), slog.String("key", clip(c.key)), slog.Int64("sent", c.w.sent),
	}
	if c.signature.AccessKeyID != "" {
		attrs = append(attrs, slog.String("access_key", c.signature.AccessKeyID))
	}
	level := slog.LevelInfo
	if c.err != nil {
		attrs = append(attrs, slog.String("error", clip(c.err.Error())))
		if c.w.status >= http.StatusInternalServerError && c.code == internalError && c.r.Context().Err() == nil {
			level = slog.LevelError
		}
	}
	s.o.Flood.Log(c.r.Context(), s.o.Log, level, "request", c.r.RemoteAddr, c.caller.ARN != "", attrs...)
}

// clipMax bounds how much of a caller's own text the log repeats.
const clipMax = 512

func clip(s string) string {
	if len(s) <= clipMax {
		return s
	}
	return strings.ToValidUTF8(s[:clipMax], "") + "…"
}

// contain turns a panic into an answer, so that it ends one request only.
func (c *call) contain() {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) { // fail has said why
		panic(p)
	}
	err := fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	if c.w.status == 0 {
		c.fail(err)
		return
	}
	c.code, c.err = "panic", err
	panic(http.ErrAbortHandler) // the answer has begun: cut it off, visibly
}

// answer remembers what was answered.
type answer struct {
	http.ResponseWriter
	status int // zero until the answer begins
	sent   int64
}

func (w *answer) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *answer) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.sent += int64(n)
	return n, err
}

// ReadFrom lets a file go to a connection without passing through here.
func (w *answer) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(w.ResponseWriter, r)
	w.sent += n
	return n, err
}

// Unwrap lets an http.ResponseController find the connection.
func (w *answer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
