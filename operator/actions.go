package operator

import (
	"context"
	"net/http"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/explain"
	"github.com/muster-iot/muster/iotpolicy"
)

// action is what the server and Client share of a path: In and Out travel as
// JSON, In as the body of a request unless the method is GET.
type action[In, Out any] struct {
	name    string // for policies
	method  string
	path    string
	bodyMax int // as in Route
}

// none is the In of a GET.
type none struct{}

var (
	backup             = action[BackupOrder, BackupOrder]{name: "muster:Backup", method: http.MethodPost, path: Prefix + "backup"}
	explainPolicy      = action[iotpolicy.Question, iotpolicy.Explanation]{name: "muster:ExplainPolicy", method: http.MethodPost, path: Prefix + "explain-policy"}
	listDeadLetters    = action[none, DeadLetterPage]{name: "muster:ListDeadLetters", method: http.MethodGet, path: Prefix + "dead-letters"}
	clearDeadLetters   = action[DeadLetterOrder, DeadLetterCount]{name: "muster:ClearDeadLetters", method: http.MethodPost, path: Prefix + "dead-letters", bodyMax: deadLetterOrderMax}
	listKeys           = action[none, KeyUses]{name: "muster:ListKeys", method: http.MethodGet, path: Prefix + "keys"}
	describeJobOptions = action[none, JobOptions]{name: "muster:DescribeJobOptions", method: http.MethodGet, path: Prefix + "jobs/{job}/options"}
	updateJobOptions   = action[JobOptions, JobOptions]{name: "muster:UpdateJobOptions", method: http.MethodPut, path: Prefix + "jobs/{job}/options"}
	describeTimeline   = action[none, Timeline]{name: "muster:DescribeTimeline", method: http.MethodGet, path: Prefix + "things/{thing}/timeline"}
	explainOnThing     = action[none, explain.Explanation]{name: "muster:Explain", method: http.MethodGet, path: Prefix + "jobs/{job}/things/{thing}/explanation"}
	explainThing       = action[none, explain.OfThing]{name: "muster:Explain", method: http.MethodGet, path: Prefix + "things/{thing}/explanation"}
	explainJob         = action[none, explain.OfJob]{name: "muster:Explain", method: http.MethodGet, path: Prefix + "jobs/{job}/explanations"}
	listRefusals       = action[none, RefusalPage]{name: "muster:ListRefusals", method: http.MethodGet, path: Prefix + "refusals"}
	listNodes          = action[none, NodeList]{name: "muster:ListNodes", method: http.MethodGet, path: Prefix + "nodes"}
	drainNode          = action[DrainOrder, DrainOrder]{name: "muster:DrainNode", method: http.MethodPost, path: Prefix + "nodes"}
	readClock          = action[none, ClockReading]{name: "muster:ReadClock", method: http.MethodGet, path: Prefix + "clock"}
	moveClock          = action[ClockOrder, ClockReading]{name: "muster:MoveClock", method: http.MethodPost, path: Prefix + "clock"}
)

// MetricsPath is where Prometheus finds its figures.
const MetricsPath = "/metrics"

// Parts are what the actions act on. All are required but Nodes, Clock and Resets.
type Parts struct {
	Account     muster.Account
	Metrics     http.Handler
	Backups     Backups
	Policies    Policies
	DeadLetters DeadLetters
	Keys        Keys
	Jobs        Jobs
	Timelines   Timelines
	Explainer   Explainer
	Refusals    Refusals
	Nodes       Nodes  // nil: there is only one
	Clock       Clock  // nil: the server keeps real time
	Resets      Resets // nil: the server is no test server
}

// Routes returns the table of what is served beside the contract. A new row needs one
// in the operator's guide too, which a test of cmd/muster holds against this table.
func Routes(p Parts) []Route {
	return []Route{
		{Method: http.MethodGet, Path: MetricsPath, Action: "muster:ReadMetrics", Serve: p.readMetrics},
		serve(backup, empty, p.backup),
		serve(explainPolicy, empty, p.explainPolicy),
		serve(listDeadLetters, empty, p.listDeadLetters),
		serve(clearDeadLetters, empty, p.clearDeadLetters),
		serve(listKeys, empty, p.listKeys).noUse(),
		serve(describeJobOptions, empty, p.describeJobOptions).on(p.jobARN),
		serve(updateJobOptions, p.jobOptions, p.updateJobOptions).on(p.jobARN),
		serve(describeTimeline, empty, p.describeTimeline).on(p.thingARN),
		serve(explainOnThing, empty, p.explainOnThing).on(p.jobARN, p.thingARN),
		serve(explainThing, empty, p.explainThing).on(p.thingARN),
		serve(explainJob, empty, p.explainJob).on(p.jobARN),
		serve(listRefusals, empty, p.listRefusals).on(p.refusedARN).queried("thing"),
		serve(listNodes, empty, p.listNodes),
		serve(drainNode, p.drainOrder, p.drainNode),
		serve(readClock, empty, p.readClock),
		serve(moveClock, p.clockOrder, p.moveClock),
		{Method: http.MethodPost, Path: Prefix + "reset", Action: "muster:Reset", Serve: p.reset},
	}
}

// serve returns the route of an action: it decodes the body over what present
// returns, so that members which the body leaves out keep that value, hands it to do, and
// answers with what do returns.
func serve[In, Out any](a action[In, Out], present func(context.Context, *Call) (In, error), do func(context.Context, *Call, In) (Out, error)) Route {
	return Route{Method: a.method, Path: a.path, Action: a.name, BodyMax: a.bodyMax, Serve: func(ctx context.Context, c *Call) (any, error) {
		in, err := present(ctx, c)
		if err == nil && a.method != http.MethodGet {
			err = c.Decode(&in)
		}
		if err != nil {
			return nil, err
		}
		return do(ctx, c, in)
	}}
}

// empty is the zero In of a body that is whole by itself.
func empty[In any](context.Context, *Call) (in In, err error) { return in, nil }

// on returns r as a route whose action is on resources.
func (r Route) on(resources ...func(names map[string]string) (string, error)) Route {
	r.Resources = resources
	return r
}

// queried returns r as a route whose resource depends on parameters of the query, too.
func (r Route) queried(names ...string) Route {
	r.Queried = names
	return r
}

// noUse returns r as a route whose requests are no use of a key.
func (r Route) noUse() Route {
	r.NoUse = true
	return r
}

func (p Parts) readMetrics(_ context.Context, c *Call) (any, error) {
	p.Metrics.ServeHTTP(c.Writer, c.Request)
	return Taken, nil
}
