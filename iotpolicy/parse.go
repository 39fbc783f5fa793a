package iotpolicy

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"github.com/muster-iot/muster/internal/jsontext"
)

const (
	// MaxDocument is the longest policy document, in characters without white space
	// (AUTH-51).
	MaxDocument = 2048
	// maxText is the longest policy document in bytes, white space included: the limit
	// of the API model.
	maxText = 404_600
)

// MalformedError says why a document is not a policy. Its text may be shown to the
// caller, in a MalformedPolicyException.
type MalformedError struct {
	Where  string // such as "Statement[1].Effect"; empty for the whole document
	Reason string
}

func (e *MalformedError) Error() string {
	if e.Where == "" {
		return e.Reason
	}
	return e.Where + ": " + e.Reason
}

func malformed(where, format string, args ...any) error {
	return &MalformedError{Where: where, Reason: fmt.Sprintf(format, args...)}
}

// Parse parses and compiles a policy document (identity-and-auth.md B.2). name is the
// name of the policy in decisions. Every error is a *MalformedError.
func Parse(name, document string) (*Policy, error) {
	if len(document) > maxText || visibleLength(document) > MaxDocument {
		return nil, malformed("", "the policy document is longer than %d characters", MaxDocument)
	}
	if fault := jsontext.Fault([]byte(document)); fault != "" {
		return nil, malformed("", "the policy document is not valid JSON %s", fault)
	}
	members, err := parseObject("", []byte(document))
	if err != nil {
		return nil, err
	}
	p := &Policy{name: name}
	for _, m := range members {
		switch m.key {
		case "Version":
			if v, err := parseString(m.key, m.value); err != nil || v != "2012-10-17" && v != "2008-10-17" {
				return nil, malformed(m.key, "must be 2012-10-17 or 2008-10-17")
			}
		case "Id": // has no meaning
		case "Statement":
			if p.statements, err = parseStatements(m.value); err != nil {
				return nil, err
			}
		default:
			return nil, malformed(m.key, "is not an element of a policy")
		}
	}
	if len(p.statements) == 0 {
		return nil, malformed("Statement", "is missing or empty")
	}
	for i := range p.statements {
		p.certificate = p.certificate || p.statements[i].asksCertificate()
	}
	return p, nil
}

func visibleLength(s string) (n int) {
	for _, r := range s {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return n
}

// parseStatements parses a list of statements or a single one.
func parseStatements(raw json.RawMessage) ([]statement, error) {
	list := []json.RawMessage{raw}
	if raw[0] == '[' {
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, malformed("Statement", "must be a list of objects")
		}
	}
	statements := make([]statement, len(list))
	for i, raw := range list {
		var err error
		if statements[i], err = parseStatement(i, raw); err != nil {
			return nil, err
		}
	}
	return statements, nil
}

func parseStatement(position int, raw json.RawMessage) (statement, error) {
	at := fmt.Sprintf("Statement[%d]", position)
	st := statement{label: fmt.Sprintf("#%d", position)}
	members, err := parseObject(at, raw)
	if err != nil {
		return st, err
	}
	given := map[string]bool{}
	for _, m := range members {
		given[m.key] = true
		if err := st.set(at+"."+m.key, m); err != nil {
			return st, err
		}
	}
	if !given["Effect"] {
		return st, malformed(at, "Effect is missing")
	}
	if given["Action"] == given["NotAction"] {
		return st, malformed(at, "must have either Action or NotAction")
	}
	if given["Resource"] == given["NotResource"] {
		return st, malformed(at, "must have either Resource or NotResource")
	}
	if !st.deny { // in a Deny, plain would make it deny less
		for _, r := range st.resources {
			r.plain()
		}
	}
	return st, nil
}

// set parses one element of a statement.
func (st *statement) set(where string, m member) error {
	switch m.key {
	case "Sid":
		sid, err := parseString(where, m.value)
		if err == nil && sid != "" {
			st.label = sid
		}
		return err
	case "Effect":
		effect, err := parseString(where, m.value)
		if err != nil || effect != "Allow" && effect != "Deny" {
			return malformed(where, "must be Allow or Deny")
		}
		st.deny = effect == "Deny"
	case "Action", "NotAction":
		st.notAction = m.key == "NotAction"
		actions, err := parseStrings(where, m.value)
		for _, a := range actions {
			st.actions = append(st.actions, newActionPattern(a))
		}
		return err
	case "Resource", "NotResource":
		st.notRes = m.key == "NotResource"
		resources, err := parseStrings(where, m.value)
		for _, r := range resources {
			if r != "*" && !strings.HasPrefix(r, "arn:") {
				return malformed(where, "%q must be * or an ARN that starts with arn:", r)
			}
			st.resources = append(st.resources, newPattern(r, true))
		}
		return err
	case "Condition":
		return st.setConditions(where, m.value)
	case "Principal", "NotPrincipal":
		return malformed(where, "is not allowed here: a policy is attached to its principal")
	default:
		return malformed(where, "is not an element of a statement")
	}
	return nil
}

func (st *statement) setConditions(where string, raw json.RawMessage) error {
	operators, err := parseObject(where, raw)
	if err != nil {
		return err
	}
	for _, operator := range operators {
		where := where + "." + operator.key
		keys, err := parseObject(where, operator.value)
		if err != nil {
			return err
		}
		for _, key := range keys {
			where := where + "." + key.key
			values, err := parseTexts(where, key.value, true) // "Bool": {"…": true} is common
			if err != nil {
				return err
			}
			c, err := newCondition(operator.key, key.key, values)
			if err != nil {
				return malformed(where, "%v", err)
			}
			st.conditions = append(st.conditions, c)
		}
	}
	return nil
}
