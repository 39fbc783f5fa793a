package awsiot

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/reserve"
)

// Every operation that is served either reads or has a purpose that it writes for.
func TestEveryOperationSaysWhatItWritesFor(t *testing.T) {
	verbs := map[string]bool{}
	for _, op := range Implemented() {
		if op.Service != wire.ControlPlane {
			continue // devices' reports, which the engine answers for
		}
		verb := verbOf(op.Name)
		verbs[verb], verbs[op.Name] = true, true
		_, writes := useOf(op.Name)
		if writes == reading[verb] {
			t.Errorf("%s: writes %v and its verb reads %v; give it a row in uses", op.Name, writes, reading[verb])
		}
		if op.Method == http.MethodGet && writes {
			t.Errorf("%s is a GET and writes", op.Name)
		}
	}
	for name := range uses {
		if !verbs[name] {
			t.Errorf("uses has a row for %s, which is served by nothing", name)
		}
	}
}

// A refusal for lack of room uses an error that the operation models, with a status
// after which clients retry. It comes after the check of permissions.
func TestTheControlPlaneOnAFullDisk(t *testing.T) {
	var level atomic.Uint32
	env := newEnvWith(t, Options{
		Room: func(u reserve.Use, _ int64) error { return reserve.Level(level.Load()).Check(u) },
	})
	env.thing("lamp")
	for _, test := range []struct {
		method, path, body string
		use                reserve.Use
	}{
		{"POST", "/things/pump", "{}", reserve.Grow},
		{"PUT", "/jobs/job1", `{"targets":["arn:aws:iot:eu-west-1:111122223333:thing/lamp"],"document":"{}"}`, reserve.Grow},
		{"PATCH", "/things/lamp", `{"attributePayload":{"attributes":{"a":"b"}}}`, reserve.Change},
		{"DELETE", "/things/fan", "", reserve.Finish},
	} {
		for l := reserve.Plenty; l <= reserve.Full; l++ {
			level.Store(uint32(l))
			got := env.send(test.method, test.path, test.body)
			refused := got.status == http.StatusServiceUnavailable
			if refused == l.Allows(test.use) {
				t.Errorf("disk %s: %s %s answers %d %s", l, test.method, test.path, got.status, got.body)
			}
			if refused && (got.errorType() != "ServiceUnavailableException" || !strings.Contains(got.body, "disk of the server")) {
				t.Errorf("disk %s: %s %s is refused with %v %s", l, test.method, test.path, got.header, got.body)
			}
		}
		level.Store(uint32(reserve.Full))
		if got := env.send("GET", "/things/lamp", ""); got.status != http.StatusOK {
			t.Errorf("GET /things/lamp on a full disk answers %d", got.status)
		}
		level.Store(uint32(reserve.Plenty))
	}
}
