package explain

import (
	"encoding/json"

	"github.com/muster-iot/muster"
)

// This file is the form of explanations in answers: names in lowerCamelCase, instants in RFC 3339 with milliseconds, and null for
// what is not known.

// MarshalJSON implements json.Marshaler.
func (e Explanation) MarshalJSON() ([]byte, error) {
	type execution struct {
		Number       int64  `json:"number"`
		Status       string `json:"status"`
		RetryAttempt int    `json:"retryAttempt"`
	}
	form := struct {
		Thing     muster.ThingName `json:"thing"`
		Job       muster.JobID     `json:"jobId"`
		Execution *execution       `json:"execution"`
		Say       string           `json:"say"`
		Code      Code             `json:"code"`
		Since     *string          `json:"since"`
		Next      Next             `json:"next"`
		Help      []Help           `json:"help"`
		Facts     []Fact           `json:"facts"`
		Passed    []Code           `json:"passed"`
		AsOf      *string          `json:"asOf,omitempty"`
	}{
		e.Thing, e.Job, nil, e.Say, e.Code, known(e.Since), e.Next, append([]Help{}, e.Help...), append([]Fact{}, e.Facts...), append([]Code{}, e.Passed...), known(e.AsOf),
	}
	if x := e.Execution; x != nil {
		form.Execution = &execution{x.Number, x.Status.String(), x.Retries.Attempt()}
	}
	return json.Marshal(form)
}

// MarshalJSON implements json.Marshaler.
func (n Next) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		At       *string `json:"at"`
		Say      string  `json:"say"`
		Estimate bool    `json:"estimate,omitempty"`
	}{known(n.At), n.Say, n.Estimate && n.At != 0})
}

// known returns an instant as data has it; nil for zero.
func known(at muster.Instant) *string {
	if at == 0 {
		return nil
	}
	text := instant(at)
	return &text
}
