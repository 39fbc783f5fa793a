package dataplane

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/packet"
)

// onlyLamp may get what is pending for lamp, and nothing else.
type onlyLamp struct{}

func (onlyLamp) Principal() string { return "c1" }

func (onlyLamp) Life() context.Context { return context.Background() }

func (onlyLamp) Act(action string, thing muster.ThingName) error {
	if action == "iotjobsdata:GetPendingJobExecutions" && thing == "lamp" {
		return nil
	}
	return fmt.Errorf("%w: %s on %s", gateway.ErrRefused, action, thing)
}

func TestAUTH17WhoIsServedByCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := newEnv(t, newStore(t), packet.V5)
		env.step("given thing lamp")
		env.step("given thing pump")
		handler := env.http.Devices(func(_ context.Context, certificate []byte, addr string) (Device, error) {
			if addr != "192.0.2.1:1234" {
				t.Errorf("asked about a peer at %s", addr)
			}
			switch string(certificate) {
			case "known":
				return onlyLamp{}, nil
			case "unknown":
				return nil, fmt.Errorf("%w: an unknown certificate", gateway.ErrRefused)
			}
			return nil, errors.New("the registry does not answer")
		})
		forbidden := regexp.MustCompile(`^\{"message":"Forbidden","traceId":"[0-9a-f-]{36}"\}$`)
		for _, test := range []struct {
			name, certificate, method, target string
			want                              int
		}{
			{"what its rights allow", "known", "GET", "/things/lamp/jobs", 200},
			{"another thing", "known", "GET", "/things/pump/jobs", 403},
			{"another operation", "known", "PUT", "/things/lamp/jobs/$next", 403},
			{"a certificate without access", "unknown", "GET", "/things/lamp/jobs", 403},
			{"no certificate", "", "GET", "/things/lamp/jobs", 403},
			{"a registry that is away", "who knows", "GET", "/things/lamp/jobs", 503},
			{"no operation", "known", "GET", "/things", 404},
		} {
			r := httptest.NewRequest(test.method, test.target, strings.NewReader("{}"))
			if test.certificate != "" {
				r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Raw: []byte(test.certificate)}}}
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != test.want || w.Header().Get("X-Amzn-RequestId") == "" {
				t.Errorf("%s: %d %s, want %d", test.name, w.Code, w.Body, test.want)
			}
			if w.Code == 403 && (w.Header().Get("X-Amzn-ErrorType") != "ForbiddenException" || !forbidden.MatchString(w.Body.String())) {
				t.Errorf("%s: %s %s, want ForbiddenException and %s", test.name, w.Header().Get("X-Amzn-ErrorType"), w.Body, forbidden)
			}
		}
	})
}

func TestAUTH31ALongPollEndsWithTheRights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := newEnv(t, newStore(t), packet.V5)
		env.step("given thing lamp")
		var active atomic.Bool
		active.Store(true)
		handler := env.http.Devices(func(context.Context, []byte, string) (Device, error) {
			if !active.Load() {
				return nil, fmt.Errorf("%w: a certificate that is INACTIVE", gateway.ErrRefused)
			}
			return onlyLamp{}, nil
		})
		ask := func() *httptest.ResponseRecorder {
			r := httptest.NewRequest("GET", "/things/lamp/jobs", nil)
			r.Header.Set("Prefer", "wait=300")
			r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{}}}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			return w
		}
		answers := make(chan *httptest.ResponseRecorder, 1)
		go func() { answers <- ask() }()
		synctest.Wait()
		active.Store(false)
		env.step("given job fw for lamp {}")
		env.settle()
		if w := <-answers; w.Code != 403 || strings.Contains(w.Body.String(), "fw") {
			t.Errorf("a poll of a certificate deactivated meanwhile = %d %s, want 403", w.Code, w.Body)
		}
		active.Store(true)
		if w := ask(); w.Code != 200 || !strings.Contains(w.Body.String(), "fw") {
			t.Errorf("active again: %d %s, want the job", w.Code, w.Body)
		}
	})
}

// mortal is a device whose certificate may be deactivated.
type mortal struct {
	onlyLamp
	life context.Context
}

func (m mortal) Life() context.Context { return m.life }

// A long poll may wait for five minutes, and the holder of a stolen key must not.
func TestAUTH31DeactivationEndsALongPollAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := newEnv(t, newStore(t), packet.V5)
		env.step("given thing lamp")
		life, deactivate := context.WithCancel(t.Context())
		handler := env.http.Devices(func(context.Context, []byte, string) (Device, error) {
			if life.Err() != nil {
				return nil, fmt.Errorf("%w: a certificate that is INACTIVE", gateway.ErrRefused)
			}
			return mortal{life: life}, nil
		})
		r := httptest.NewRequest("GET", "/things/lamp/jobs", nil)
		r.Header.Set("Prefer", "wait=300")
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{}}}
		w, began, answered := httptest.NewRecorder(), time.Now(), make(chan time.Duration, 1)
		go func() {
			handler.ServeHTTP(w, r)
			answered <- time.Since(began)
		}()
		synctest.Wait()
		if len(answered) != 0 {
			t.Fatalf("a poll with nothing pending = %d %s, want it to wait", w.Code, w.Body)
		}
		deactivate()
		if took := <-answered; w.Code != 403 || took != 0 {
			t.Errorf("a poll of a certificate that was deactivated = %d %s after %v, want 403 at once", w.Code, w.Body, took)
		}
	})
}
