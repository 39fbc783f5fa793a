package contract

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/muster-iot/muster/awsiot/wire"
)

// weights say how often an operation is tried compared with others. The first row that
// matches counts.
var weights = []struct {
	begins string
	weight int
}{
	{"CreateKeysAndCertificate", 1}, // makes an RSA key, which takes a long time
	{"DeleteRegistrationCode", 4},
	{"Publish", 30},
	{"CreateJob", 100}, {"CreateThing", 60}, {"AddThing", 60}, {"UpdateJobExecution", 80}, {"StartNext", 60},
	{"Create", 30}, {"Register", 30}, {"Attach", 20}, {"Tag", 30}, {"Associate", 30},
	{"Update", 25}, {"Cancel", 20}, {"DeleteJob", 20}, {"DeletePolicy", 20}, {"Delete", 12}, {"Detach", 25}, {"Remove", 10},
	{"", 20},
}

func weight(op *wire.Operation) int {
	for _, w := range weights {
		if strings.HasPrefix(op.Name, w.begins) {
			return w.weight
		}
	}
	return 0 // never: the last row matches all
}

// try sends a request and judges the answer.
func (r *run) try(q *request) *answer {
	step := r.report.Requests
	r.report.Requests++
	written := r.store.writes.Load() // RegisterCACertificate makes the registration code if there is none
	a, err := r.send(q)
	if err == nil {
		err = r.judge.answer(q, a)
	}
	if n := r.store.writes.Load() - written; err == nil && a.status != http.StatusOK && n > 0 && q.op != wire.RegisterCACertificate {
		err = fmt.Errorf("the request is refused, and %d records are written", n)
	}
	if said := r.faults.take(); err == nil && len(said) > 0 {
		err = complaint("the log tells of a fault: " + strings.Join(said, "\n"))
	}
	if a == nil {
		a = &answer{header: http.Header{}}
	}
	r.trace(q.curl() + "\n" + a.String())
	if err != nil {
		r.found(Finding{Seed: r.seed, Step: step, What: q.op.Name + ": " + q.what, Request: q.curl(), Answer: a.String(), Problem: err.Error()})
	}
	if err == nil && q.op != nil && q.forge == nil {
		r.report.saw(q.op, a.errorType())
		if a.status == http.StatusOK {
			r.known.learn(q.in, a.body.Bytes())
		}
	}
	return a
}

// complaint is something wrong with an answer.
type complaint string

func (c complaint) Error() string { return string(c) }

// found reports a finding, unless a similar one was reported before.
func (r *run) found(f Finding) {
	words := strings.FieldsFunc(f.Problem, func(c rune) bool { return c == '\'' || c == '"' || c >= '0' && c <= '9' })
	like := strings.SplitN(f.What, " ", 2)[0] + strings.Join(words[:min(1, len(words))], "")
	if r.told[like] {
		return
	}
	r.told[like] = true
	r.report.find(f)
}

// valid sends an input that keeps all limits. If the answer is a list with more pages,
// it asks for the next one.
func (r *run) valid() {
	in := r.sendable(r.operation())
	q := in.request()
	q.what = "valid"
	for range 3 {
		a := r.try(q)
		if q = r.next(in, a); q == nil {
			return
		}
	}
}

// next returns the request for the page after an answer, or nil if there is none.
func (r *run) next(in *input, a *answer) *request {
	if a.status != http.StatusOK {
		return nil
	}
	for given, taken := range map[string]string{"nextToken": "nextToken", "nextMarker": "marker"} {
		token, ok := stringMember(a.body.Bytes(), given)
		if facts := in.value.shape.Members[taken]; ok && facts != nil {
			in.value.set(taken, &value{name: facts.Shape, shape: in.api.Shapes[facts.Shape], literal: quote(token)})
			q := in.request()
			q.what, q.expect.succeed = "the page that follows", true
			return q
		}
	}
	return nil
}

