package contract

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/muster-iot/muster/awsiot/wire"
)

// This file lists what the specification answers in addition to the models.

// unmodelled are errors, with their status, that the specification gives an operation
// although the model does not.
var unmodelled = map[*wire.Operation]map[string]int{
	wire.CreateThingGroup: {"ResourceNotFoundException": http.StatusNotFound}, // an unknown parent, REG-40
	wire.Publish:          {"ForbiddenException": http.StatusForbidden},       // a topic reserved for the service, mqtt-broker.md section 11
}

// withoutState removes the executionState from an error (jobs-data-plane.md J2). It
// returns any other body as it is.
func withoutState(body []byte) []byte {
	var e struct {
		Message        string `json:"message"`
		ExecutionState *struct {
			Status        string            `json:"status"`
			StatusDetails map[string]string `json:"statusDetails,omitempty"`
			VersionNumber *int64            `json:"versionNumber"`
		} `json:"executionState"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if d.Decode(&e) != nil || e.ExecutionState == nil || e.ExecutionState.Status == "" || e.ExecutionState.VersionNumber == nil {
		return body // the checker reports what is wrong with it
	}
	return []byte(`{"message":` + quote(e.Message) + `}`)
}

// withoutTrace removes the traceId from an error. An answer with nothing else becomes
// empty (mqtt-broker.md section 11).
func withoutTrace(body []byte) []byte {
	var members map[string]string
	if json.Unmarshal(body, &members) != nil || members["traceId"] == "" {
		return body
	}
	delete(members, "traceId")
	if len(members) == 1 && members["message"] == "OK" {
		return nil
	}
	without, err := json.Marshal(members)
	if err != nil {
		return body
	}
	return without
}
