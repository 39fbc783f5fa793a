package main

import (
	"bytes"
	"encoding/pem"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/sigv4"
)

// A setting counts on every path of the HTTP listener.
func TestAnyRegionIsTakenWhereItIsSaid(t *testing.T) {
	for _, test := range []struct {
		flags   []string
		refused bool
	}{
		{nil, true},
		{[]string{"--accept-any-region"}, false},
	} {
		s := startServer(t, filepath.Join(t.TempDir(), "data"), append(test.flags, "--files", "127.0.0.1:0")...)
		for path, service := range map[string]string{
			"/things":                 "iot",
			"/muster/v1/dead-letters": "iot",
			"/":                       "s3",
			websocketPath:             "iotdevicegateway",
			"/things/x/jobs":          "iot-jobs-data",
		} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.ready.APIURL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			sigv4.Sign(r, nil, s.Credential, "eu-central-1", service, time.Now())
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			bad := answer.StatusCode == http.StatusBadRequest && service == "s3" // as S3 says it
			if refused := bad || answer.StatusCode == http.StatusForbidden; refused != test.refused {
				t.Errorf("with %q, GET %s signed for another region is answered %s", test.flags, path, answer.Status)
			}
		}
		s.kill(t)
	}
}

// How long a certificate counts after its time is for the operator to say, also
// to the command that explains without a server (arbitration A5).
func TestCertificatesCountForTheirGrace(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	question := []string{"--action", "iot:Publish", "--resource", "topic/x", "--client-id", "lamp", "--who", ""}
	who := &question[len(question)-1]
	for _, test := range []struct {
		grace []string
		want  string
	}{
		{nil, "out of its time"},
		{[]string{"--certificate-grace", "72h"}, "IMPLICIT_DENY"}, // in force, with no policy
		{[]string{"--certificate-grace", "-1s"}, "IMPLICIT_DENY"},
		{[]string{"--certificate-grace", "0"}, "out of its time"},
	} {
		s := startServer(t, data, test.grace...)
		if *who == "" {
			var made struct{ CertificateID string }
			expired := selfMadeUntil(t, time.Now().Add(-48*time.Hour)).Certificate[0]
			certificate := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: expired}))
			if err := s.Call(t.Context(), http.MethodPost, "/certificate/register-no-ca", object{"certificatePem": certificate, "status": "ACTIVE"}, &made); err != nil {
				t.Fatal(err)
			}
			*who = made.CertificateID
		}
		explain := func(flags ...string) string {
			var out bytes.Buffer
			if err := run(t.Context(), slices.Concat([]string{"admin", "explain-policy", data}, question, flags), &out, io.Discard); err != nil {
				t.Fatal(err)
			}
			return out.String()
		}
		if got := explain(); !strings.Contains(got, test.want) {
			t.Errorf("serve %q explains a certificate of two days ago with %s, want %s", test.grace, got, test.want)
		}
		s.kill(t)
		if got := explain(test.grace...); !strings.Contains(got, test.want) {
			t.Errorf("without a server, %q, it is explained with %s, want %s", test.grace, got, test.want)
		}
	}
}

func TestTypesWaitForTheirDeletion(t *testing.T) {
	s := startServer(t, filepath.Join(t.TempDir(), "data"), "--type-deletion-wait", "1h", "--test-clock")
	ctx := t.Context()
	for _, step := range []string{"/thing-types/lamp", "/thing-types/lamp/deprecate"} {
		if err := s.Call(ctx, http.MethodPost, step, object{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	remove := func() error { return s.Call(ctx, http.MethodDelete, "/thing-types/lamp", nil, nil) }
	if err := remove(); err == nil || !strings.Contains(err.Error(), "1h0m0s after its deprecation") {
		t.Errorf("deleting it at once: %v, want that it is an hour too early", err)
	}
	if err := s.advance(ctx, "1h"); err != nil {
		t.Fatal(err)
	}
	if err := remove(); err != nil {
		t.Errorf("deleting it after the hour: %v", err)
	}
	s.kill(t)
}

func TestTheGatewayHearsOfItsSettings(t *testing.T) {
	root := rootCommand()
	for _, flag := range []string{"mqtt-parent-wildcard", "mqtt-silent-refusal", "mqtt-close-denied-subscribe"} {
		serve, _, err := root.Find([]string{"serve"})
		if err != nil || serve.Flags().Lookup(flag) == nil {
			t.Errorf("serve has no flag --%s", flag)
		}
	}
	c := defaultConfig()
	l, err := c.limits()
	if err != nil {
		t.Fatal(err)
	}
	if got := c.gatewayLimits(l); got.ParentWildcard || got.SilentRefusal || got.CloseOnDeniedSubscribe {
		t.Errorf("without flags the gateway is told %+v", got)
	}
	c.ParentWildcard, c.SilentRefusal, c.CloseDeniedSubscribe = true, true, true
	if got := c.gatewayLimits(l); !got.ParentWildcard || !got.SilentRefusal || !got.CloseOnDeniedSubscribe {
		t.Errorf("the gateway is told %+v, want all three settings", got)
	}
}
