// Package wiretest checks responses against the API models. It reads the models
// itself and shares no code with the encoder, so neither can hide a mistake of the
// other. It is for tests only.
package wiretest

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/internal/wiregen"
	"github.com/muster-iot/muster/internal/wiregen/model"
)

// Checker checks the answers of all operations.
type Checker struct {
	apis   map[wire.Service]*model.API
	limits bool
}

// New returns a checker for all operations of package wire.
func New(t testing.TB) *Checker {
	t.Helper()
	c, err := newChecker(model.Load)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// NewStrict returns a checker that also checks the values of answers against the
// limits of their shapes: lengths, ranges and patterns, as in Muster's contract
// (wiregen.Load).
func NewStrict() (*Checker, error) {
	c, err := newChecker(wiregen.Load)
	if err != nil {
		return nil, err
	}
	c.limits = true
	return c, nil
}

func newChecker(load func(string) (*model.API, error)) (*Checker, error) {
	c := &Checker{apis: map[wire.Service]*model.API{}}
	for service, file := range map[wire.Service]string{
		wire.ControlPlane: model.ControlPlane, wire.JobsData: model.JobsData, wire.IoTData: model.IoTData,
	} {
		api, err := load(file)
		if err != nil {
			return nil, err
		}
		c.apis[service] = api
	}
	return c, nil
}

// Check fails t unless the model allows the response for op; see Verify.
func (c *Checker) Check(t testing.TB, op *wire.Operation, status int, header http.Header, body []byte) {
	t.Helper()
	if err := c.Verify(op, status, header, body); err != nil {
		t.Errorf("%s answered %d %s: %v", op.Name, status, body, err)
	}
}

// Verify returns what is wrong with a response of op. A success has status 200
// and exactly the members of the output shape; an error is one that op models,
// named by x-amzn-ErrorType, with its status and members. Values have the
// modeled type, timestamps are seconds with at most three decimals, and
// enumerations hold known values only. Nothing is null or given twice.
func (c *Checker) Verify(op *wire.Operation, status int, header http.Header, body []byte) error {
	api := c.apis[op.Service]
	facts := api.Operations[op.Name]
	if header.Get("x-amzn-RequestId") == "" {
		return fmt.Errorf("header x-amzn-RequestId is missing")
	}
	if status == http.StatusOK {
		if facts.Output == nil {
			if len(body) > 0 && string(body) != "{}" {
				return fmt.Errorf("the operation has no output")
			}
			return nil
		}
		if shape := api.Shapes[facts.Output.Shape]; shape.Payload != "" {
			return nil // the body is a blob
		}
		return c.verifyBody(api, facts.Output.Shape, header, body)
	}
	name, _, _ := strings.Cut(header.Get("x-amzn-ErrorType"), ":")
	if !slices.ContainsFunc(facts.Errors, func(e model.Ref) bool { return e.Shape == name }) {
		return fmt.Errorf("error %q is not modeled", name)
	}
	if want := api.Shapes[name].Error.HTTPStatusCode; status != want {
		return fmt.Errorf("%s has status %d", name, want)
	}
	if !hasMessage.Match(body) {
		return fmt.Errorf("%s has no message", name)
	}
	return c.verifyBody(api, name, header, body)
}

var hasMessage = regexp.MustCompile(`"message":"[^"]`)

func (c *Checker) verifyBody(api *model.API, shape string, header http.Header, body []byte) error {
	if got := header.Get("Content-Type"); got != "application/json" {
		return fmt.Errorf("content type is %q", got)
	}
	v := newVerifier(api, bytes.NewReader(body), c.limits)
	if err := v.value("body", shape); err != nil {
		return err
	}
	if v.dec.More() {
		return fmt.Errorf("something follows the JSON object")
	}
	return nil
}
