package muster

import (
	"slices"
	"strings"
)

// Account is the account and region of a deployment, which has exactly one. Its
// methods write and read ARNs (registry.md section 1.3).
type Account struct {
	ID     string // 12 digits
	Region string
}

// ARN returns the ARN of a resource, such as ARN("thing", "pump-7").
func (a Account) ARN(kind, name string) string {
	return a.Named(kind + "/" + name)
}

// Named returns the ARN of a resource given as "kind/name".
func (a Account) Named(resource string) string {
	return "arn:aws:iot:" + a.Region + ":" + a.ID + ":" + resource
}

// ParseARN returns the kind and the name of the resource in an ARN of the service
// iot. It fails with Invalid when arn is malformed, and with NotFound when it has
// another account or region (arbitration A16).
func (a Account) ParseARN(arn string) (kind, name string, err error) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[1] == "" || parts[2] != "iot" {
		return "", "", Errorf(Invalid, "%q is not an ARN of an IoT resource", arn)
	}
	kind, name, ok := strings.Cut(parts[5], "/")
	if !ok || kind == "" || name == "" {
		return "", "", Errorf(Invalid, "%q names no resource", arn)
	}
	if parts[1] != "aws" || parts[3] != a.Region || parts[4] != a.ID {
		return "", "", Errorf(NotFound, "%s is not in this account and region", arn)
	}
	return kind, name, nil
}

// Target reads a job target: the ARN of a thing or a thing group.
func (a Account) Target(arn string) (Target, error) {
	kind, name, err := a.ParseARN(arn)
	if err != nil {
		return Target{}, err
	}
	switch kind {
	case "thing":
		return Target{Name: name}, nil
	case "thinggroup":
		return Target{Group: true, Name: name}, nil
	}
	return Target{}, Errorf(Invalid, "%s is neither a thing nor a thing group", arn)
}

// TargetARN returns the ARN of a target; it is the inverse of Target.
func (a Account) TargetARN(t Target) string {
	if t.Group {
		return a.ARN("thinggroup", t.Name)
	}
	return a.ARN("thing", t.Name)
}

// TargetARNs returns the ARNs of targets, in order and without duplicates: a deleted
// group and a later group of the same name have the same ARN.
func (a Account) TargetARNs(targets []Target) []string {
	arns := make([]string, 0, len(targets))
	for _, t := range targets {
		if arn := a.TargetARN(t); !slices.Contains(arns, arn) {
			arns = append(arns, arn)
		}
	}
	return arns
}
