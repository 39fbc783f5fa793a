package main

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/sigv4"
)

// Clients sign for different services, also for one and the same operation: each
// name opens the contract, the paths of the operator and the WebSocket, by header
// and by presigned URL (identity-and-auth.md C.2).
func TestEverySigningNameIsTaken(t *testing.T) {
	s := startServer(t, filepath.Join(t.TempDir(), "data"))
	if err := s.Registry.CreateThing(t.Context(), "lamp"); err != nil {
		t.Fatal(err)
	}
	sign := map[string]func(r *http.Request, service string){
		"header": func(r *http.Request, service string) {
			sigv4.Sign(r, nil, s.Credential, s.Region, service, time.Now())
		},
		"presigned": func(r *http.Request, service string) {
			sigv4.Presign(r, s.Credential, s.Region, service, time.Minute, time.Now())
		},
	}
	const control, device = `"executionSummaries":[]`, `"inProgressJobs":[]`
	for service, executions := range map[string]string{
		"iot": control, "execute-api": control, "iotdata": device, "iot-jobs-data": device, "iotjobsdata": device, "iotdevicegateway": device,
	} {
		for form, sign := range sign {
			for path, want := range map[string]string{
				"/things/lamp/jobs": executions, "/things/lamp": `"thingName":"lamp"`, "/muster/v1/dead-letters": "{", "/metrics": "muster_http_requests_in_flight",
			} {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.ready.APIURL+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				sign(r, service)
				response, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(response.Body)
				response.Body.Close()
				if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
					t.Errorf("GET %s, signed for %s (%s): %s %.200s (%v), want %s", path, service, form, response.Status, body, err, want)
				}
			}
		}
		s.dialWebSocketFor(t, s.Credential, service).Close()
	}
}
