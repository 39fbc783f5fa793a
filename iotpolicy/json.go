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

// parseObject parses an object within valid JSON. It does not use json.Unmarshal, which
// accepts keys in any case and keeps only the last of two equal keys, so that a Deny
// could be lost.
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
		m := member{key: token.(string)} // the decoder accepts nothing else as a key
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

// parseStrings parses a string or a list with at least one.
func parseStrings(where string, raw json.RawMessage) ([]string, error) {
	return parseTexts(where, raw, false)
}

// parseTexts parses a string or a list with at least one. With scalars it also accepts
// numbers and booleans and returns their text.
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
