package dataplane

import (
	"strings"

	"github.com/muster-iot/muster"
)

// Kind is what a job topic is for.
type Kind uint8

// The kinds of job topics. The first four are the device operations of
// jobs-data-plane.md section 6.
const (
	InvalidTopic Kind = iota // below …/jobs/, and no topic of the contract
	GetPending               // GetPendingJobExecutions
	StartNext                // StartNextPendingJobExecution
	Describe                 // DescribeJobExecution
	Update                   // UpdateJobExecution
	NotifyList               // notify: the list notification
	NotifyNext               // notify-next: the next notification
)

// Side says whether a topic of an operation carries the request or an answer.
type Side uint8

// The three topics of an operation. Notifications have Request only.
const (
	Request Side = iota
	Accepted
	Rejected
)

// Topic is the name of a job topic of one thing (jobs-data-plane.md section 4).
type Topic struct {
	Kind      Kind
	Side      Side
	Thing     muster.ThingName
	Job       muster.JobID     // Describe and Update only; NextJob for the head of the queue
	Namespace muster.Namespace // empty for the default one
}

// NextJob means the head of the queue where a topic or path has a job id.
const NextJob muster.JobID = "$next"

const (
	thingsPrefix    = "$aws/things/"
	jobsPrefix      = "jobs/"
	namespacePrefix = "namespace-"
	acceptedSuffix  = "/accepted"
	rejectedSuffix  = "/rejected"
)

// ParseTopic reads a topic below $aws/things/<thing>/jobs/ and returns false for
// any other. The parts of a topic are identified by their positions, so a job may
// have an id such as "get". The names of things and jobs are not validated here.
// The String of a topic that is not of kind InvalidTopic is the topic parsed.
func ParseTopic(topic string) (Topic, bool) {
	rest, ok := strings.CutPrefix(topic, thingsPrefix)
	if !ok {
		return Topic{}, false
	}
	thing, rest, _ := strings.Cut(rest, "/")
	rest, ok = strings.CutPrefix(rest, jobsPrefix)
	if !ok {
		return Topic{}, false
	}
	side := Request
	if base, ok := strings.CutSuffix(rest, acceptedSuffix); ok {
		rest, side = base, Accepted
	} else if base, ok := strings.CutSuffix(rest, rejectedSuffix); ok {
		rest, side = base, Rejected
	}
	t := parseJobs(rest)
	if t.Kind == InvalidTopic || side != Request && (t.Kind == NotifyList || t.Kind == NotifyNext) {
		return Topic{Thing: muster.ThingName(thing)}, true
	}
	t.Thing, t.Side = muster.ThingName(thing), side
	return t, true
}

// parseJobs reads what follows jobs/, without an answer's last segment.
func parseJobs(rest string) Topic {
	first, rest, more := strings.Cut(rest, "/")
	if !more {
		return parseOne(first)
	}
	second, third, more := strings.Cut(rest, "/")
	namespace, scoped := cutNamespace(second)
	switch {
	case !more && scoped && first == "get":
		return Topic{Kind: GetPending, Namespace: namespace}
	case !more && scoped && first == "start-next":
		return Topic{Kind: StartNext, Namespace: namespace}
	case !more:
		return Topic{Kind: verb(second), Job: muster.JobID(first)}
	case scoped:
		return Topic{Kind: verb(third), Job: muster.JobID(first), Namespace: namespace}
	}
	return Topic{}
}

// parseOne reads the only segment that follows jobs/.
func parseOne(s string) Topic {
	switch s {
	case "get":
		return Topic{Kind: GetPending}
	case "start-next":
		return Topic{Kind: StartNext}
	case "notify":
		return Topic{Kind: NotifyList}
	case "notify-next":
		return Topic{Kind: NotifyNext}
	}
	if rest, ok := strings.CutPrefix(s, "notify-next-"); ok {
		if namespace, ok := cutNamespace(rest); ok {
			return Topic{Kind: NotifyNext, Namespace: namespace}
		}
	} else if rest, ok := strings.CutPrefix(s, "notify-"); ok {
		if namespace, ok := cutNamespace(rest); ok {
			return Topic{Kind: NotifyList, Namespace: namespace}
		}
	}
	return Topic{}
}

func cutNamespace(s string) (muster.Namespace, bool) {
	name, ok := strings.CutPrefix(s, namespacePrefix)
	if !ok || !muster.ValidNamespace(name) {
		return "", false
	}
	return muster.Namespace(name), true
}

func verb(s string) Kind {
	switch s {
	case "get":
		return Describe
	case "update":
		return Update
	}
	return InvalidTopic
}

// String returns the topic's name; "" for kind InvalidTopic.
func (t Topic) String() string {
	name := ""
	switch t.Kind {
	case GetPending:
		name = "get" + t.scope("/")
	case StartNext:
		name = "start-next" + t.scope("/")
	case Describe:
		name = string(t.Job) + t.scope("/") + "/get"
	case Update:
		name = string(t.Job) + t.scope("/") + "/update"
	case NotifyList:
		name = "notify" + t.scope("-")
	case NotifyNext:
		name = "notify-next" + t.scope("-")
	default:
		return ""
	}
	switch t.Side {
	case Accepted:
		name += acceptedSuffix
	case Rejected:
		name += rejectedSuffix
	}
	return thingsPrefix + string(t.Thing) + "/" + jobsPrefix + name
}

func (t Topic) scope(separator string) string {
	if t.Namespace == "" {
		return ""
	}
	return separator + namespacePrefix + string(t.Namespace)
}
