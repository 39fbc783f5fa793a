package diary

import (
	"iter"
	"slices"
	"strings"

	"github.com/muster-iot/muster"
)

// Subject is whom something is seen of: the holder of a certificate that is known here, or of an access key.
type Subject struct {
	Attached []muster.ThingName // that the certificate is attached to, at most ten
	Active   bool               // the certificate is active, or it is a key; otherwise it is proof of Attached only
	ClientID string             // of the connection; empty over HTTPS
}

// things yields the things that the subject may be, with whether that is by the client id only, and at last the thing that a
// resource names, such as topic/$aws/things/lamp/jobs/get; it may be empty. Each comes once.
func (s Subject) things(resource string) iter.Seq2[muster.ThingName, bool] {
	return func(yield func(muster.ThingName, bool) bool) {
		for _, thing := range s.Attached {
			if !yield(thing, false) {
				return
			}
		}
		if !s.Active {
			return
		}
		client, named := muster.ThingName(s.ClientID), thingIn(resource)
		if muster.ValidThingName(s.ClientID) && !slices.Contains(s.Attached, client) && !yield(client, true) {
			return
		}
		if named != "" && named != client && !slices.Contains(s.Attached, named) {
			yield(named, true)
		}
	}
}

const reservedOfThings = "$aws/things/"

// thingIn returns the thing that a resource names, or "".
func thingIn(resource string) muster.ThingName {
	kind, rest, _ := strings.Cut(resource, "/")
	if kind == "topic" || kind == "topicfilter" {
		rest, _ = strings.CutPrefix(rest, reservedOfThings)
		if len(rest) == len(resource)-len(kind)-1 {
			return ""
		}
	}
	if kind != "client" {
		rest, _, _ = strings.Cut(rest, "/")
	}
	if !muster.ValidThingName(rest) {
		return ""
	}
	return muster.ThingName(rest)
}

// ofJobs reports whether an action on a resource concerns the jobs of things.
func ofJobs(action, resource string) bool {
	return strings.HasPrefix(action, "iotjobsdata:") || strings.Contains(resource, reservedOfThings)
}
