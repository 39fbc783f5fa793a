package iotpolicy

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// operators maps an operator, without set prefix and IfExists suffix, to the name of its
// negation, if it has one, and to what compiles a value of the policy.
var operators = map[string]struct {
	negation string
	compile  func(value string) (test, error)
}{
	"StringEquals":             {"StringNotEquals", stringEquals},
	"StringEqualsIgnoreCase":   {"StringNotEqualsIgnoreCase", stringEqualsIgnoreCase},
	"StringLike":               {"StringNotLike", stringLike},
	"ArnEquals":                {"ArnNotEquals", arnLike}, // AWS: the same as ArnLike
	"ArnLike":                  {"ArnNotLike", arnLike},
	"Bool":                     {"", boolean},
	"IpAddress":                {"NotIpAddress", ipAddress},
	"NumericEquals":            {"NumericNotEquals", numeric(func(c int) bool { return c == 0 })},
	"NumericLessThan":          {"", numeric(func(c int) bool { return c < 0 })},
	"NumericLessThanEquals":    {"", numeric(func(c int) bool { return c <= 0 })},
	"NumericGreaterThan":       {"", numeric(func(c int) bool { return c > 0 })},
	"NumericGreaterThanEquals": {"", numeric(func(c int) bool { return c >= 0 })},
	"DateEquals":               {"DateNotEquals", date(func(c int) bool { return c == 0 })},
	"DateLessThan":             {"", date(func(c int) bool { return c < 0 })},
	"DateLessThanEquals":       {"", date(func(c int) bool { return c <= 0 })},
	"DateGreaterThan":          {"", date(func(c int) bool { return c > 0 })},
	"DateGreaterThanEquals":    {"", date(func(c int) bool { return c >= 0 })},
}

func stringEquals(want string) (test, error) {
	p := newPattern(want, false)
	return func(v string, vars Vars) bool { return p.match(v, vars) }, nil
}

func stringEqualsIgnoreCase(want string) (test, error) {
	p := newPattern(want, false)
	return func(v string, vars Vars) bool {
		text, ok := p.expand(vars)
		return ok && strings.EqualFold(text, v)
	}, nil
}

func stringLike(want string) (test, error) {
	p := newPattern(want, true)
	return func(v string, vars Vars) bool { return p.match(v, vars) }, nil
}

// arnLike compares the six parts of an ARN one by one, so that a wildcard in one part
// cannot match beyond its colon.
func arnLike(want string) (test, error) {
	var parts []pattern
	for _, part := range splitARN(want) {
		parts = append(parts, newPattern(part, true))
	}
	return func(v string, vars Vars) bool {
		got := strings.SplitN(v, ":", arnParts)
		if len(got) != len(parts) {
			return false
		}
		for i, part := range parts {
			if !part.match(got[i], vars) {
				return false
			}
		}
		return true
	}, nil
}

const arnParts = 6

// splitARN splits at colons outside variables.
func splitARN(text string) []string {
	var parts []string
	start := 0
	for i := 0; i < len(text) && len(parts) < arnParts-1; i++ {
		if _, rest, ok := cutVariable(text[i:]); ok {
			i = len(text) - len(rest) - 1
		} else if text[i] == ':' {
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}

func boolean(want string) (test, error) {
	want = strings.ToLower(want)
	if want != "true" && want != "false" {
		return nil, fmt.Errorf("%q is not true or false", want)
	}
	return func(v string, _ Vars) bool { return strings.EqualFold(v, want) }, nil
}

func ipAddress(want string) (test, error) {
	prefix, err := netip.ParsePrefix(want)
	if address, addrErr := netip.ParseAddr(want); addrErr == nil && address.Zone() == "" {
		prefix, err = netip.PrefixFrom(address, address.BitLen()), nil
	}
	if err != nil {
		return nil, fmt.Errorf("%q is not an IP address or CIDR range", want)
	}
	return func(v string, _ Vars) bool {
		address, err := netip.ParseAddr(v)
		return err == nil && prefix.Contains(address.Unmap().WithZone(""))
	}, nil
}

func numeric(met func(compared int) bool) func(string) (test, error) {
	return func(want string) (test, error) {
		limit, err := strconv.ParseFloat(want, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number", want)
		}
		return func(v string, _ Vars) bool {
			n, err := strconv.ParseFloat(v, 64)
			return err == nil && n == n && met(cmp.Compare(n, limit))
		}, nil
	}
}

func date(met func(compared int) bool) func(string) (test, error) {
	return func(want string) (test, error) {
		limit, err := parseDate(want)
		if err != nil {
			return nil, err
		}
		return func(v string, _ Vars) bool {
			at, err := parseDate(v)
			return err == nil && met(at.Compare(limit))
		}, nil
	}
}

// parseDate parses the ISO 8601 formats that IAM accepts, and seconds since 1970.
func parseDate(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02"} {
		if at, err := time.Parse(layout, s); err == nil {
			return at, nil
		}
	}
	if seconds, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.Unix(seconds, 0), nil
	}
	return time.Time{}, fmt.Errorf("%q is not a date", s)
}
