package fleetquery

import (
	"fmt"
	"slices"
	"strings"
)

// Fields of the index of things. Those of connectivity are about connections whose
// client ID is the name of the thing.
const (
	ThingName        = "thingName"
	ThingID          = "thingId"
	ThingTypeName    = "thingTypeName"
	ThingGroupNames  = "thingGroupNames" // direct groups
	Connected        = "connectivity.connected"
	ConnectedAt      = "connectivity.timestamp" // milliseconds
	DisconnectReason = "connectivity.disconnectReason"

	attributePrefix = "attributes."
	jobPrefix       = "jobs."
	jobSuffix       = ".status"
)

// Fields of the index of thing groups.
const (
	ThingGroupName        = "thingGroupName"
	ThingGroupID          = "thingGroupId"
	ThingGroupDescription = "thingGroupDescription"
	ParentGroupNames      = "parentGroupNames"
)

// Attribute returns the field of an attribute.
func Attribute(name string) string { return attributePrefix + name }

// JobStatus returns the field with the status of a thing's latest execution of a job.
// It is an extension of Muster.
func JobStatus(job string) string { return jobPrefix + job + jobSuffix }

// JobOf returns the job of a field that JobStatus returned, or "".
func JobOf(field string) string {
	rest, ok := strings.CutPrefix(field, jobPrefix)
	job, ends := strings.CutSuffix(rest, jobSuffix)
	if !ok || !ends || strings.Contains(job, ".") {
		return ""
	}
	return job
}

// Searchable reports whether a term without a field tests that field: all but the
// statuses of jobs.
func Searchable(field string) bool { return !strings.HasPrefix(field, jobPrefix) }

// OfConnectivity reports whether a field is one of those of connectivity, of which a thing
// has one value each.
func OfConnectivity(field string) bool {
	return field == Connected || field == ConnectedAt || field == DisconnectReason
}

// Index is one of the two indexes and its fields.
type Index struct {
	name   string
	fields []string
	jobs   bool
}

// The two indexes.
var (
	Things = Index{"AWS_Things", []string{ThingName, ThingID, ThingTypeName, ThingGroupNames, Connected, ConnectedAt, DisconnectReason}, true}
	Groups = Index{"AWS_ThingGroups", []string{ThingGroupName, ThingGroupID, ThingGroupDescription, ParentGroupNames}, false}
)

// Name returns the contract's name of the index.
func (x Index) Name() string { return x.name }

// check returns what is wrong with the name of a field, or "".
func (x Index) check(field string) string {
	switch {
	case slices.Contains(x.fields, field):
		return ""
	case strings.HasPrefix(field, attributePrefix) && len(field) > len(attributePrefix):
		return ""
	case x.jobs && JobOf(field) != "":
		return ""
	case x.jobs && strings.HasPrefix(field, jobPrefix):
		return fmt.Sprintf("the field %q is not of the form jobs.<jobId>.status", field)
	case strings.HasPrefix(field, "shadow."), strings.HasPrefix(field, "deviceDefender."):
		return fmt.Sprintf("the field %q is not indexed: there are no shadows and no Device Defender here", field)
	}
	known := strings.Join(x.fields, ", ") + ", attributes.<name>"
	if x.jobs {
		known += ", jobs.<jobId>.status"
	}
	return fmt.Sprintf("the field %q does not exist in %s; its fields are %s", field, x.name, known)
}
