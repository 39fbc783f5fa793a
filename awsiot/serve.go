package awsiot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/foreign"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/intake"
	"github.com/muster-iot/muster/internal/respond"
	"github.com/muster-iot/muster/internal/uuid"
	"github.com/muster-iot/muster/sigv4"
)

// ServeHTTP answers one request, whatever it is.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{id: uuid.New(), began: s.o.Now(), account: s.o.Account, remote: r.RemoteAddr, hasRoom: s.o.Room, code: "ok"}
	out := &respond.Recorder{ResponseWriter: w}
	out.Header().Set("X-Amzn-Requestid", c.id)
	defer func() { s.end(c, r, out.Status) }()
	defer out.Contain(func(err error) { s.fail(c, out, err) }, func(err error) { c.code, c.err = "panic", err })

	if c.foreign = foreign.Of(r); c.foreign != nil {
		if err := s.serveForeign(c, out, r); err != nil {
			s.fail(c, out, err)
		}
		return
	}
	if err := s.admit(c, out, r); err != nil {
		s.fail(c, out, err)
		return
	}
	op, ok := s.operations[c.operation]
	switch {
	case ok && op.run != nil:
		s.run(r.Context(), op, c, out)
	case ok && s.plane(c.operation) != nil:
		c.handedOver = true
		s.plane(c.operation).ServeCaller(out, r, c.caller)
		c.code = codeOf(out)
	default:
		s.fail(c, out, notImplemented(c.operation))
	}
}

// Methods returns the methods that an escaped path of the API has, sorted. It is
// empty for any other path. Operations of other AWS services, such as
// GetCallerIdentity, are a POST to the root (identity-and-auth.md section C.2).
func (s *Server) Methods(escapedPath string) []string {
	if escapedPath == "/" {
		return []string{http.MethodPost}
	}
	return s.router.Methods(escapedPath)
}

// plane returns the data plane that serves an operation, or nil if there is none.
func (s *Server) plane(op *wire.Operation) DataPlane {
	if op.Service == wire.IoTData {
		return s.o.Messages
	}
	return s.o.DataPlane
}

// admit finds out what a request wants and who sent it. The body is read only if the
// head passes, and can be read again afterwards.
func (s *Server) admit(c *call, w http.ResponseWriter, r *http.Request) error {
	head, err := s.admitHead(c, r)
	if err != nil {
		intake.Unread(w, r)
		return err
	}
	if head.Genuine || s.o.AuthNone {
		intake.Known(r.Context())
	}
	body, err := readBody(r, c.operation.BodyLimit())
	if err == nil {
		err = s.prove(c, r, head, body)
	}
	if err != nil {
		return err
	}
	intake.Known(r.Context())
	c.request.Query, c.request.Header, c.request.Body = r.URL.Query(), r.Header, body
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// admitHead looks at the path, then at the signature, and then at the path again,
// because the signature may say which plane the request is for.
func (s *Server) admitHead(c *call, r *http.Request) (*sigv4.Head, error) {
	if err := bounded(r); err != nil {
		return nil, err
	}
	path := r.URL.EscapedPath()
	if err := s.find(c, "", r.Method, path); err != nil {
		return nil, err
	}
	head, err := s.authenticate(&s.verifier, r)
	c.key = head.AccessKeyID
	if head.Scope.Service != "" {
		if err := s.find(c, head.Scope.Service, r.Method, path); err != nil {
			return nil, err
		}
	}
	return head, err
}

// bounded returns an error if the head of a request is larger than clients of AWS
// send.
func bounded(r *http.Request) error {
	if len(r.RequestURI) > maxURI {
		return refuse("InvalidRequestException", http.StatusRequestURITooLong, fmt.Sprintf("The URI is longer than %d bytes", maxURI))
	}
	if len(r.Header) > maxHeaders {
		return refuse("InvalidRequestException", http.StatusRequestHeaderFieldsTooLarge, fmt.Sprintf("The request has more than %d headers", maxHeaders))
	}
	return nil
}

func (s *Server) find(c *call, service, method, path string) error {
	m, err := s.router.Match(service, method, path)
	if err == nil {
		c.operation, c.request.Labels = m.Operation, respelled(m.Labels)
	}
	return err
}

// respelled returns the labels of a path with the ids of certificates in the
// registry's spelling (AUTH-20), before validation and policies see them.
func respelled(labels wire.Labels) wire.Labels {
	for i, label := range labels {
		if label.Name == "certificateId" || label.Name == "caCertificateId" {
			labels[i].Value = string(muster.CertificateIDOf(label.Value))
		}
	}
	return labels
}

// readBody reads a whole body of at most limit bytes. The server's read timeout
// covers it and ends with it; the answer may take longer.
func readBody(r *http.Request, limit int) ([]byte, error) {
	body, err := intake.Body(r, limit)
	switch {
	case errors.Is(err, intake.ErrTooLarge):
		return nil, refuse("RequestEntityTooLargeException", http.StatusRequestEntityTooLarge,
			fmt.Sprintf("The request body is larger than %d bytes", limit))
	case errors.Is(err, intake.ErrBusy):
		return nil, &muster.Error{Kind: muster.Unavailable, Msg: "The server is receiving too many requests. Please try again.", Err: err}
	case err != nil:
		return nil, &muster.Error{Kind: muster.Invalid, Msg: "The request body could not be read", Err: err}
	}
	return body, nil
}

// run serves an operation of the control plane.
func (s *Server) run(ctx context.Context, op operation, c *call, w http.ResponseWriter) {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	if !op.throttle.Allow(c.began) {
		s.fail(c, w, muster.Errorf(muster.Throttled, "Rate exceeded"))
		return
	}
	s.o.Turns.Asked()
	ctx = s.witnessed(ctx, c)
	body, err := op.run(withRights(ctx, c), c)
	if err != nil {
		s.refused(ctx, c, err)
		s.fail(c, w, err)
		return
	}
	respond.JSON(w, http.StatusOK, body)
}

// fail answers with an error.
func (s *Server) fail(c *call, w http.ResponseWriter, err error) {
	f := failureOf(c.operation, err)
	c.code, c.err = f.name, err
	if c.foreign != nil {
		c.foreign.WriteError(w, f.status, f.name, f.body.Message, c.id)
		return
	}
	f.write(w)
}

// codeOf returns how an answer ended, read from its headers.
func codeOf(w http.ResponseWriter) string {
	if name := w.Header().Get("X-Amzn-Errortype"); name != "" {
		return name
	}
	return "ok"
}
