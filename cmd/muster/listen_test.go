package main

import (
	"bytes"
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// exhausted has no file descriptors, twice.
type exhausted struct {
	net.Listener
	failures int
}

func (l *exhausted) Accept() (net.Conn, error) {
	if l.failures--; l.failures >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return nil, net.ErrClosed
}

func (l *exhausted) Close() error   { return nil }
func (l *exhausted) Addr() net.Addr { return &net.TCPAddr{} }

func TestAnHTTPListenerWarnsThatItCannotAccept(t *testing.T) {
	var said bytes.Buffer
	l := &exhausted{failures: 2}
	err := serveHTTP(context.Background(), slog.New(slog.NewTextHandler(&said, nil)), &http.Server{}, l, 0)
	if !errors.Is(err, net.ErrClosed) || l.failures != -1 {
		t.Errorf("serveHTTP = %v with %d failures to come, want it to go on until the listener is closed", err, l.failures)
	}
	if got := said.String(); strings.Count(got, "level=WARN") != 1 || !strings.Contains(got, "cannot accept") {
		t.Errorf("the log says %q, want one warning", got)
	}
}

// TestEveryListenerIsServedInOnePlace: net/http tells a failed Accept to its own log only, and a TLS listener of its own would not
// bound handshakes. So HTTP is served by serveHTTP, and TLS comes through the door.
func TestEveryListenerIsServedInOnePlace(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		tree, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declared := range tree.Decls {
			f, ok := declared.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok && servesListener(call) {
					found = append(found, f.Name.Name)
				}
				return true
			})
		}
	}
	if len(found) != 1 || found[0] != "serveHTTP" {
		t.Errorf("listeners are served in %v, want serveHTTP alone", found)
	}
}

// servesListener reports whether a call is one of net/http's or crypto/tls's own ways to serve a listener; those of Muster take a
// context first.
func servesListener(call *ast.CallExpr) bool {
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	switch f.Sel.Name {
	case "ListenAndServe", "ListenAndServeTLS", "NewListener":
		return true
	case "ServeTLS":
		return len(call.Args) == 3
	case "Serve":
		return len(call.Args) == 1
	}
	return false
}
