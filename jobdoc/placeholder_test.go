package jobdoc

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
)

func TestFindPlaceholdersRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		document string
		message  string // part of the refusal; empty: none
	}{
		"no placeholder": {`{"a":"b","n":[1,null,{"c":"}"}]}`, ""},
		"another dollar and brace stay untouched":      {`{"sh":"echo ${HOME} $$ ${x:-${y}} ${"}`, ""},
		"a name of a member holds none":                {`{"${aws:iot:nonsense}" : 1, "${jobId}":{"${aws:":[]}}`, ""},
		"a parameter":                                  {`{"a":"${aws:iot:parameter:path}"}`, "${aws:iot:parameter:path} is only valid in AWS managed job templates"},
		"a parameter deep in a list":                   {`{"a":[{"b":["x ${aws:iot:parameter:p} y"]}]}`, "only valid in AWS managed job templates"},
		"an unknown kind":                              {`{"a":"${aws:iot:s3-presined-url:https://x}"}`, "unknown kind ${aws:iot:s3-presined-url}"},
		"an unknown service":                           {`{"a":"${aws:s3:x}"}`, "unknown placeholder ${aws:s3:x}"}, // jobs-control-plane.md J17
		"not terminated":                               {`{"a":"${aws:iot:parameter:p"}`, "One or more parameters or placeholders are not terminated."},
		"not terminated because of a nested one":       {`{"a":"${aws:iot:s3-presigned-url:${x}"}`, "One or more parameters or placeholders are not terminated."},
		"terminated in another value":                  {`{"a":"${aws:iot:parameter:p","b":"}"}`, "One or more parameters or placeholders are not terminated."},
		"after one for the device":                     {`{"a":"${x ${aws:iot:nope}"}`, "unknown kind ${aws:iot:nope}"},
		"spelled with escapes":                         {`{"a":"\u0024{aws:\u0069ot:nope}"}`, "unknown kind ${aws:iot:nope}"},
		"a quote within a value":                       {`{"a":"\"${aws:iot:nope}"}`, "unknown kind"},
		"a backslash at the end of a value":            {`{"a":"\\","b":"${aws:iot:nope}"}`, "unknown kind"},
		"an upload with its local placeholders":        {`{"a":"${aws:iot:s3-presigned-url-upload:https://s3.us-east-1.amazonaws.com/b/${thingName}/${jobId}/${executionNumber}-${thingName}}"}`, ""},
		"an upload with an unknown placeholder":        {`{"a":"${aws:iot:s3-presigned-url-upload:https://s3.us-east-1.amazonaws.com/b/${thing}}"}`, "Undefined placeholder, ${thing}, inside of presign url upload parameter"},
		"an upload with one too often":                 {`{"a":"${aws:iot:s3-presigned-url-upload:https://s3.us-east-1.amazonaws.com/b/${jobId}${jobId}${jobId}}"}`, "The occurrence of local placeholder ${jobId} within S3 presigned url upload placeholder exceeds limit of 2."},
		"an upload to a host that is not fixed":        {`{"a":"${aws:iot:s3-presigned-url-upload:https://${thingName}.s3.us-east-1.amazonaws.com/k}"}`, "S3 bucket name in presigned url upload is not allowed to contain any placeholders"},
		"another kind within an upload":                {`{"a":"${aws:iot:s3-presigned-url-upload:https://s3.us-east-1.amazonaws.com/b/${aws:iot:parameter:p}}"}`, "${aws:iot:parameter[...]} should not be the second layer pattern."},
		"another kind within a presigned URL":          {`{"a":"${aws:iot:s3-presigned-url:https://s3.amazonaws.com/b/${aws:iot:s3-presigned-url:x}}"}`, "${aws:iot:s3-presigned-url[...]} should not be the second layer pattern."},
		"the artifact of a package within another":     {`{"a":"${aws:iot:s3-presigned-url:${aws:iot:package:p:version:v:artifact:s3-presigned-url}}"}`, "${aws:iot:package:[...]:artifact:s3-presigned-url} cannot be nested inside another placeholder."},
		"a local placeholder within a download":        {`{"a":"${aws:iot:s3-presigned-url:https://s3.amazonaws.com/b/${thingName}}"}`, "Local placeholder, ${thingName}, is only valid inside of presign url upload"},
		"something else within a download":             {`{"a":"${aws:iot:s3-presigned-url:https://s3.amazonaws.com/b/${x}}"}`, "Provided argument for presigned url is invalid"},
		"a presigned URL":                              {`{"a":"${aws:iot:s3-presigned-url:https://s3.amazonaws.com/b/k}"}`, ""},
		"a presigned URL that is none":                 {`{"a":"${aws:iot:s3-presigned-url:b/k}"}`, "Provided argument for presigned url is invalid"},
		"a presigned URL with a version":               {`{"a":"${aws:iot:s3-presigned-url:https://s3.amazonaws.com/b/k?versionId=1}"}`, "Provided argument for presigned url is invalid"},
		"a presigned URL of version 2":                 {`{"a":"${aws:iot:s3-presigned-url-v2:https://b.s3.eu-west-1.amazonaws.com/k%3FversionId%3D1}"}`, ""},
		"a presigned URL of version 2, all escaped":    {`{"a":"${aws:iot:s3-presigned-url-v2:https%3A%2F%2Fb.s3.eu-west-1.amazonaws.com%2Fk}"}`, ""},
		"a presigned URL of version 2, badly escaped":  {`{"a":"${aws:iot:s3-presigned-url-v2:https://s3.amazonaws.com/b/k%zz}"}`, "Provided argument for presigned url is invalid"},
		"a presigned URL of version 2 with a question": {`{"a":"${aws:iot:s3-presigned-url-v2:https://s3.amazonaws.com/b/k%3Fx%3D1}"}`, "Provided argument for presigned url is invalid"},
		"a signature":                                  {`{"a":"${aws:iot:code-sign-signature:s3://eu-west-1.my.bucket/a/f@v}"}`, ""},
		"a signature of no version":                    {`{"a":"${aws:iot:code-sign-signature:s3://r.b/f}"}`, "VersionId not found when attempting to access s3 url"},
		"a signature of nothing":                       {`{"a":"${aws:iot:code-sign-signature:s3://b/f@v}"}`, "does not name an object; its form is s3://REGION.BUCKET/CODE-FILE@VERSION-ID"},
		"nothing of a package":                         {`{"a":"${aws:iot:package:p:version:v}"}`, "is none that asks something of a package"},
		"a local placeholder outside of an upload":     {`{"a":"logs/${thingName}"}`, "Local placeholder, ${thingName}, is only valid inside of presign url upload"},
		"another local placeholder":                    {`{"a":"${x} ${jobId}"}`, "Local placeholder, ${jobId}, is only valid inside of presign url upload"},
		"a third local placeholder":                    {`{"a":"${executionNumber}"}`, "Local placeholder, ${executionNumber}, is only valid inside of presign url upload"},
		"what only begins like a local placeholder":    {`{"a":"${jobIds} ${jobId"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := FindPlaceholders(test.document)
			if test.message == "" {
				if err != nil {
					t.Errorf("FindPlaceholders(%s) = %v, want no error", test.document, err)
				}
				return
			}
			var e *muster.Error
			if !errors.As(err, &e) || e.Kind != muster.Invalid || !strings.Contains(e.Msg, test.message) {
				t.Errorf("FindPlaceholders(%s) = %v, want Invalid with %q", test.document, err, test.message)
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

// FuzzPlaceholders checks arbitrary documents and values: nothing panics, and the result
// of filling placeholders is valid JSON, and the document itself where there are none.
func FuzzPlaceholders(f *testing.F) {
	f.Add(`{"x":"${aws:iot:parameter:a}","y":["\\","\u0024{aws:"]}`, "b")
	f.Add(`{"${aws:iot:parameter:a}":"a ${aws:iot:parameter:a} ${${","z":{}}`, `"\`)
	f.Add(`{"x":"${aws:iot:s3-presigned-url-upload:https://h/b/${jobId}}"}`, "${jobId}")
	f.Add(`{"x":"a ${aws:iot:s3-presigned-url-v2:https%3A//h/b/k%3FversionId%3D1}${aws:iot:s3-presigned-url:https://h/b/k}"}`, "https://h/b/k?x=1&y=2")
	f.Add(`{"x":["${aws:iot:code-sign-signature:s3://r.b/k@v}"]}`, "MEUC")
	f.Fuzz(func(t *testing.T, document, value string) {
		found, before := FindPlaceholders(document)
		if Check(document, 1<<15) != nil {
			return // it may say what it likes, but not panic
		}
		linked, err := FillLinks(document, func(Link) (string, error) { return value, nil })
		if before == nil && (err != nil || !json.Valid([]byte(linked)) || len(found.Links) == 0 && linked != document) {
			t.Fatalf("FillLinks(%q, %q) = %q, %v", document, value, linked, err)
		}
		signed, err := FillSignatures(document, nil)
		if before == nil && (err != nil || !json.Valid([]byte(signed)) || len(found.Signatures) == 0 && signed != document) {
			t.Fatalf("FillSignatures(%q) = %q, %v", document, signed, err)
		}
		filled, err := fillParameters(document, map[string]string{"a": value})
		if err != nil {
			if before == nil {
				t.Fatalf("fillParameters(%q) = %v, although FindPlaceholders took it", document, err)
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
