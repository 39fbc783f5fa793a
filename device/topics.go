package device

// topics are the names of one thing's job topics in one namespace
// (jobs-data-plane.md section 4).
type topics struct{ thing, namespace string }

func (t topics) prefix() string { return "$aws/things/" + t.thing + "/jobs/" }

// request returns the topic of requests for op; the answer comes on the same
// topic followed by "/accepted" or "/rejected".
func (t topics) request(op operation, job string) string {
	scope := ""
	if t.namespace != "" {
		scope = "/namespace-" + t.namespace
	}
	switch op {
	case getPending:
		return t.prefix() + "get" + scope
	case startNext:
		return t.prefix() + "start-next" + scope
	case describe:
		return t.prefix() + job + scope + "/get"
	default:
		return t.prefix() + job + scope + "/update"
	}
}

func (t topics) notify() string { return t.notification("notify") }

func (t topics) notifyNext() string { return t.notification("notify-next") }

func (t topics) notification(name string) string {
	if t.namespace != "" {
		name += "-namespace-" + t.namespace
	}
	return t.prefix() + name
}

// filters returns what to subscribe to: both notifications and every answer.
func (t topics) filters() []string {
	return []string{
		t.notify(), t.notifyNext(),
		t.request(getPending, "") + "/+", t.request(startNext, "") + "/+",
		t.request(describe, "+") + "/+", t.request(update, "+") + "/+",
	}
}
