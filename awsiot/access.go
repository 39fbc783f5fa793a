package awsiot

import (
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/identity"
)

// needs gathers the permissions that one call takes (identity-and-auth.md part
// D): the operation's own action on every resource that the call names, and the
// permission to tag when it makes something with tags.
type needs struct {
	account   muster.Account
	action    string   // "iot:" and the name of the operation
	resources []string // ARNs; none means "*"
	tagging   []string // ARNs of what is made with tags
	tags      []wire.Tag
	remote    string // address and port of the caller
}

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

// arns adds resources by their names. A malformed one is for the engine to
// refuse; until then it is a name that few policies allow.
func (n *needs) arns(arns ...string) { n.resources = append(n.resources, arns...) }

// tagged adds the permission to tag the resource that the call makes.
func (n *needs) tagged(tags []wire.Tag, kind, name string) {
	if len(tags) > 0 {
		n.tags, n.tagging = tags, append(n.tagging, n.account.ARN(kind, name))
	}
}

// authorize returns nil when the caller may do all of it.
func (n *needs) authorize(caller identity.Caller) error {
	if err := caller.Authorize(n.action, n.resources, n.vars); err != nil {
		return err
	}
	if len(n.tagging) == 0 {
		return nil
	}
	return caller.Authorize("iot:TagResource", n.tagging, n.vars)
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
