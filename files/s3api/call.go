package s3api

import (
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/internal/hostport"
	"github.com/muster-iot/muster/internal/respond"
	"github.com/muster-iot/muster/sigv4"
)

// call is one request, with what is known of it so far.
type call struct {
	id     string
	began  time.Time
	now    func() time.Time
	r      *http.Request
	w      *respond.Recorder
	query  url.Values // nil when it cannot be read
	bucket string
	key    string

	operation string // "unknown" until it is known
	signature sigv4.Signature
	caller    identity.Caller
	attempt   audit.Attempt
	own       bool         // signed by the deployment for a device
	revoked   func() error // why the caller may no longer continue; nil while it may
	body      *sigv4.BodyReader
	chunked   bool // the body has the aws-chunked coding

	code string // how it ended: "ok" or the code of the error
	err  error
}

func (s *Server) newCall(w http.ResponseWriter, r *http.Request) *call {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	c := &call{
		id: strings.ToUpper(hex.EncodeToString(id[:])), began: s.o.Now(), now: s.o.Now,
		r: r, w: &respond.Recorder{ResponseWriter: w}, operation: "unknown", code: "ok",
		revoked: func() error { return nil },
	}
	c.bucket, c.key = s.name(r)
	if query, err := url.ParseQuery(r.URL.RawQuery); err == nil {
		c.query = query
	}
	c.w.Header().Set("X-Amz-Request-Id", c.id)
	return c
}

// name returns the bucket and key of a request. The bucket is in the path, or the first
// part of the host.
func (s *Server) name(r *http.Request) (bucket, key string) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	host := strings.ToLower(hostport.Host(r.Host))
	if !slices.Contains(s.o.Hosts, host) { // a configured host may itself end in another one
		for _, base := range s.o.Hosts {
			if bucket, ok := strings.CutSuffix(host, "."+base); ok && net.ParseIP(base) == nil {
				return bucket, path
			}
		}
	}
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key
}

// resource returns the ARN of the bucket or object of the call, "*" for neither.
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

// end logs and counts a call. It writes one wide event, without secrets.
func (s *Server) end(c *call) {
	took := s.o.Now().Sub(c.began)
	s.o.Observe(c.operation, c.code, took)
	attrs := []slog.Attr{
		slog.String("operation", c.operation), slog.String("plane", "files"), slog.String("code", c.code), slog.Int("status", c.w.Status),
		slog.Duration("took", took), slog.String("request_id", c.id), slog.String("remote", c.r.RemoteAddr),
		slog.String("bucket", respond.Clip(c.bucket)), slog.String("key", respond.Clip(c.key)), slog.Int64("sent", c.w.Sent),
	}
	if c.signature.AccessKeyID != "" {
		attrs = append(attrs, slog.String("access_key", c.signature.AccessKeyID))
	}
	level := slog.LevelInfo
	if c.err != nil {
		attrs = append(attrs, slog.String("error", respond.Clip(c.err.Error())))
		if c.w.Status >= http.StatusInternalServerError && c.code == internalError && c.r.Context().Err() == nil {
			level = slog.LevelError
		}
	}
	s.o.Flood.Log(c.r.Context(), s.o.Log, level, "request", c.r.RemoteAddr, c.caller.ARN != "", attrs...)
}