// breach sends an input that breaks one limit.
func (r *run) breach() {
	in := r.input(r.operation())
	all := r.breaches(in, false)
	if len(all) == 0 {
		return
	}
	b := pick(r.generator, all...)
	b.apply()
	q := in.request()
	q.what = b.what
	q.expect.refused, q.expect.names = true, b.names
	if in.sendable() {
		r.try(q)
	}
}

// sendable generates an input that an HTTP client could send.
func (r *run) sendable(op *wire.Operation) *input {
	for {
		if in := r.input(op); in.sendable() {
			return in
		}
	}
}

// sendable reports whether an HTTP client could send an input: no label of the path is
// empty or a dot segment, which signers remove (AUTH-73), and headers are one line of
// text.
func (in *input) sendable() bool {
	for _, m := range in.bound("uri") {
		if text := m.value.text(); text == "" || text == "." || text == ".." {
			return false
		}
	}
	for _, m := range in.bound("header") {
		text := m.value.text()
		if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7F }) || strings.TrimSpace(text) != text {
			return false
		}
	}
	return true
}

// oddity sends a valid input in an unusual form. Operations that only read must give
// the same answer as to the usual form.
func (r *run) oddity() {
	in := r.sendable(r.operation())
	q := in.request()
	plain := *q
	plain.header = q.header.Clone()
	name := pick(r.generator, slices.Sorted(maps.Keys(oddities))...)
	if !oddities[name](r.generator, q) {
		return
	}
	q.what = name
	if !reads(in.op) {
		r.try(q)
		return
	}
	plain.what = "valid"
	want, got := r.try(&plain), r.try(q)
	if want.status != got.status || !bytes.Equal(withoutTrace(want.body.Bytes()), withoutTrace(got.body.Bytes())) {
		r.found(Finding{
			Seed: r.seed, Step: r.report.Requests, What: in.op.Name + ": " + name, Request: q.curl(),
			Answer: got.String(), Problem: "the answer is another than without the oddity: " + want.String(),
		})
	}
}

// reads reports whether an operation only reads.
func reads(op *wire.Operation) bool {
	return strings.HasPrefix(op.Name, "List") || strings.HasPrefix(op.Name, "Describe") || op.Method == http.MethodGet
}

// malformed sends a body that is not a JSON object.
func (r *run) malformed() {
	in := r.sendable(r.operation())
	if !in.hasBody() || in.value.shape.Payload != "" {
		return
	}
	q := in.request()
	if len(q.body) == 0 {
		return
	}
	name := pick(r.generator, slices.Sorted(maps.Keys(malformed))...)
	q.body = malformed[name](r.generator, q.body)
	q.what = name
	q.expect.refused = true
	if len(q.body) > in.op.BodyLimit() {
		q.expect.refused = false
		q.expect.stranger, q.expect.error, q.expect.status = true, tooLarge.error, tooLarge.status
	}
	r.try(q)
}

// stranger sends a request that is refused before it reaches an operation.
func (r *run) stranger() {
	in := r.sendable(r.operation())
	q := in.request()
	name := pick(r.generator, slices.Sorted(maps.Keys(strangers))...)
	if q.what = name; name == "a body that is too large" && r.likely(90) {
		return // the RSA key takes a long time
	}
	s := strangers[name]
	s.change(r.generator, q)
	q.expect.stranger, q.expect.error, q.expect.status = true, s.error, s.status
	r.try(q)
}

// unserved calls an operation that the service does not have.
func (r *run) unserved() {
	op := pick(r.generator, r.others...)
	if served, err := r.judge.router.Match(signingName(op.Service), op.Method, plainPath(op)); err != nil || served.Operation != op {
		return // its path belongs to another operation
	}
	q := r.sendable(op).request()
	q.what = "not served"
	q.expect.stranger, q.expect.error, q.expect.status, q.expect.names = true, "NotImplementedException", http.StatusNotImplemented, names{op.Name}
	r.try(q)
}

// plainPath returns a path of op with any labels.
func plainPath(op *wire.Operation) string {
	var b strings.Builder
	for _, s := range op.Segments {
		b.WriteString("/" + s.Literal)
		if s.Label != "" {
			b.WriteString("x")
		}
	}
	return b.String()
}
