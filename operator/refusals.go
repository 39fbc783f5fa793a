package operator

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/diary"
	"github.com/muster-iot/muster/listing"
)

// Refusals knows what was refused lately.
type Refusals interface {
	// Refusals returns a page of the refusals that a filter chooses, the last first, and
	// the token of the next. It fails with Invalid.
	Refusals(ctx context.Context, filter diary.RefusalFilter, p listing.Page) ([]diary.Refusal, string, error)
}

// RefusalPage is a page of refusals, the last first.
type RefusalPage struct {
	Refusals []Refusal `json:"refusals"`
	Next     string    `json:"nextToken,omitempty"`
}

// Refusal is what a principal was refused, and how often.
type Refusal struct {
	At        Instant          `json:"at"` // the last time
	First     Instant          `json:"first"`
	Count     int              `json:"count"`
	Principal string           `json:"principal,omitempty"` // the id of a certificate, or the ARN of a key
	Known     bool             `json:"known"`               // it is a certificate that is known and active, or a key
	Thing     muster.ThingName `json:"thing,omitempty"`     // that the certificate is attached to
	ClientID  string           `json:"clientId,omitempty"`
	Action    string           `json:"action"`
	Resource  string           `json:"resource"`
	Why       string           `json:"why"`
	Policy    string           `json:"policy,omitempty"` // whose statement denies it
	Statement string           `json:"statement,omitempty"`
}

// refusedARN names the thing that refusals are asked for, or all things.
func (p Parts) refusedARN(names map[string]string) (string, error) {
	if names["thing"] == "" {
		return "*", nil
	}
	return p.thingARN(names)
}

func (p Parts) listRefusals(ctx context.Context, c *Call, _ none) (RefusalPage, error) {
	q := c.Query()
	filter := diary.RefusalFilter{Thing: muster.ThingName(q.Text("thing")), Principal: q.Text("principal")}
	asked := listing.Page{Limit: q.Number("maxResults", 1, listing.Max, 0), Token: q.Text("nextToken")}
	page := RefusalPage{Refusals: []Refusal{}}
	if err := q.Err(); err != nil {
		return page, err
	}
	found, next, err := p.Refusals.Refusals(ctx, filter, asked)
	for _, f := range found {
		page.Refusals = append(page.Refusals, Refusal{
			At: Instant(f.At), First: Instant(f.First), Count: f.Count, Principal: f.Principal, Known: !f.Stranger, Thing: f.Thing, ClientID: f.ClientID,
			Action: f.Action, Resource: f.Resource, Why: f.Why, Policy: f.Policy, Statement: f.Statement,
		})
	}
	page.Next = next
	return page, err
}
