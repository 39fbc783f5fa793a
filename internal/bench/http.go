package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/sigv4"
)

// caller is a minimal HTTP client: one connection, one request at a time, in the
// goroutine of its user.
type caller struct {
	conn       net.Conn
	in         *bufio.Reader
	base       string
	service    string // of the signature; empty for none
	credential sigv4.Credential
}

// credential returns the access key that the server generated at its first start.
func (s *server) credential() (sigv4.Credential, error) {
	keys, err := identity.OpenKeys(identity.KeysOptions{Path: filepath.Join(s.folder, "keys.json"), Account: account.ID, Now: time.Now})
	if err != nil {
		return sigv4.Credential{}, err
	}
	return keys.List()[0].Credential, nil
}

// callAPI connects to the API listener, whose requests are signed.
func (s *server) callAPI(ctx context.Context, service string) (*caller, error) {
	credential, err := s.credential()
	if err != nil {
		return nil, err
	}
	c, err := dialHTTP(ctx, s.API, nil)
	if err != nil {
		return nil, err
	}
	c.service, c.credential = service, credential
	return c, nil
}

// callDevice connects to the HTTPS listener as device i.
func (s *server) callDevice(ctx context.Context, f *fleet, i int) (*caller, error) {
	return dialHTTP(ctx, s.HTTPS, f.tlsConfig(i))
}

func dialHTTP(ctx context.Context, base string, config *tls.Config) (*caller, error) {
	_, addr, _ := strings.Cut(base, "://")
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if config != nil {
		conn = tls.Client(conn, config)
	}
	return &caller{conn: conn, in: bufio.NewReader(conn), base: base}, nil
}

// do sends one request, which must be answered with 200.
func (c *caller) do(method, path, body string) error {
	_, err := c.ask(method, path, body)
	return err
}

// ask sends one request and returns the answer, which must be 200.
func (c *caller) ask(method, path, body string) ([]byte, error) {
	r, err := http.NewRequest(method, c.base+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.service != "" {
		sigv4.Sign(r, []byte(body), c.credential, account.Region, c.service, time.Now())
	}
	if err := r.Write(c.conn); err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(c.in, r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s was answered with %s: %s", method, path, answer.Status, text)
	}
	return text, err
}

// repeat does the same n times and returns how long each took.
func (c *caller) repeat(n int, method, path string) (latencies, error) {
	all := make(latencies, n)
	for i := range all {
		began := time.Now()
		if err := c.do(method, path, ""); err != nil {
			return nil, err
		}
		all[i] = time.Since(began)
	}
	return all, nil
}

func (c *caller) close() { c.conn.Close() }
