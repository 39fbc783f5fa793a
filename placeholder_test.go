package muster

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestCheckPlaceholders(t *testing.T) {
	for name, test := range map[string]struct {
		document string
		message  string // part of the refusal; empty: none
	}{
		"no placeholder": {`{"a":"b","n":[1,null,{"c":"}"}]}`, ""},
		"another dollar and brace stay untouched":   {`{"sh":"echo ${HOME} $$ ${x:-${y}} ${"}`, ""},
		"a name of a member holds none":             {`{"${aws:iot:nonsense}" : 1, "${jobId}":{"${aws:":[]}}`, ""},
		"a parameter":                               {`{"a":"${aws:iot:parameter:path}"}`, "${aws:iot:parameter:path} is only valid in AWS managed job templates"},
		"a parameter deep in a list":                {`{"a":[{"b":["x ${aws:iot:parameter:p} y"]}]}`, "only valid in AWS managed job templates"},
		"a kind nobody knows":                       {`{"a":"${aws:iot:s3-presined-url:https://x}"}`, "unknown kind ${aws:iot:s3-presined-url}"},
		"a service nobody knows (J17)":              {`{"a":"${aws:s3:x}"}`, "unknown placeholder ${aws:s3:x}"},
		"not terminated":                            {`{"a":"${aws:iot:parameter:p"}`, "One or more parameters or placeholders are not terminated."},
		"not terminated because of a nested one":    {`{"a":"${aws:iot:s3-presigned-url:${x}"}`, "One or more parameters or placeholders are not terminated."},
		"terminated in another value":               {`{"a":"${aws:iot:parameter:p","b":"}"}`, "One or more parameters or placeholders are not terminated."},
		"behind an untouched one":                   {`{"a":"${x ${aws:iot:nope}"}`, "unknown kind ${aws:iot:nope}"},
		"spelled with escapes":                      {`{"a":"\u0024{aws:\u0069ot:nope}"}`, "unknown kind ${aws:iot:nope}"},
		"a quote within a value":                    {`{"a":"\"${aws:iot:nope}"}`, "unknown kind"},
		"a backslash at the end of a value":         {`{"a":"\\","b":"${aws:iot:nope}"}`, "unknown kind"},
		"a presigned URL":                           {`{"a":"${aws:iot:s3-presigned-url:https://s3.amazonaws.com/b/k}"}`, "${aws:iot:s3-presigned-url:…} is not supported yet"},
		"a presigned URL of version 2":              {`{"a":"${aws:iot:s3-presigned-url-v2:https://s3.amazonaws.com/b/k}"}`, "${aws:iot:s3-presigned-url-v2:…} is not supported yet"},
		"an upload with local placeholders":         {`{"a":"${aws:iot:s3-presigned-url-upload:https://s3.amazonaws.com/b/${thingName}}"}`, "${aws:iot:s3-presigned-url-upload:…} is not supported yet"},
		"a package":                                 {`{"a":"${aws:iot:package:p:version:v:attributes}"}`, "${aws:iot:package:…} is not supported yet"},
		"a signature":                               {`{"a":"${aws:iot:code-sign-signature:s3://r.b/f@v}"}`, "${aws:iot:code-sign-signature:…} is not supported yet"},
		"a local placeholder outside of an upload":  {`{"a":"logs/${thingName}"}`, "Local placeholder, ${thingName}, is only valid inside of presign url upload"},
		"another local placeholder":                 {`{"a":"${x} ${jobId}"}`, "Local placeholder, ${jobId}, is only valid inside of presign url upload"},
		"a third local placeholder":                 {`{"a":"${executionNumber}"}`, "Local placeholder, ${executionNumber}, is only valid inside of presign url upload"},
		"what only begins like a local placeholder": {`{"a":"${jobIds} ${jobId"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckPlaceholders(test.document)
			if test.message == "" {
				if err != nil {
					t.Errorf("CheckPlaceholders(%s) = %v, want no error", test.document, err)
				}
				return
			}
			var e *Error
			if !errors.As(err, &e) || e.Kind != Invalid || !strings.Contains(e.Msg, test.message) {
				t.Errorf("CheckPlaceholders(%s) = %v, want Invalid with %q", test.document, err, test.message)
			}
		})
	}
}

func TestFillParameters(t *testing.T) {
	values := map[string]string{"a": "1", "quote": `say "hi" \ <b>`, "nested": "${aws:iot:parameter:a}", "wide": "grün"}
	for name, test := range map[string]struct{ document, want string }{
		"a whole value":                        {`{"x":"${aws:iot:parameter:a}"}`, `{"x":"1"}`},
		"several in one value":                 {`{"x":"<${aws:iot:parameter:a}|${aws:iot:parameter:wide}|${aws:iot:parameter:a}>"}`, `{"x":"<1|grün|1>"}`},
		"escaped as the content of a string":   {`{"x":"${aws:iot:parameter:quote}"}`, `{"x":"say \"hi\" \\ <b>"}`},
		"nothing in it is looked at again":     {`{"x":"${aws:iot:parameter:nested}"}`, `{"x":"${aws:iot:parameter:a}"}`},
		"one that is not given is empty":       {`{"x":"[${aws:iot:parameter:none}]"}`, `{"x":"[]"}`},
		"the rest stays byte for byte":         {"{ \"${aws:iot:parameter:a}\" :\t[\"\\u00e9 ${x}\", 2.50, \"${aws:iot:parameter:a}\"] \n}", "{ \"${aws:iot:parameter:a}\" :\t[\"\\u00e9 ${x}\", 2.50, \"1\"] \n}"},
		"placeholders of other kinds are left": {`{"x":"${aws:iot:package:p}${aws:iot:parameter:a}"}`, `{"x":"${aws:iot:package:p}1"}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := fillParameters(test.document, values)
			if err != nil || got != test.want {
				t.Errorf("fillParameters(%s) = %s, %v, want %s", test.document, got, err, test.want)
			}
		})
	}
}

// FuzzPlaceholders feeds documents and values from strangers: nothing panics,
// and what comes out is a document again with exactly these values.
func FuzzPlaceholders(f *testing.F) {
	f.Add(`{"x":"${aws:iot:parameter:a}","y":["\\","\u0024{aws:"]}`, "b")
	f.Add(`{"${aws:iot:parameter:a}":"a ${aws:iot:parameter:a} ${${","z":{}}`, `"\`)
	f.Add(`{"x":"${aws:iot:s3-presigned-url-upload:https://h/b/${jobId}}"}`, "${jobId}")
	f.Fuzz(func(t *testing.T, document, value string) {
		if CheckDocument(document, 1<<15) != nil {
			_ = CheckPlaceholders(document) // it may say what it likes, but not panic
			return
		}
		before := CheckPlaceholders(document)
		filled, err := fillParameters(document, map[string]string{"a": value})
		if err != nil {
			if before == nil {
				t.Fatalf("fillParameters(%q) = %v, although CheckPlaceholders took it", document, err)
			}
			return
		}
		if !json.Valid([]byte(filled)) {
			t.Fatalf("fillParameters(%q, %q) = %q, which is no JSON", document, value, filled)
		}
		if before == nil && filled != document {
			t.Fatalf("fillParameters(%q) = %q, although there is nothing to fill", document, filled)
		}
	})
}
