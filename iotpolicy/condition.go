package iotpolicy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// condition is one key of a Condition element under one operator. One of its tests must
// pass, and all conditions of a statement must hold.
type condition struct {
	key     string
	set     setMode
	negated bool // the operator is a negated one, such as StringNotEquals
	lenient bool // the operator ends with IfExists
	null    bool // the Null operator, which tests whether the key is absent
	tests   []test

	certificate bool // the key or a value asks for a name of the caller's certificate
}

// setMode says how many of the request's values for the key must pass.
type setMode uint8

const (
	single setMode = iota // no prefix
	forAny                // ForAnyValue
	forAll                // ForAllValues
)

// test compares one value of the request with one value of the policy.
type test func(value string, vars Vars) bool

// newCondition compiles the values of one key under the operator with that name.
func newCondition(name, key string, values []string) (condition, error) {
	c := condition{key: canonicalKey(key)}
	c.certificate = namesCertificate(c.key) ||
		slices.ContainsFunc(values, func(v string) bool { return newPattern(v, false).asksCertificate() })
	operator := name
	if rest, ok := strings.CutPrefix(operator, "ForAllValues:"); ok {
		operator, c.set = rest, forAll
	} else if rest, ok := strings.CutPrefix(operator, "ForAnyValue:"); ok {
		operator, c.set = rest, forAny
	}
	if operator == "Null" && c.set == single {
		c.null = true
		return c, c.compile(boolean, values)
	}
	operator, c.lenient = strings.CutSuffix(operator, "IfExists")
	for positive, o := range operators {
		if operator == positive || operator == o.negation && operator != "" {
			c.negated = operator == o.negation
			return c, c.compile(o.compile, values)
		}
	}
	return c, fmt.Errorf("there is no operator %q", name)
}

func (c *condition) compile(compile func(string) (test, error), values []string) error {
	for _, value := range values {
		t, err := compile(value)
		if err != nil {
			return err
		}
		c.tests = append(c.tests, t)
	}
	return nil
}

// holds reports whether the condition holds. AUTH-59 says when it does without a value
// for the key.
func (c *condition) holds(vars Vars) bool {
	values, ok := vars(c.key)
	absent := !ok || len(values) == 0
	if c.null {
		return c.passes(strconv.FormatBool(absent), vars)
	}
	if absent {
		return c.lenient || c.set == forAll || c.set == single && c.negated
	}
	passes := func(v string) bool { return c.passes(v, vars) }
	fails := func(v string) bool { return !c.passes(v, vars) }
	switch {
	case c.set == forAll, c.set == single && c.negated:
		return !slices.ContainsFunc(values, fails)
	default:
		return slices.ContainsFunc(values, passes)
	}
}

// passes reports whether one value of the request passes: at least one of the tests or,
// under a negated operator, none of them must be true.
func (c *condition) passes(value string, vars Vars) bool {
	for _, t := range c.tests {
		if t(value, vars) {
			return !c.negated
		}
	}
	return c.negated
}
