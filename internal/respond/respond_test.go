package respond

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"
)

// outcome is what became of a request.
type outcome struct {
	got           *httptest.ResponseRecorder // by its client
	failed, noted error
	cut           bool // the connection, by net/http
}

// serve runs a handler as an API would.
func serve(handle func(w *Recorder)) (o outcome) {
	o.got = httptest.NewRecorder()
	defer func() {
		err, _ := recover().(error)
		o.cut = errors.Is(err, http.ErrAbortHandler)
	}()
	w := &Recorder{ResponseWriter: o.got}
	defer w.Contain(func(err error) {
		o.failed = err
		JSON(w, http.StatusInternalServerError, []byte(`{}`))
	}, func(err error) { o.noted = err })
	handle(w)
	return o
}

func TestAPanicEndsOneRequest(t *testing.T) {
	o := serve(func(*Recorder) { panic("broken") })
	if o.got.Code != http.StatusInternalServerError || o.failed == nil || o.noted != nil || o.cut ||
		!strings.Contains(o.failed.Error(), "broken") || !strings.Contains(o.failed.Error(), "respond_test.go") {
		t.Errorf("before the answer: %d, %+v", o.got.Code, o)
	}
	o = serve(func(w *Recorder) {
		_, _ = w.Write([]byte("half"))
		panic("broken")
	})
	if o.got.Body.String() != "half" || o.failed != nil || o.noted == nil || !o.cut {
		t.Errorf("in the answer: %q, %+v", o.got.Body, o)
	}
	if o = serve(func(*Recorder) { panic(http.ErrAbortHandler) }); o.failed != nil || o.noted != nil || !o.cut {
		t.Errorf("given up: %+v", o)
	}
	o = serve(func(w *Recorder) { JSON(w, http.StatusOK, []byte("{}")) })
	if o.got.Code != http.StatusOK || o.failed != nil || o.noted != nil || o.cut {
		t.Errorf("no panic: %d, %+v", o.got.Code, o)
	}
}

func TestWhatWasAnsweredIsRemembered(t *testing.T) {
	for name, test := range map[string]struct {
		answer func(w *Recorder)
		status int
		sent   int64
	}{
		"nothing":             {func(*Recorder) {}, 0, 0},
		"a status":            {func(w *Recorder) { w.WriteHeader(404) }, 404, 0},
		"the first of two":    {func(w *Recorder) { w.WriteHeader(404); w.WriteHeader(200) }, 404, 0},
		"a body":              {func(w *Recorder) { _, _ = io.WriteString(w, "abc") }, 200, 3},
		"a body that is read": {func(w *Recorder) { _, _ = w.ReadFrom(strings.NewReader("abc")) }, 200, 3},
		"both":                {func(w *Recorder) { JSON(w, 409, []byte("{}")) }, 409, 2},
	} {
		w := &Recorder{ResponseWriter: httptest.NewRecorder()}
		test.answer(w)
		if w.Status != test.status || w.Sent != test.sent {
			t.Errorf("%s: status %d and %d bytes, want %d and %d", name, w.Status, w.Sent, test.status, test.sent)
		}
	}
}

func TestJSONOfNothingHasNoType(t *testing.T) {
	got := httptest.NewRecorder()
	JSON(got, http.StatusOK, nil)
	if got.Header().Get("Content-Type") != "" || got.Header().Get("Content-Length") != "0" {
		t.Errorf("the header is %v", got.Header())
	}
}

func TestClip(t *testing.T) {
	if short := strings.Repeat("x", ClipMax); Clip(short) != short {
		t.Error("a text of the most bytes is cut")
	}
	got := Clip(strings.Repeat("x", ClipMax-1) + "é and more")
	if !utf8.ValidString(got) || got != strings.Repeat("x", ClipMax-1)+"…" {
		t.Errorf("Clip() = …%q", got[ClipMax-8:])
	}
}
