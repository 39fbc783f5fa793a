package contract

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/muster-iot/muster/awsiot/wire"
)

// Report says what was tried, with which outcomes.
type Report struct {
	Requests int
	Findings []Finding
	// Outcomes counts, by operation, how often each error was answered; a success has
	// the empty name. Every operation that is served has an entry. Operations over
	// MQTT have "MQTT " before their name, and codes as errors.
	Outcomes map[string]map[string]int
	modelled map[string][]string
}

func newReport() *Report {
	return &Report{Outcomes: map[string]map[string]int{}, modelled: map[string][]string{}}
}

// Name returns the name of an operation in a report.
func Name(op *wire.Operation) string { return string(op.Service) + " " + op.Name }

func (r *Report) expect(op *wire.Operation) {
	r.Outcomes[Name(op)] = map[string]int{}
	for _, e := range op.Errors {
		r.modelled[Name(op)] = append(r.modelled[Name(op)], e.Name)
	}
}

func (r *Report) saw(op *wire.Operation, errorType string) {
	if all := r.Outcomes[Name(op)]; all != nil {
		all[errorType]++
	}
}

// told counts the answer to a device.
func (r *Report) told(m *message, got reply) {
	if m.code == "InvalidTopic" {
		return // it is not the answer of an operation
	}
	name := "MQTT " + m.op.Name
	if r.Outcomes[name] == nil {
		r.Outcomes[name] = map[string]int{}
	}
	code, _ := stringMember(got.payload, "code")
	r.Outcomes[name][code]++
}

func (r *Report) find(f Finding) { r.Findings = append(r.Findings, f) }

// Add adds the outcomes of another run.
func (r *Report) Add(other *Report) {
	r.Requests += other.Requests
	r.Findings = append(r.Findings, other.Findings...)
	maps.Copy(r.modelled, other.modelled)
	for name, outcomes := range other.Outcomes {
		if r.Outcomes[name] == nil {
			r.Outcomes[name] = map[string]int{}
		}
		for outcome, n := range outcomes {
			r.Outcomes[name][outcome] += n
		}
	}
}

// NeverSucceeded returns the operations without a success, sorted.
func (r *Report) NeverSucceeded() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(r.Outcomes)) {
		if r.Outcomes[name][""] == 0 {
			names = append(names, name)
		}
	}
	return names
}

// String returns a table: the operations with their successes, the errors that were
// answered, and the modeled errors that were not.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests, %d findings\n", r.Requests, len(r.Findings))
	for _, name := range slices.Sorted(maps.Keys(r.Outcomes)) {
		outcomes := r.Outcomes[name]
		fmt.Fprintf(&b, "%-45s %6d ok", name, outcomes[""])
		for _, outcome := range slices.Sorted(maps.Keys(outcomes)) {
			if outcome != "" {
				fmt.Fprintf(&b, ", %d %s", outcomes[outcome], strings.TrimSuffix(outcome, "Exception"))
			}
		}
		var unseen []string
		for _, e := range r.modelled[name] {
			if outcomes[e] == 0 {
				unseen = append(unseen, strings.TrimSuffix(e, "Exception"))
			}
		}
		if len(unseen) > 0 {
			fmt.Fprintf(&b, "; not seen: %s", strings.Join(unseen, ", "))
		}
		b.WriteByte('\n')
	}
	return b.String()
}
