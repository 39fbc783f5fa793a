// Package respond is what the HTTP APIs have in common when they answer: the status
// is remembered for the log, a panic ends one request only, and quotes of a
// caller's text are bounded. The form of errors is up to each API.
package respond

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"

	"github.com/muster-iot/muster/internal/excerpt"
)

// Recorder remembers what was answered through it.
type Recorder struct {
	http.ResponseWriter
	Status int   // zero until the answer begins
	Sent   int64 // bytes of the body so far
}

// WriteHeader implements http.ResponseWriter.
func (w *Recorder) WriteHeader(status int) {
	if w.Status == 0 {
		w.Status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *Recorder) Write(b []byte) (int, error) {
	if w.Status == 0 {
		w.Status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.Sent += int64(n)
	return n, err
}

// ReadFrom lets a file go to a connection without passing through here.
func (w *Recorder) ReadFrom(r io.Reader) (int64, error) {
	if w.Status == 0 {
		w.Status = http.StatusOK
	}
	n, err := io.Copy(w.ResponseWriter, r)
	w.Sent += n
	return n, err
}

// Unwrap lets an http.ResponseController find the connection.
func (w *Recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Contain turns a panic into an answer, so that it ends one request only. Defer
// it. If nothing has been answered yet, it calls fail with the panic and its stack
// trace. Otherwise it calls note with these, and breaks off the answer, so that the
// client sees that it is incomplete.
func (w *Recorder) Contain(fail, note func(error)) {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) { // the handler gave up, and has logged why
		panic(p)
	}
	err := fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	if w.Status == 0 {
		fail(err)
		return
	}
	note(err)
	panic(http.ErrAbortHandler)
}

// JSON sends a whole body of that type; an empty one has no type.
func JSON(w http.ResponseWriter, status int, body []byte) {
	Whole(w, status, "application/json", body)
}

// Whole sends a whole body of a type; an empty one has no type.
func Whole(w http.ResponseWriter, status int, contentType string, body []byte) {
	if len(body) > 0 {
		w.Header().Set("Content-Type", contentType)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // fails only if the client is gone
}

// ClipMax is how many bytes of a text Clip keeps.
const ClipMax = 512

// Clip returns text, or the beginning of a long one: it bounds how much of a
// caller's own text is repeated.
func Clip(text string) string {
	return excerpt.Of(text, ClipMax)
}
