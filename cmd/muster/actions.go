package main

import (
	"slices"

	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/files/s3api"
	"github.com/muster-iot/muster/iotpolicy"
	"github.com/muster-iot/muster/operator"
)

// knownActions returns every action that the policy of an access key can name:
// those of all operations of the API models, also of those that are not served,
// and those of Muster.
func knownActions() []string {
	known := []string{iotpolicy.Connect, iotpolicy.Subscribe, iotpolicy.Receive, iotpolicy.RetainPublish, "sts:GetCallerIdentity", "cloudtrail:LookupEvents"}
	for _, op := range wire.Operations() {
		service := "iot:"
		if op.Service == wire.JobsData {
			service = "iotjobsdata:"
		}
		known = append(known, service+op.Name)
	}
	known = append(known, s3api.Actions()...)
	known = append(known, operator.Actions()...)
	slices.Sort(known)
	return slices.Compact(known)
}
