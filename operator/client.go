package operator

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/muster-iot/muster/internal/apiclient"
	"github.com/muster-iot/muster/iotpolicy"
)

// Client calls the actions of a server. Its methods fail with an *apiclient.Error when
// the server refuses.
type Client struct{ API *apiclient.Client }

// Backup has the server copy its data folder to an absolute folder of its machine.
func (c Client) Backup(ctx context.Context, to string) error {
	_, err := call(ctx, c, backup, "", BackupOrder{to})
	return err
}

// ExplainPolicy asks the server what its policies decide.
func (c Client) ExplainPolicy(ctx context.Context, q iotpolicy.Question) (iotpolicy.Explanation, error) {
	return call(ctx, c, explainPolicy, "", q)
}

// ListDeadLetters is the function of that name, on the server.
func (c Client) ListDeadLetters(ctx context.Context, after string) (DeadLetterPage, error) {
	query := ""
	if after != "" {
		query = "?after=" + url.QueryEscape(after)
	}
	return call(ctx, c, listDeadLetters, query, none{})
}

// ClearDeadLetters is the function of that name, on the server.
func (c Client) ClearDeadLetters(ctx context.Context, order DeadLetterOrder) (DeadLetterCount, error) {
	return call(ctx, c, clearDeadLetters, "", order)
}

// ListKeys returns the access keys of the server, with when each was last used.
func (c Client) ListKeys(ctx context.Context) (KeyUses, error) {
	return call(ctx, c, listKeys, "", none{})
}

// AuditQuestion chooses audit records. What is empty or zero chooses all.
type AuditQuestion struct {
	Resource  string // an ARN, or the end of one, such as job/fw
	Principal string // an access key id, or the name of its user
	Operation string
	From, To  time.Time // from the first on, and before the second
	Token     string    // AuditPage.Next of the page before
}

// LookupAudit returns a page of audit records.
func (c Client) LookupAudit(ctx context.Context, asked AuditQuestion) (AuditPage, error) {
	query := url.Values{}
	for name, text := range map[string]string{
		"resource": asked.Resource, "principal": asked.Principal, "operation": asked.Operation, "nextToken": asked.Token,
	} {
		if text != "" {
			query.Set(name, text)
		}
	}
	for name, at := range map[string]time.Time{"from": asked.From, "to": asked.To} {
		if !at.IsZero() {
			query.Set(name, At(at).String())
		}
	}
	return call(ctx, c, lookupAudit, "?"+query.Encode(), none{})
}

// ListNodes returns the servers that share the database of this one.
func (c Client) ListNodes(ctx context.Context) (NodeList, error) {
	return call(ctx, c, listNodes, "", none{})
}

// DrainNode has a node drain, or no longer.
func (c Client) DrainNode(ctx context.Context, order DrainOrder) error {
	_, err := call(ctx, c, drainNode, "", order)
	return err
}

// ReadClock returns what the test clock shows.
func (c Client) ReadClock(ctx context.Context) (ClockReading, error) {
	return call(ctx, c, readClock, "", none{})
}

// MoveClock moves the test clock and returns what it shows when everything that was due
// by then has happened.
func (c Client) MoveClock(ctx context.Context, order ClockOrder) (ClockReading, error) {
	return call(ctx, c, moveClock, "", order)
}

// call sends an action, whose path has no names to fill in.
func call[In, Out any](ctx context.Context, c Client, a action[In, Out], query string, in In) (Out, error) {
	var body any
	if a.method != http.MethodGet {
		body = in
	}
	var out Out
	err := c.API.Call(ctx, a.method, a.path+query, body, &out)
	return out, err
}
