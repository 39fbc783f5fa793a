// Package route finds the operation that an HTTP request means, by its escaped
// path, method and signing service. It covers every operation of the API, served or
// not. It does not look at bodies or permissions.
package route

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/sigv4"
)

// Match is what a request means.
type Match struct {
	Operation *wire.Operation
	Labels    wire.Labels // in the order of the path, each decoded once
}

// UnknownPathError is the error for a path that no operation has.
type UnknownPathError struct {
	Path string // escaped
}

func (e *UnknownPathError) Error() string {
	return fmt.Sprintf("no operation has the path %s", e.Path)
}

// MethodError is the error for a known path that does not have the method.
type MethodError struct {
	Path   string   // escaped
	Method string   // of the request
	Allow  []string // the methods the path has, sorted
}

func (e *MethodError) Error() string {
	return fmt.Sprintf("the path %s has no method %s, only %s", e.Path, e.Method, strings.Join(e.Allow, ", "))
}

// Router matches requests against a set of operations. It is immutable and safe
// for concurrent use.
type Router struct {
	root node
}

// node is a node of the tree of path templates.
type node struct {
	literals map[string]*node
	label    *node             // any one segment that is not empty
	greedy   []*wire.Operation // a label that takes the rest of the path
	here     []*wire.Operation // templates that end here
}

// New returns a router for the given operations, usually wire.Operations().
func New(operations []*wire.Operation) *Router {
	r := new(Router)
	for _, op := range operations {
		n := &r.root
		for _, s := range op.Segments {
			if s.Greedy {
				n.greedy = append(n.greedy, op)
				n = nil
				break
			}
			n = n.child(s)
		}
		if n == nil {
			continue
		}
		n.here = append(n.here, op)
		if strings.HasSuffix(op.Path, "/") {
			n = n.child(wire.Segment{})
			n.here = append(n.here, op)
		}
	}
	return r
}

// child returns the node below n for a segment of a template, making it if need be.
// The empty literal is what follows a final slash.
func (n *node) child(s wire.Segment) *node {
	if s.Label != "" {
		if n.label == nil {
			n.label = new(node)
		}
		return n.label
	}
	if n.literals == nil {
		n.literals = map[string]*node{}
	}
	if n.literals[s.Literal] == nil {
		n.literals[s.Literal] = new(node)
	}
	return n.literals[s.Literal]
}

// Match returns the operation that a request means. The path is the escaped path as
// received (url.URL.EscapedPath). It is split at slashes, and then each segment is
// decoded once, so an ARN with %2F stays one label. A literal segment takes
// precedence over a label (registry.md REG-7, REG-9).
//
// Where the control plane and a data plane share a method and path, the service
// that the request is signed for decides: "iot", or "execute-api" from older
// clients, means the control plane; anything else, or no signature, means the data
// plane (identity-and-auth.md section C.2).
//
// The error is an *UnknownPathError or a *MethodError.
func (r *Router) Match(service, method, escapedPath string) (Match, error) {
	s := search{method: method, control: sigv4.IsControlPlane(service)}
	rest, ok := strings.CutPrefix(escapedPath, "/")
	if !ok || !s.find(&r.root, rest) {
		if s.allow != nil {
			slices.Sort(s.allow)
			return Match{}, &MethodError{escapedPath, method, slices.Compact(s.allow)}
		}
		return Match{}, &UnknownPathError{escapedPath}
	}
	m := Match{Operation: s.found, Labels: make(wire.Labels, 0, len(s.values))}
	for _, segment := range s.found.Segments {
		if segment.Label != "" {
			m.Labels = append(m.Labels, wire.Label{Name: segment.Label, Value: s.values[len(m.Labels)]})
		}
	}
	return m, nil
}

// Methods returns the methods that an escaped path has, sorted. It is empty for a
// path that no operation has.
func (r *Router) Methods(escapedPath string) []string {
	_, err := r.Match("", "", escapedPath)
	if e, ok := errors.AsType[*MethodError](err); ok {
		return e.Allow
	}
	return nil
}

// search is one walk through the tree.
type search struct {
	method  string
	control bool
	values  []string // of the labels on the way
	allow   []string // the other methods of the path
	found   *wire.Operation
}

// find looks for the rest of a path below n. If a literal leads to no operation with
// the method, find tries the label beside it: a thing group may have the name of a
// verb.
func (s *search) find(n *node, rest string) bool {
	escaped, deeper, more := strings.Cut(rest, "/")
	segment, err := url.PathUnescape(escaped)
	if err != nil {
		return false
	}
	if child := n.literals[segment]; child != nil && s.step(child, deeper, more) {
		return true
	}
	if n.label != nil && segment != "" {
		s.values = append(s.values, segment)
		if s.step(n.label, deeper, more) {
			return true
		}
		s.values = s.values[:len(s.values)-1]
	}
	if n.greedy != nil && rest != "" {
		if all, err := url.PathUnescape(rest); err == nil && s.pick(n.greedy) {
			s.values = append(s.values, all)
			return true
		}
	}
	return false
}

func (s *search) step(child *node, deeper string, more bool) bool {
	if more {
		return s.find(child, deeper)
	}
	return s.pick(child.here)
}

// pick chooses one of the operations that share a path.
func (s *search) pick(operations []*wire.Operation) bool {
	for _, op := range operations {
		if op.Method != s.method {
			s.allow = append(s.allow, op.Method)
			continue
		}
		if s.found == nil || (op.Service == wire.ControlPlane) == s.control {
			s.found = op
		}
	}
	return s.found != nil
}
