package device

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// script is a transport that answers as it is told, one result per attempt.
type script struct {
	transport
	results []error // nil accepts
	sent    []request
}

func (s *script) do(_ context.Context, r request) ([]byte, error) {
	s.sent = append(s.sent, r)
	err := s.results[0]
	if len(s.results) > 1 {
		s.results = s.results[1:]
	}
	return []byte(`{}`), err
}

func TestUpdatesWhoseAnswerGotLost(t *testing.T) {
	refused := func(code Code, status Status, version int64) error {
		return &Error{Code: code, Message: "no", State: &State{Status: status, Version: version}}
	}
	success := Update{Status: Succeeded}
	tests := []struct {
		name    string
		update  Update
		results []error
		want    error // the code, nil for success
	}{
		{"accepted the second time", success, []error{errLost, nil}, nil},
		{"heard the first time", success, []error{errNoAnswer, refused(InvalidStateTransition, Succeeded, 3)}, nil},
		{"heard the first time, at the version expected", Update{Status: Succeeded, ExpectedVersion: 2},
			[]error{errLost, refused(VersionMismatch, Succeeded, 3)}, nil},
		{"refused at once, so it was somebody else", success, []error{refused(InvalidStateTransition, Succeeded, 3)}, InvalidStateTransition},
		{"cancelled in between", success, []error{errLost, refused(InvalidStateTransition, Canceled, 3)}, InvalidStateTransition},
		{"another version than the one it made", Update{Status: Succeeded, ExpectedVersion: 2},
			[]error{errLost, refused(VersionMismatch, Succeeded, 4)}, VersionMismatch},
		{"temporary refusals are tried again", success, []error{&Error{Code: RequestThrottled}, &Error{Code: InternalError}, nil}, nil},
		{"final ones are not", success, []error{&Error{Code: InvalidRequest}, nil}, InvalidRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &Client{wire: &script{results: tt.results}, log: slog.New(slog.DiscardHandler)}
				if _, err := c.Update(t.Context(), "fw", tt.update); !errors.Is(err, tt.want) {
					t.Errorf("Update = %v, want %v", err, tt.want)
				}
			})
		})
	}
}

func TestPausesGrowAndEndWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{results: []error{errLost}}
		c := &Client{wire: s, log: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		if _, err := c.Pending(ctx); !errors.Is(err, errLost) {
			t.Errorf("Pending = %v, want the last error, %v", err, errLost)
		}
		if took := time.Since(began); took != time.Hour {
			t.Errorf("it gave up after %v, want 1h", took)
		}
		// 8 pauses grow to 30 seconds; then there are 2 to 4 attempts a minute.
		if n := len(s.sent); n < 120 || n > 250 {
			t.Errorf("it tried %d times in an hour, want 120 to 250", n)
		}
	})
}

func TestRefusalsOverHTTPS(t *testing.T) {
	const plain = `{"message":"no"}`
	for _, tt := range []struct {
		name   string
		status int
		kind   string
		body   string
		want   Error
	}{
		{"a modelled exception", 404, "ResourceNotFoundException", plain, Error{Code: ResourceNotFound, Message: "no"}},
		{"one with a namespace behind it", 404, "ResourceNotFoundException:http://x/", plain, Error{Code: ResourceNotFound, Message: "no"}},
		{"a version mismatch", 409, "InvalidStateTransitionException", `{"message":"Expected version 9 but found version 1"}`,
			Error{Code: VersionMismatch, Message: "Expected version 9 but found version 1"}},
		{"a transition", 409, "InvalidStateTransitionException", plain, Error{Code: InvalidStateTransition, Message: "no"}},
		{"a proxy's refusal", 403, "", "<html>", Error{Code: Unauthorized, Message: "403 Forbidden"}},
		{"a proxy's failure", 502, "", "<html>", Error{Code: InternalError, Message: "502 Bad Gateway"}},
		{"a proxy's throttle", 429, "", "", Error{Code: RequestThrottled, Message: "429 Too Many Requests"}},
		{"an unknown exception", 400, "ValidationException", plain, Error{Code: InvalidRequest, Message: "no"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp := &http.Response{StatusCode: tt.status, Status: statusLine(tt.status), Header: http.Header{}}
			if tt.kind != "" {
				resp.Header.Set("X-Amzn-ErrorType", tt.kind)
			}
			got := (*Error)(nil)
			if err := refusal(resp, []byte(tt.body)); !errors.As(err, &got) || *got != tt.want {
				t.Errorf("refusal(%d %s %s) = %v, want %v", tt.status, tt.kind, tt.body, err, &tt.want)
			}
		})
	}
}

func statusLine(code int) string {
	return map[int]string{400: "400 Bad Request", 403: "403 Forbidden", 404: "404 Not Found", 409: "409 Conflict",
		429: "429 Too Many Requests", 502: "502 Bad Gateway"}[code]
}
