package iotpolicy

import "strings"

// Actions of the device gateway and the jobs data plane. The action of any other
// operation is "iot:" followed by its name.
const (
	Connect              = "iot:Connect"
	Publish              = "iot:Publish"
	RetainPublish        = "iot:RetainPublish"
	Subscribe            = "iot:Subscribe"
	Receive              = "iot:Receive"
	GetRetainedMessage   = "iot:GetRetainedMessage"
	ListRetainedMessages = "iot:ListRetainedMessages"
	DeleteConnection     = "iot:DeleteConnection"

	DescribeJobExecution         = "iotjobsdata:DescribeJobExecution"
	GetPendingJobExecutions      = "iotjobsdata:GetPendingJobExecutions"
	StartNextPendingJobExecution = "iotjobsdata:StartNextPendingJobExecution"
	UpdateJobExecution           = "iotjobsdata:UpdateJobExecution"
)

// otherNames maps each of the two names of a data plane action to the other one: AWS's
// own pages write the jobs actions with iot: as well as with iotjobsdata:
// (identity-and-auth.md B.5). Only real data plane actions are listed, so that
// iotjobsdata:* does not mean iot:*.
var otherNames = bothWays(map[string][]string{
	"iotjobsdata:": {"DescribeJobExecution", "GetPendingJobExecutions", "StartNextPendingJobExecution", "UpdateJobExecution"},
	"iotdata:": {"Connect", "Publish", "RetainPublish", "Subscribe", "Receive",
		"GetRetainedMessage", "ListRetainedMessages", "DeleteConnection",
		"GetThingShadow", "UpdateThingShadow", "DeleteThingShadow", "ListNamedShadowsForThing"},
})

func bothWays(services map[string][]string) map[string]string {
	names := map[string]string{}
	for service, actions := range services {
		for _, action := range actions {
			names["iot:"+action], names[service+action] = service+action, "iot:"+action
		}
	}
	return names
}

// actionPattern is an Action element, in lower case since it ignores case.
type actionPattern struct {
	text     string
	wildcard bool
}

func newActionPattern(text string) actionPattern {
	return actionPattern{strings.ToLower(text), strings.ContainsAny(text, "*?")}
}

func (p *actionPattern) match(action string) bool {
	if !p.wildcard {
		return len(p.text) == len(action) && strings.EqualFold(p.text, action)
	}
	// The usual glob: on a mismatch the last star matches one more character.
	i, j, star, taken := 0, 0, -1, 0
	for {
		switch {
		case i < len(p.text) && p.text[i] == '*':
			star, taken = i, j
			i++
		case i < len(p.text) && j < len(action) && (p.text[i] == '?' || p.text[i] == lower(action[j])):
			i++
			j++
		case i == len(p.text) && j == len(action):
			return true
		case star >= 0 && taken < len(action):
			taken++
			i, j = star+1, taken
		default:
			return false
		}
	}
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
