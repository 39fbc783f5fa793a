package authz

import (
	"fmt"
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/iotpolicy"
)

// Refusal is an action that was not allowed, with who tried it and why it was refused.
type Refusal struct {
	Principal string             // the id of a certificate, or the ARN of an access key, or its id if it is unknown; "" for none
	Known     bool               // the certificate or the key is known here
	Active    bool               // and gives access
	Attached  []muster.ThingName // as Device.Attached
	ClientID  string             // "" over HTTPS
	Action    string             // such as iot:Subscribe
	Resource  string             // without the head of its ARN, such as topicfilter/a/b
	Decision  iotpolicy.Decision // of the policies, if Why is ""
	Why       string             // they were not asked, in words
}

// overHTTPS is the resource of a connection that has no client id.
const overHTTPS = "https"

// refuse tells of a refusal and returns its error.
func (a *Authorizer) refuse(f Refusal) error {
	a.o.Refused(f)
	if f.Why != "" {
		return refusal(f.Why)
	}
	return refusal(f.Action + " on " + a.o.Account.Named(f.Resource))
}

// refuse is that of the Authorizer, for a device.
func (d *Device) refuse(f Refusal) error {
	f.Principal, f.ClientID = string(d.id), d.clientID
	if r := d.rights.Load(); r != nil {
		f.Known, f.Active, f.Attached = r.why != deleted, r.active, r.attached
	}
	if kind := kindOf(f.Action, f.Resource); kind != 0 {
		d.allowed.And(^kind)
	}
	return d.a.refuse(f)
}

// permit tells that an action is permitted, if it is the first of its kind. It is called for each message.
func (d *Device) permit(action, resource string) {
	kind := kindOf(action, resource)
	if d.allowed.Load()&kind == kind { // as for those that are of no kind
		return
	}
	d.allowed.Or(kind)
	d.a.o.Allowed(d, action, resource)
}

// kindOf returns a bit for the kind of an action, zero for those that nobody is told of: attempts to
// connect. Topics of things are other kinds than topics for all.
func kindOf(action, resource string) uint32 {
	at := 0
	switch action {
	case iotpolicy.Connect:
		return 0
	case iotpolicy.Publish:
		at = 1
	case iotpolicy.Subscribe:
		at = 2
	case iotpolicy.Receive:
		at = 3
	case iotpolicy.RetainPublish:
		at = 4
	default: // over HTTPS, where a thing is the resource
		for i, operation := range httpsActions {
			if action == operation {
				return 1 << (16 + i)
			}
		}
	}
	if _, name, _ := strings.Cut(resource, "/"); strings.HasPrefix(name, "$aws/things/") {
		at += 8
	}
	return 1 << at
}

// httpsActions are those of the data plane.
var httpsActions = []string{
	"iotjobsdata:GetPendingJobExecutions", "iotjobsdata:StartNextPendingJobExecution", "iotjobsdata:DescribeJobExecution", "iotjobsdata:UpdateJobExecution",
}

func refusal(what string) error { return fmt.Errorf("%w: %s", gateway.ErrRefused, what) }
