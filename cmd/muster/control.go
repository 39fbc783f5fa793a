package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/muster-iot/muster/internal/secretfile"
	"github.com/muster-iot/muster/sigv4"
)

// control is a client of the public control plane, just large enough for the
// demo and the simulated fleet.
type control struct {
	base       string
	region     string
	credential sigv4.Credential
	http       *http.Client
}

// answerMax bounds what is read of an answer: a page of 250 executions is far
// smaller.
const answerMax = 4 << 20

// newControl returns a client of the server that r describes.
func newControl(r Ready) (*control, error) {
	credential, err := readPrivateProfile(r.CredentialsFile)
	if err != nil {
		return nil, err
	}
	return &control{base: r.APIURL, region: r.Region, credential: credential, http: &http.Client{Timeout: time.Minute}}, nil
}

// apiError is an error that the service answered with.
type apiError struct {
	Type    string
	Message string
}

func (e *apiError) Error() string {
	if e.Type == "" {
		return e.Message
	}
	return e.Type + ": " + e.Message
}

// call sends one signed request with body as JSON (nil for none) and decodes
// the answer into answer, unless that is nil. path is escaped already.
func (c *control) call(ctx context.Context, method, path string, body, answer any) error {
	var payload []byte
	if body != nil {
		var err error
		if payload, err = json.Marshal(body); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(payload))
	if err != nil {
		return err
	}
	if payload != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	sigv4.Sign(r, payload, c.credential, c.region, "iot", time.Now())
	response, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, answerMax))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		e := &apiError{Type: response.Header.Get("X-Amzn-ErrorType"), Message: response.Status}
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

type object map[string]any

func (c *control) createThing(ctx context.Context, thing string) error {
	return c.call(ctx, http.MethodPost, "/things/"+url.PathEscape(thing), object{}, nil)
}

// ensureThing makes a thing with attributes. One that is there stays as it is.
func (c *control) ensureThing(ctx context.Context, thing string, attributes map[string]string) error {
	body := object{"attributePayload": object{"attributes": attributes}}
	err := c.call(ctx, http.MethodPost, "/things/"+url.PathEscape(thing), body, nil)
	if other := (*apiError)(nil); errors.As(err, &other) && other.Type == "ResourceAlreadyExistsException" {
		return nil
	}
	return err
}

// createGroup returns the ARN of a thing group, made unless it is there.
func (c *control) createGroup(ctx context.Context, group string) (string, error) {
	var made struct{ ThingGroupArn string }
	err := c.call(ctx, http.MethodPost, "/thing-groups/"+url.PathEscape(group), object{}, &made)
	return made.ThingGroupArn, err
}

func (c *control) addToGroup(ctx context.Context, thing, group string) error {
	return c.call(ctx, http.MethodPut, "/thing-groups/addThingToThingGroup", object{"thingGroupName": group, "thingName": thing}, nil)
}

func (c *control) createJob(ctx context.Context, job, target, document string) error {
	return c.call(ctx, http.MethodPut, "/jobs/"+url.PathEscape(job), object{"targets": []string{target}, "document": document}, nil)
}

// jobView is what DescribeJob tells of a job's progress.
type jobView struct {
	Status            string
	JobProcessDetails map[string]any // counters, and processingTargets
	CreatedAt         float64
	CompletedAt       float64
}

func (c *control) describeJob(ctx context.Context, job string) (jobView, error) {
	var answer struct{ Job jobView }
	err := c.call(ctx, http.MethodGet, "/jobs/"+url.PathEscape(job), nil, &answer)
	return answer.Job, err
}

// count returns one counter of the job: "Queued" for numberOfQueuedThings.
func (j jobView) count(of string) int {
	n, _ := j.JobProcessDetails["numberOf"+of+"Things"].(float64)
	return int(n)
}

// register makes things and puts them into a group, all of which may be there.
// Things that are there keep the attributes they have. It returns the ARN of the
// group.
func (c *control) register(ctx context.Context, group string, things []string, attributes map[string]string) (string, error) {
	arn, err := c.createGroup(ctx, group)
	if err != nil {
		return "", fmt.Errorf("create thing group %s: %w", group, err)
	}
	for _, thing := range things {
		if err := c.ensureThing(ctx, thing, attributes); err != nil {
			return "", fmt.Errorf("create thing %s: %w", thing, err)
		}
		if err := c.addToGroup(ctx, thing, group); err != nil {
			return "", fmt.Errorf("add %s to group %s: %w", thing, group, err)
		}
	}
	return arn, nil
}

// profileMax bounds an AWS shared-credentials file, in bytes.
const profileMax = 1 << 20

// readProfile reads the default profile of an AWS shared-credentials file, which is
// the user's own: what the AWS CLI reads, this does.
func readProfile(file string) (sigv4.Credential, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return sigv4.Credential{}, fmt.Errorf("credentials: %w", err)
	}
	return parseProfile(file, text)
}

// readPrivateProfile is readProfile for a file that only its owner may open.
func readPrivateProfile(file string) (sigv4.Credential, error) {
	text, err := secretfile.Read(file, profileMax)
	if err != nil {
		return sigv4.Credential{}, fmt.Errorf("credentials: %w", err)
	}
	return parseProfile(file, text)
}

func parseProfile(file string, text []byte) (sigv4.Credential, error) {
	var credential sigv4.Credential
	profile := ""
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "[") {
			profile = strings.Trim(line, "[]")
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || profile != "default" {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "aws_access_key_id":
			credential.AccessKeyID = value
		case "aws_secret_access_key":
			credential.Secret = sigv4.Secret(value)
		case "aws_session_token":
			credential.SessionToken = sigv4.Secret(value)
		}
	}
	if err := lines.Err(); err != nil {
		return credential, fmt.Errorf("credentials: %w", err)
	}
	if credential.AccessKeyID == "" || credential.Secret == "" {
		return credential, fmt.Errorf("credentials: %s has no key in its default profile", file)
	}
	return credential, nil
}
