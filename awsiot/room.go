package awsiot

import (
	"strings"
	"unicode"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/reserve"
)

// uses gives the purpose that an operation writes for, by the verb that its name
// begins with; a row for a whole operation is an exception to its verb. Operations
// of a verb without a row would be served even on a full disk; a test checks that
// every verb that writes has one.
var uses = map[string]reserve.Use{
	"Add":       reserve.Grow, // with the executions of continuous jobs
	"Associate": reserve.Grow,
	"Create":    reserve.Grow,
	"Register":  reserve.Grow,
	// These cause large parts of the index or of groups to be built again.
	"UpdateDynamicThingGroup":     reserve.Grow,
	"UpdateIndexingConfiguration": reserve.Grow,
	"UpdateThingGroupsForThing":   reserve.Grow,

	"Attach":    reserve.Change,
	"Deprecate": reserve.Change,
	"Tag":       reserve.Change,
	"Update":    reserve.Change,

	"Cancel": reserve.Finish,
	"Delete": reserve.Finish,
	"Detach": reserve.Finish,
	"Remove": reserve.Finish,
	"Untag":  reserve.Finish,
	// These take rights away, which must work on a full disk.
	"SetDefaultPolicyVersion": reserve.Finish,
	"UpdateCACertificate":     reserve.Finish,
	"UpdateCertificate":       reserve.Finish,
}

// reading are the verbs of operations that write nothing.
var reading = map[string]bool{"Describe": true, "Get": true, "List": true, "Search": true, "Test": true}

// room returns nil when there is room for what op writes.
func (c *call) room(op *wire.Operation) error {
	u, writes := useOf(op.Name)
	if !writes || c.hasRoom == nil {
		return nil
	}
	if err := c.hasRoom(u, 0); err != nil {
		return muster.Errorf(muster.NoRoom, "%s", err.Error())
	}
	return nil
}

// useOf returns the purpose that an operation writes for, if it writes.
func useOf(operation string) (u reserve.Use, writes bool) {
	if u, ok := uses[operation]; ok {
		return u, true
	}
	u, ok := uses[verbOf(operation)]
	return u, ok
}

// verbOf returns the first word of a name.
func verbOf(operation string) string {
	if end := strings.IndexFunc(operation[1:], unicode.IsUpper); end >= 0 {
		return operation[:end+1]
	}
	return operation
}
