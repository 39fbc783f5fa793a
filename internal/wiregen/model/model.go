// Package model holds the interface facts of the three public API models that
// Muster implements: operations, their HTTP bindings, shapes, limits and errors. It
// is data for the generator and for contract tests. No server code reads it, and it
// contains no documentation text.
//
// The JSON files are botocore service models after the strip command (see
// cmd/strip), which keeps only what the types below name.
package model

import (
	"embed"
	"encoding/json"
	"fmt"
)

// The models of this package, by the name of their botocore folder.
const (
	ControlPlane = "iot"
	JobsData     = "iot-jobs-data"
	IoTData      = "iot-data"
)

//go:embed *.json
var files embed.FS

// API is one service model.
type API struct {
	Metadata   Metadata              `json:"metadata"`
	Operations map[string]*Operation `json:"operations"`
	Shapes     map[string]*Shape     `json:"shapes"`
}

// Metadata names a service.
type Metadata struct {
	APIVersion  string `json:"apiVersion"`
	Protocol    string `json:"protocol"`
	ServiceID   string `json:"serviceId"`
	SigningName string `json:"signingName"`
}

// Operation is one call of the API.
type Operation struct {
	Name   string `json:"name"`
	HTTP   HTTP   `json:"http"`
	Input  *Ref   `json:"input,omitempty"`
	Output *Ref   `json:"output,omitempty"`
	Errors []Ref  `json:"errors,omitempty"`
}

// HTTP binds an operation to a method and a path template.
type HTTP struct {
	Method     string `json:"method"`
	RequestURI string `json:"requestUri"`
}

// Ref points at a shape by its name.
type Ref struct {
	Shape string `json:"shape"`
}

// Shape is a type with its limits. Min and Max bound the length of strings,
// lists, maps and blobs, and the value of numbers.
type Shape struct {
	Type      string             `json:"type"`
	Members   map[string]*Member `json:"members,omitempty"`
	Required  []string           `json:"required,omitempty"`
	Payload   string             `json:"payload,omitempty"`
	Element   *Ref               `json:"member,omitempty"`
	Key       *Ref               `json:"key,omitempty"`
	Value     *Ref               `json:"value,omitempty"`
	Enum      []string           `json:"enum,omitempty"`
	Pattern   string             `json:"pattern,omitempty"`
	Min       *float64           `json:"min,omitempty"`
	Max       *float64           `json:"max,omitempty"`
	Sensitive bool               `json:"sensitive,omitempty"`
	Exception bool               `json:"exception,omitempty"`
	Error     *Error             `json:"error,omitempty"`
}

// Member is a member of a structure. An empty Location is the JSON body.
type Member struct {
	Shape        string `json:"shape"`
	Location     string `json:"location,omitempty"`
	LocationName string `json:"locationName,omitempty"`
	JSONValue    bool   `json:"jsonvalue,omitempty"`
}

// Error gives the HTTP status of an exception shape.
type Error struct {
	HTTPStatusCode int `json:"httpStatusCode"`
}

// Load returns the model of one service: ControlPlane, JobsData or IoTData.
// The caller owns the result and may change it.
func Load(service string) (*API, error) {
	data, err := files.ReadFile(service + ".json")
	if err != nil {
		return nil, fmt.Errorf("load model: %w", err)
	}
	return Parse(data)
}

// Parse reads a botocore service model and keeps the facts that the types of
// this package name.
func Parse(data []byte) (*API, error) {
	api := new(API)
	if err := json.Unmarshal(data, api); err != nil {
		return nil, fmt.Errorf("parse model: %w", err)
	}
	for name, op := range api.Operations {
		op.Name = name
	}
	return api, nil
}
