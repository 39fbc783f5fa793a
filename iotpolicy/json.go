package iotpolicy

import (
	"bytes"
	"encoding/json"
)

// member is one key of a JSON object and its value.
type member struct {
	key   string
	value json.RawMessage
}

// parseObject reads an object, a part of valid JSON, by hand, because encoding/json
// accepts keys in any case and keeps only the last of two equal ones, which could
// lose a Deny.
func parseObject(where string, raw []byte) ([]member, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, malformed(where, "must be a JSON object")
	}
	var members []member
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, malformed(where, "is not valid JSON: %v", err)
		}
		m := member{key: token.(string)} // the decoder lets nothing else pass as a key
		if seen[m.key] {
			return nil, malformed(where, "%q appears twice", m.key)
		}
		seen[m.key] = true
		if err := decoder.Decode(&m.value); err != nil {
			return nil, malformed(where, "is not valid JSON: %v", err)
		}
		members = append(members, m)
	}
	return members, nil
}

func parseString(where string, raw json.RawMessage) (string, error) {
	var s string
	if raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", malformed(where, "must be a string")
	}
	return s, nil
}

// parseStrings reads a string or a list of at least one.
func parseStrings(where string, raw json.RawMessage) ([]string, error) {
	return parseTexts(where, raw, false)
}

// parseTexts reads the same and, when scalars is set, takes numbers and booleans
// as their text.
func parseTexts(where string, raw json.RawMessage, scalars bool) ([]string, error) {
	list := []json.RawMessage{raw}
	if raw[0] == '[' {
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, malformed(where, "is not valid JSON: %v", err)
		}
	}
	if len(list) == 0 {
		return nil, malformed(where, "must not be empty")
	}
	texts := make([]string, len(list))
	for i, raw := range list {
		switch c := raw[0]; {
		case c == '"':
			if err := json.Unmarshal(raw, &texts[i]); err != nil {
				return nil, malformed(where, "is not valid JSON: %v", err)
			}
		case scalars && c != '{' && c != '[' && c != 'n':
			texts[i] = string(raw)
		default:
			return nil, malformed(where, "must be a string or a list of strings")
		}
	}
	return texts, nil
}
