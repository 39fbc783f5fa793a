package awsiot

import (
	"cmp"
	"slices"
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/iotpolicy"
)

// needs are the permissions that one call takes (identity-and-auth.md part D):
// the operation's own action on every resource that the call names, in its path,
// query, headers or body, and other actions on what it also uses. The zero needs
// add nothing.
type needs struct {
	asks []ask
	tags []wire.Tag // that the call sets
}

// ask is one permission: an action on a resource, a full ARN or "*". An empty
// action is that of the operation.
type ask struct{ action, resource string }

// and returns n and more together.
func (n needs) and(more ...needs) needs {
	for _, m := range more {
		n.asks = slices.Concat(n.asks, m.asks)
		n.tags = slices.Concat(n.tags, m.tags)
	}
	return n
}

// arns asks for resources by their ARNs, or by "*". A malformed ARN is refused
// when the resource is looked up; until then it is a name that few policies allow.
func arns(arns ...string) needs {
	n := needs{asks: make([]ask, 0, len(arns))}
	for _, arn := range arns {
		n.asks = append(n.asks, ask{resource: spelled(arn)})
	}
	return n
}

// givenARNs asks for the resources that optional members name by their ARNs.
func givenARNs(members ...*string) needs {
	var n needs
	for _, arn := range members {
		if arn != nil {
			n = n.and(arns(*arn))
		}
	}
	return n
}

// tagged asks to set tags on the resource that the call makes.
func tagged(tags []wire.Tag, arn string) needs {
	if len(tags) == 0 {
		return needs{}
	}
	return needs{asks: []ask{{"iot:TagResource", arn}}, tags: tags}
}

// account is the account of the deployment. Its methods turn names into ARNs, as
// the wire shows them, ARNs into names, and both into needs.
type account struct{ muster.Account }

// named asks for the resource that an optional member names.
func (a account) named(kind string, name *string) needs {
	if name == nil {
		return needs{}
	}
	return arns(a.ARN(kind, *name))
}

// allNamed asks for the resources that a list names.
func (a account) allNamed(kind string, names []string) needs {
	every := make([]string, 0, len(names))
	for _, name := range names {
		every = append(every, a.ARN(kind, name))
	}
	return arns(every...)
}

// narrowed is what a list asks for when a resource narrows it: the whole list, as
// without the resource, and also the resource, because a policy may deny it.
func (a account) narrowed(kind string, name *string) needs {
	return arns("*").and(a.named(kind, name))
}

// kinds gives the kind of resource that a label of a path names. It is empty for a
// label that does not name a resource by itself. A label without a row would leave
// its operation unprotected; a test checks that all have one.
var kinds = map[string]string{
	"caCertificateId": "cacert",
	"certificateId":   "cert",
	"executionNumber": "",
	"indexName":       "index",
	"jobId":           "job",
	"jobTemplateId":   "jobtemplate",
	"packageName":     "package",
	"policyName":      "policy",
	"policyVersionId": "",
	"target":          "", // an ARN, which its operation asks for
	"templateName":    "", // part of an ARN without an account, which its operation asks for
	"thingGroupName":  "thinggroup",
	"thingName":       "thing",
	"thingTypeName":   "thingtype",
	"versionName":     "", // part of an ARN, which its operations ask for
}

// needs returns what the path of a call asks for.
func (c *call) needs() needs {
	named := make([]string, 0, len(c.request.Labels))
	for _, label := range c.request.Labels {
		if kind := kinds[label.Name]; kind != "" {
			named = append(named, c.account.ARN(kind, label.Value))
		}
	}
	return arns(named...)
}

// authorize returns nil when the caller may do all that n asks for.
func (c *call) authorize(n needs) error {
	if len(n.asks) == 0 {
		n = arns("*")
	}
	conditions := c.conditions(n.tags)
	for _, a := range n.asks {
		c.attempt.Resources = append(c.attempt.Resources, a.resource)
	}
	for _, a := range n.asks {
		action := cmp.Or(a.action, "iot:"+c.operation.Name)
		if err := c.caller.Authorize(action, []string{a.resource}, conditions); err != nil {
			return err
		}
	}
	return nil
}

// conditions returns the condition keys of a call that sets tags.
func (c *call) conditions(tags []wire.Tag) iotpolicy.Vars {
	address := identity.From(c.remote)
	return func(key string) ([]string, bool) {
		switch name, ok := strings.CutPrefix(key, "aws:RequestTag/"); {
		case ok:
			for _, t := range tags {
				if wire.Or(t.Key, "") == name {
					return []string{wire.Or(t.Value, "")}, true
				}
			}
		case key == "aws:TagKeys" && len(tags) > 0:
			var keys []string
			for _, t := range tags {
				keys = append(keys, wire.Or(t.Key, ""))
			}
			return keys, true
		}
		return address(key)
	}
}
