// Package apiclient is a client of a server's HTTP API: signed requests and answers in
// JSON, and the few operations of the contract that the demo and the simulated
// fleet of cmd/muster call.
package apiclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/muster-iot/muster/sigv4"
)

// Client calls the API of one server. All its fields are required. It is safe for
// concurrent use.
type Client struct {
	URL        string // of the API listener, such as http://127.0.0.1:8080
	Region     string // that requests are signed for
	Credential sigv4.Credential
	HTTP       *http.Client
}

// answerMax bounds what is read of an answer: a page of 250 executions is far
// smaller.
const answerMax = 4 << 20

// Error is an error that the service answered with.
type Error struct {
	Type    string // such as ResourceNotFoundException; empty when the answer has none
	Message string // or the status line, when the answer has no message
}

func (e *Error) Error() string {
	if e.Type == "" {
		return e.Message
	}
	return e.Type + ": " + e.Message
}

// Call sends one signed request with body as JSON (nil for none) and decodes
// the answer into answer, unless that is nil. path is escaped already. It fails
// with an *Error when the service refuses.
func (c *Client) Call(ctx context.Context, method, path string, body, answer any) error {
	var payload []byte
	if body != nil {
		var err error
		if payload, err = json.Marshal(body); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, c.URL+path, bytes.NewReader(payload))
	if err != nil {
		return err
	}
	if payload != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	sigv4.Sign(r, payload, c.Credential, c.Region, "iot", time.Now())
	response, err := c.HTTP.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, answerMax))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		e := &Error{Type: response.Header.Get("X-Amzn-ErrorType"), Message: response.Status}
		var said struct{ Message string }
		if json.Unmarshal(text, &said) == nil && said.Message != "" {
			e.Message = said.Message
		}
		return e
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}

// Object is the body of a request.
type Object map[string]any

// CreateThing makes a thing without attributes.
func (c *Client) CreateThing(ctx context.Context, thing string) error {
	return c.Call(ctx, http.MethodPost, "/things/"+url.PathEscape(thing), Object{}, nil)
}

// EnsureThing makes a thing with attributes. One that is there stays as it is.
func (c *Client) EnsureThing(ctx context.Context, thing string, attributes map[string]string) error {
	body := Object{"attributePayload": Object{"attributes": attributes}}
	err := c.Call(ctx, http.MethodPost, "/things/"+url.PathEscape(thing), body, nil)
	if other := (*Error)(nil); errors.As(err, &other) && other.Type == "ResourceAlreadyExistsException" {
		return nil
	}
	return err
}

// CreateGroup returns the ARN of a thing group, made unless it is there.
func (c *Client) CreateGroup(ctx context.Context, group string) (string, error) {
	var made struct{ ThingGroupArn string }
	err := c.Call(ctx, http.MethodPost, "/thing-groups/"+url.PathEscape(group), Object{}, &made)
	return made.ThingGroupArn, err
}

// AddToGroup puts a thing into a thing group.
func (c *Client) AddToGroup(ctx context.Context, thing, group string) error {
	return c.Call(ctx, http.MethodPut, "/thing-groups/addThingToThingGroup", Object{"thingGroupName": group, "thingName": thing}, nil)
}

// CreateJob makes a snapshot job for one target, the ARN of a thing or thing group.
func (c *Client) CreateJob(ctx context.Context, job, target, document string) error {
	return c.Call(ctx, http.MethodPut, "/jobs/"+url.PathEscape(job), Object{"targets": []string{target}, "document": document}, nil)
}

// Job is what DescribeJob tells of a job's progress.
type Job struct {
	Status            string
	JobProcessDetails map[string]any // counters, and processingTargets
	CreatedAt         float64
	CompletedAt       float64
}

// DescribeJob returns the status and the counters of a job.
func (c *Client) DescribeJob(ctx context.Context, job string) (Job, error) {
	var answer struct{ Job Job }
	err := c.Call(ctx, http.MethodGet, "/jobs/"+url.PathEscape(job), nil, &answer)
	return answer.Job, err
}

// Count returns one counter of the job: "Queued" for numberOfQueuedThings.
func (j Job) Count(of string) int {
	n, _ := j.JobProcessDetails["numberOf"+of+"Things"].(float64)
	return int(n)
}

// Register makes things and puts them into a group, all of which may be there.
// Things that are there keep the attributes they have. It returns the ARN of the
// group.
func (c *Client) Register(ctx context.Context, group string, things []string, attributes map[string]string) (string, error) {
	arn, err := c.CreateGroup(ctx, group)
	if err != nil {
		return "", fmt.Errorf("create thing group %s: %w", group, err)
	}
	for _, thing := range things {
		if err := c.EnsureThing(ctx, thing, attributes); err != nil {
			return "", fmt.Errorf("create thing %s: %w", thing, err)
		}
		if err := c.AddToGroup(ctx, thing, group); err != nil {
			return "", fmt.Errorf("add %s to group %s: %w", thing, group, err)
		}
	}
	return arn, nil
}
