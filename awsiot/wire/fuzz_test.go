package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"
)

// FuzzDecode reads bodies of two shapes. What is read must be JSON to another
// parser as well, and every error must be an *InputError.
func FuzzDecode(f *testing.F) {
	for _, body := range []string{
		createJob, ``, `{}`, `null`, `{"targets":["\ud83d\ude00"]}`, `{"attributePayload":{"attributes":{"a":"b"},"merge":true}}`,
		`{"expectedVersion":-1.50e3,"attributePayload":{"merge":"true"}}`, `{"targets":[null,1e9,"\u00e9"]}`, `{"a":[[[{}]]]}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		labels := Labels{{"jobId", "fw"}, {"thingName", "lamp"}}
		for _, in := range []Input{new(CreateJobRequest), new(UpdateThingRequest)} {
			err := in.Decode(&Request{Labels: labels, Body: body})
			e, ok := errors.AsType[*InputError](err)
			if err != nil && !ok {
				t.Fatalf("%T.Decode(%q) = %v, want an *InputError", in, body, err)
			}
			if (err == nil || e.Fault != NotJSON) && len(body) > 0 && (!json.Valid(body) || !utf8.Valid(body)) {
				t.Fatalf("%T.Decode(%q) = %v, but the body is not JSON", in, body, err)
			}
		}
	})
}

// FuzzText writes any text as JSON and reads it back.
func FuzzText(f *testing.F) {
	for _, text := range []string{"", "plain", "\"\\\n\x00\x7f\u2028é😀", "\xff\xc3("} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b := (&GetJobDocumentResponse{Document: &text}).AppendJSON(nil)
		if !json.Valid(b) {
			t.Fatalf("AppendJSON(%q) = %s, which is not JSON", text, b)
		}
		d := decoder{data: string(bytes.TrimSuffix(bytes.TrimPrefix(b, []byte(`{"document":`)), []byte("}")))}
		if got := d.text(); d.err != nil || got != toValid(text) {
			t.Fatalf("AppendJSON(%q) = %s, which reads %q, %v", text, b, got, d.err)
		}
	})
}

// toValid replaces each byte that is not UTF-8 on its own.
func toValid(s string) string { return string([]rune(s)) }
