package explain

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/muster-iot/muster"
)

// This file is the form of explanations in answers: names in lowerCamelCase, instants in RFC 3339 with milliseconds, and null for
// what is not known.

type explanationForm struct {
	Thing     muster.ThingName `json:"thing"`
	Job       muster.JobID     `json:"jobId"`
	Execution *executionForm   `json:"execution"`
	Say       string           `json:"say"`
	Code      Code             `json:"code"`
	Since     instantForm      `json:"since"`
	Next      Next             `json:"next"`
	Help      []Help           `json:"help"`
	Facts     []Fact           `json:"facts"`
	Passed    []Code           `json:"passed"`
	AsOf      instantForm      `json:"asOf,omitzero"`
}

type executionForm struct {
	Number       int64  `json:"number"`
	Status       string `json:"status"`
	RetryAttempt int    `json:"retryAttempt"`
}

type nextForm struct {
	At       instantForm `json:"at"`
	Say      string      `json:"say"`
	Estimate bool        `json:"estimate,omitempty"`
}

// MarshalJSON implements json.Marshaler. Of the execution only number, status and attempt are in it.
func (e Explanation) MarshalJSON() ([]byte, error) {
	form := explanationForm{
		e.Thing, e.Job, nil, e.Say, e.Code, instantForm(e.Since), e.Next,
		append([]Help{}, e.Help...), append([]Fact{}, e.Facts...), append([]Code{}, e.Passed...), instantForm(e.AsOf),
	}
	if x := e.Execution; x != nil {
		form.Execution = &executionForm{x.Number, x.Status.String(), x.Retries.Attempt()}
	}
	return json.Marshal(form)
}

// UnmarshalJSON implements json.Unmarshaler. The retries of the execution are taken for such after a failure.
func (e *Explanation) UnmarshalJSON(data []byte) error {
	var form explanationForm
	if err := json.Unmarshal(data, &form); err != nil {
		return err
	}
	*e = Explanation{
		Thing: form.Thing, Job: form.Job, Say: form.Say, Code: form.Code, Since: muster.Instant(form.Since), Next: form.Next,
		Help: form.Help, Facts: form.Facts, Passed: form.Passed, AsOf: muster.Instant(form.AsOf),
	}
	if x := form.Execution; x != nil {
		status, ok := muster.ParseStatus(x.Status)
		if !ok {
			return fmt.Errorf("%q is no status of an execution", x.Status)
		}
		e.Execution = &muster.Execution{Thing: form.Thing, Job: form.Job, Number: x.Number, Status: status, Retries: muster.Retries{Failed: x.RetryAttempt}}
	}
	return nil
}

// MarshalJSON implements json.Marshaler.
func (n Next) MarshalJSON() ([]byte, error) {
	return json.Marshal(nextForm{instantForm(n.At), n.Say, n.Estimate && n.At != 0})
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *Next) UnmarshalJSON(data []byte) error {
	var form nextForm
	err := json.Unmarshal(data, &form)
	*n = Next{muster.Instant(form.At), form.Say, form.Estimate}
	return err
}

// instantForm is an instant in RFC 3339, UTC, with milliseconds; null for zero.
type instantForm muster.Instant

// MarshalJSON implements json.Marshaler.
func (i instantForm) MarshalJSON() ([]byte, error) {
	if i == 0 {
		return []byte("null"), nil
	}
	return json.Marshal(instant(muster.Instant(i)))
}

// UnmarshalJSON implements json.Unmarshaler.
func (i *instantForm) UnmarshalJSON(data []byte) error {
	var at time.Time
	if err := json.Unmarshal(data, &at); err != nil || at.IsZero() {
		*i = 0
		return err
	}
	*i = instantForm(muster.At(at))
	return nil
}
