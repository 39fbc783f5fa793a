// Package topic has the rules of MQTT topic names and topic filters in the profile of mqtt-broker.md: their limits, wildcards,
// "$", and which filter matches which name. It is pure.
package topic

import (
	"errors"
	"fmt"
	"strings"
)

// Limits of names and filters (MQ-24, MQ-37, MQ-46).
const (
	BytesMax   = 256 // of a name, or of a filter without its share prefix
	SlashesMax = 7   // likewise; the first three segments of "$aws/rules/<rule>/..." are not counted, nor is "$aws/" of "$aws/commands/..."
	ShareMax   = 128 // bytes of a share name
)

// CheckName returns an error unless name is one that may be published to.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("topic is empty")
	case len(name) > BytesMax:
		return fmt.Errorf("topic of %d bytes, at most %d are allowed", len(name), BytesMax)
	case strings.ContainsAny(name, "+#\x00"):
		return errors.New("topic holds a wildcard or NUL")
	}
	return checkDepth(name)
}

// CheckFilter returns an error unless filter, with or without a share prefix, is one that may be subscribed to.
func CheckFilter(filter string) error {
	name, rest, shared := Share(filter)
	if shared && (name == "" || len(name) > ShareMax || strings.ContainsAny(name, "+#\x00")) {
		return fmt.Errorf("share name must have 1 to %d bytes and no wildcard", ShareMax)
	}
	switch {
	case rest == "":
		return errors.New("topic filter is empty")
	case len(rest) > BytesMax:
		return fmt.Errorf("topic filter of %d bytes, at most %d are allowed", len(rest), BytesMax)
	case strings.IndexByte(rest, 0) >= 0:
		return errors.New("topic filter holds NUL")
	}
	for level := range strings.SplitSeq(rest, "/") {
		if len(level) > 1 && strings.ContainsAny(level, "+#") {
			return errors.New("a wildcard must stand alone in its level")
		}
	}
	if i := strings.IndexByte(rest, '#'); i >= 0 && i != len(rest)-1 {
		return errors.New("# must be the last level")
	}
	return checkDepth(rest)
}

func checkDepth(s string) error {
	if rest, ok := strings.CutPrefix(s, "$aws/rules/"); ok {
		_, s, _ = strings.Cut(rest, "/")
	} else if rest, ok := strings.CutPrefix(s, "$aws/commands/"); ok {
		s = "commands/" + rest
	}
	if n := strings.Count(s, "/"); n > SlashesMax {
		return fmt.Errorf("topic with %d slashes, at most %d are allowed", n, SlashesMax)
	}
	return nil
}

// Reserved reports whether a name or filter belongs to the service: it begins with "$" (MQ-70).
func Reserved(s string) bool { return strings.HasPrefix(s, "$") }

// Share takes "$share/<name>/<rest>" apart. Any other filter is its own rest. A share without a rest has an empty one.
func Share(filter string) (name, rest string, shared bool) {
	after, shared := strings.CutPrefix(filter, "$share/")
	if !shared {
		return "", filter, false
	}
	name, rest, _ = strings.Cut(after, "/")
	return name, rest, true
}

// Match reports whether filter, without a share prefix, matches name. A leading wildcard does not match a reserved name
// (MQ-40). With parent, "a/#" also matches "a", as in the MQTT standard but not on AWS (MQ-39).
func Match(filter, name string, parent bool) bool {
	if Reserved(name) && !Reserved(filter) {
		return false
	}
	for {
		f, filterRest, filterMore := strings.Cut(filter, "/")
		n, nameRest, nameMore := strings.Cut(name, "/")
		switch {
		case f == "#":
			return true
		case f != "+" && f != n:
			return false
		case !filterMore && !nameMore:
			return true
		case !nameMore:
			return parent && filterRest == "#"
		case !filterMore:
			return false
		}
		filter, name = filterRest, nameRest
	}
}
