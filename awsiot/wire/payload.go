package wire

import "errors"

// decodePayload reads an MQTT payload with the reader of one member of an
// input; clientToken, which no HTTP input has, is read besides.
func decodePayload[T any](payload []byte, clientToken **string, in *T, read func(d *decoder, in *T, name string)) error {
	err := decodeBody(payload, true, in, func(d *decoder, in *T) {
		for name := range d.members(false) {
			if name == "clientToken" {
				*clientToken = optional(d, (*decoder).text)
				continue
			}
			read(d, in, name)
		}
	})
	if e, ok := errors.AsType[*InputError](err); ok {
		*clientToken = nil // what was read so far depends on the order of members
		if e.Fault == WrongType {
			*clientToken = tokenOf(payload)
		}
	}
	return err
}

// tokenOf returns the client token of a payload that is a JSON object, or nil.
func tokenOf(payload []byte) (token *string) {
	_ = decodeBody(payload, true, &token, func(d *decoder, token **string) {
		for name := range d.members(false) {
			if name == "clientToken" && d.peek() == '"' {
				*token = new(d.text())
				continue
			}
			d.skip()
		}
	})
	return token
}
