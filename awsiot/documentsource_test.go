package awsiot

import (
	"context"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
)

// someDocuments are documents by their URLs; other URLs are Invalid.
type someDocuments map[string]string

func (d someDocuments) Document(_ context.Context, source string, limit int, permit func(muster.Object) error) (string, error) {
	_, key, _ := strings.Cut(source, "lab/")
	if err := permit(muster.Object{Bucket: "lab", Key: key}); err != nil {
		return "", err
	}
	text, ok := d[source]
	switch {
	case source == "https://s3.amazonaws.com/lab/down":
		return "", muster.Errorf(muster.Unavailable, "The store cannot be asked")
	case !ok || limit != jobs.DocumentMax:
		return "", muster.Errorf(muster.Invalid, "There is nothing at %s", source)
	}
	return text, nil
}

// The document is read once, and shown with its source (jobs-control-plane.md
// sections 3.1 to 3.3, 3.8 and 6.1).
func TestDocumentSource(t *testing.T) {
	const source = "https://s3.amazonaws.com/lab/doc.json"
	documents := someDocuments{source: `{"do": "flash"}`}
	env := newEnvWith(t, Options{Documents: documents})
	env.thing("lamp")
	lamp := `"targets":[` + quoted([]string{"lamp"}) + `]`
	env.must("PUT", "/jobs/fw", `{`+lamp+`,"documentSource":"`+source+`"}`)
	env.must("PUT", "/job-templates/t", `{"description":"d","documentSource":"`+source+`"}`)
	documents[source] = `{"do":"something else"}`

	env.must("PUT", "/jobs/of-template", `{`+lamp+`,"jobTemplateArn":"`+arnPrefix+`jobtemplate/t"}`)
	env.must("PUT", "/job-templates/copy", `{"description":"d","jobArn":"`+arnPrefix+`job/fw"}`)
	for target, want := range map[string][]string{
		"/jobs/fw":                       {`"documentSource":"` + source + `"`},
		"/jobs/fw/job-document":          {`{"document":"{\"do\": \"flash\"}"}`},
		"/job-templates/t":               {`"documentSource":"` + source + `"`, `"document":"{\"do\": \"flash\"}"`},
		"/jobs/of-template":              {`"documentSource":"` + source + `"`},
		"/jobs/of-template/job-document": {`{"document":"{\"do\": \"flash\"}"}`},
		"/job-templates/copy":            {`"documentSource":"` + source + `"`, `"document":"{\"do\": \"flash\"}"`},
	} {
		got := env.must("GET", target, "")
		for _, part := range want {
			if !strings.Contains(got, part) {
				t.Errorf("GET %s = %s, want one with %s", target, got, part)
			}
		}
	}
	env.must("PUT", "/jobs/plain", `{`+lamp+`,"document":"{}"}`)
	if got := env.must("GET", "/jobs/plain", ""); strings.Contains(got, "documentSource") {
		t.Errorf("a job with a document of its own shows a source: %s", got)
	}
}

func TestDocumentSourceRefuses(t *testing.T) {
	env := newEnvWith(t, Options{Documents: someDocuments{
		"https://s3.amazonaws.com/lab/text":  "hello",
		"https://s3.amazonaws.com/lab/array": "[]",
		"https://s3.amazonaws.com/lab/empty": "",
		"https://s3.amazonaws.com/lab/kind":  `{"a":"${aws:iot:unknown:x}"}`,
	}})
	env.thing("lamp")
	for name, test := range map[string]struct {
		source, errorType, message string
		status                     int
	}{
		"nothing there":       {"https://s3.amazonaws.com/lab/none", "InvalidRequestException", "There is nothing", 400},
		"no JSON":             {"https://s3.amazonaws.com/lab/text", "InvalidRequestException", "The job document is not valid JSON at line 1, column 1: unexpected", 400},
		"no object":           {"https://s3.amazonaws.com/lab/array", "InvalidRequestException", "not a JSON object", 400},
		"empty":               {"https://s3.amazonaws.com/lab/empty", "InvalidRequestException", "not valid JSON", 400},
		"a bad placeholder":   {"https://s3.amazonaws.com/lab/kind", "InvalidRequestException", "unknown", 400},
		"a store that is off": {"https://s3.amazonaws.com/lab/down", "ServiceUnavailableException", "cannot be asked", 503},
		"a URL too long":      {"https://s3.amazonaws.com/lab/" + strings.Repeat("x", 1350), "InvalidRequestException", "1350", 400},
	} {
		t.Run(name, func(t *testing.T) {
			got := env.wantError("PUT", "/jobs/fw", `{"targets":[`+quoted([]string{"lamp"})+`],"documentSource":"`+test.source+`"}`, test.status, test.errorType)
			if !strings.Contains(got.body, test.message) {
				t.Errorf("message is %s, want one with %q", got.body, test.message)
			}
		})
	}
}
