package awsiot

import (
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/identity"
)

// needs gathers the permissions that one call takes (identity-and-auth.md part
// D): the operation's own action on every resource that the call names, in its
// path, query, headers or body, and other actions on what it also uses.
type needs struct {
	account muster.Account
	action  string // "iot:" and the name of the operation
	asks    []ask  // none means the action on "*"
	tags    []wire.Tag
	remote  string // address and port of the caller
}

// ask is one permission: an action on a resource, a full ARN or "*".
type ask struct{ action, resource string }

// kinds gives the kind of resource that a label of a path names; an empty one
// says that the label names none of its own. A label that is not here would
// leave its operation open, so a test forbids that.
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

// needsOf returns what the path of a call asks for.
func needsOf(c *call) *needs {
	n := &needs{account: c.account, action: "iot:" + c.operation.Name, remote: c.remote}
	for _, label := range c.request.Labels {
		if kind := kinds[label.Name]; kind != "" {
			n.arns(n.account.ARN(kind, label.Value))
		}
	}
	return n
}

// arns adds resources by their ARNs, or by "*". A malformed one is for the
// engine to refuse; until then it is a name that few policies allow.
func (n *needs) arns(arns ...string) {
	for _, arn := range arns {
		n.asks = append(n.asks, ask{n.action, spelled(arn)})
	}
}

// given adds the resources that optional members name by their ARNs.
func (n *needs) given(arns ...*string) {
	for _, arn := range arns {
		if arn != nil {
			n.arns(*arn)
		}
	}
}

// named adds the resources that optional members name.
func (n *needs) named(kind string, names ...*string) {
	for _, name := range names {
		if name != nil {
			n.arns(n.account.ARN(kind, *name))
		}
	}
}

// narrowed adds what a list asks for that a resource narrows: the whole list,
// as without it, and that resource, which a policy may deny.
func (n *needs) narrowed(kind string, name *string) {
	n.arns("*")
	n.named(kind, name)
}

// tagged adds the permission to tag the resource that the call makes.
func (n *needs) tagged(tags []wire.Tag, arn string) {
	if len(tags) > 0 {
		n.tags, n.asks = tags, append(n.asks, ask{"iot:TagResource", arn})
	}
}

// authorize returns nil when the caller may do all of it.
func (n *needs) authorize(caller identity.Caller) error {
	if len(n.asks) == 0 {
		n.arns("*")
	}
	for _, a := range n.asks {
		if err := caller.Authorize(a.action, []string{a.resource}, n.vars); err != nil {
			return err
		}
	}
	return nil
}

// vars returns the condition keys of the call.
func (n *needs) vars(key string) ([]string, bool) {
	switch tag, ok := strings.CutPrefix(key, "aws:RequestTag/"); {
	case ok:
		for _, t := range n.tags {
			if wire.Or(t.Key, "") == tag {
				return []string{wire.Or(t.Value, "")}, true
			}
		}
	case key == "aws:TagKeys" && len(n.tags) > 0:
		var keys []string
		for _, t := range n.tags {
			keys = append(keys, wire.Or(t.Key, ""))
		}
		return keys, true
	}
	return identity.From(n.remote)(key)
}
