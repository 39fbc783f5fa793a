package explain

import (
	"encoding/json"
	"time"

	"github.com/muster-iot/muster"
)

// This file is the form of explanations in answers: names in lowerCamelCase, instants in RFC 3339 with milliseconds, and null for
// what is not known.

// form is that of an Explanation.
type form struct {
	Thing     muster.ThingName `json:"thing"`
	Job       muster.JobID     `json:"jobId"`
	Execution *execution       `json:"execution"`
	Say       string           `json:"say"`
	Code      Code             `json:"code"`
	Since     *string          `json:"since"`
	Next      nextForm         `json:"next"`
	Help      []Help           `json:"help"`
	Facts     []Fact           `json:"facts"`
	Passed    []Code           `json:"passed"`
	AsOf      *string          `json:"asOf,omitempty"`
}

type execution struct {
	Number       int64  `json:"number"`
	Status       string `json:"status"`
	RetryAttempt int    `json:"retryAttempt"`
}

type nextForm struct {
	At       *string `json:"at"`
	Say      string  `json:"say"`
	Estimate bool    `json:"estimate,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (e Explanation) MarshalJSON() ([]byte, error) {
	f := form{
		Thing: e.Thing, Job: e.Job, Say: e.Say, Code: e.Code, Since: known(e.Since), AsOf: known(e.AsOf),
		Next: nextForm{known(e.Next.At), e.Next.Say, e.Next.Estimate && e.Next.At != 0},
		Help: append([]Help{}, e.Help...), Facts: append([]Fact{}, e.Facts...), Passed: append([]Code{}, e.Passed...),
	}
	if x := e.Execution; x != nil {
		f.Execution = &execution{x.Number, x.Status.String(), x.Retries.Attempt()}
	}
	return json.Marshal(f)
}

// UnmarshalJSON implements json.Unmarshaler. Of the execution it reads what MarshalJSON writes; all retries count as those of
// failures.
func (e *Explanation) UnmarshalJSON(text []byte) error {
	var f form
	if err := json.Unmarshal(text, &f); err != nil {
		return err
	}
	*e = Explanation{Thing: f.Thing, Job: f.Job, Say: f.Say, Code: f.Code, Next: Next{Say: f.Next.Say, Estimate: f.Next.Estimate}, Help: f.Help, Facts: f.Facts, Passed: f.Passed}
	if x := f.Execution; x != nil {
		status, _ := muster.ParseStatus(x.Status)
		e.Execution = &muster.Execution{Thing: f.Thing, Job: f.Job, Number: x.Number, Status: status, Retries: muster.Retries{Failed: x.RetryAttempt}}
	}
	for _, at := range []struct {
		is   *muster.Instant
		said *string
	}{{&e.Since, f.Since}, {&e.AsOf, f.AsOf}, {&e.Next.At, f.Next.At}} {
		if at.said == nil {
			continue
		}
		t, err := time.Parse(time.RFC3339, *at.said)
		if err != nil {
			return err
		}
		*at.is = muster.At(t)
	}
	return nil
}

// known returns an instant as data has it; nil for zero.
func known(at muster.Instant) *string {
	if at == 0 {
		return nil
	}
	text := instant(at)
	return &text
}
