package contract

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/muster-iot/muster/awsiot/wire"
)

// Report says what was tried and what came of it.
type Report struct {
	Requests int
	Findings []Finding
	// Outcomes counts, by operation, how often which error was answered; a
	// success has the empty name. An operation that is served is always there.
	// Those over MQTT have "MQTT " before their name and a code for an error.
	Outcomes map[string]map[string]int
	modelled map[string][]string
}

func newReport() *Report {
	return &Report{Outcomes: map[string]map[string]int{}, modelled: map[string][]string{}}
}

// Name is how an operation is called in a report.
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

// told notes how a device was answered.
func (r *Report) told(m *message, got reply) {
	if m.code == "InvalidTopic" {
		return // it is no operation's answer
	}
	name := "MQTT " + m.op.Name
	if r.Outcomes[name] == nil {
		r.Outcomes[name] = map[string]int{}
	}
	code, _ := stringMember(got.payload, "code")
	r.Outcomes[name][code]++
}

func (r *Report) find(f Finding) { r.Findings = append(r.Findings, f) }

// Add adds what another run came to.
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

// NeverSucceeded names the operations that had no success, sorted.
func (r *Report) NeverSucceeded() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(r.Outcomes)) {
		if r.Outcomes[name][""] == 0 {
			names = append(names, name)
		}
	}
	return names
}

// String is a table: the operations with their successes, the errors that were
// seen, and those of the model that were not.
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
