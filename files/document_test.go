package files_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/files"
)

// fixed is a store with one bucket, "lab": its objects by key.
type fixed map[string]string

func (f fixed) CheckBucket(_ context.Context, bucket string) error {
	switch bucket {
	case "lab":
		return nil
	case "down":
		return muster.Errorf(muster.Unavailable, "The store does not answer")
	}
	return muster.Errorf(muster.NotFound, "The specified bucket does not exist")
}

func (f fixed) Stat(context.Context, files.Object) (files.Info, error) {
	return files.Info{}, errors.New("nobody asks for this")
}

func (f fixed) Open(ctx context.Context, o files.Object, limit int64) (io.ReadCloser, files.Info, error) {
	if _, ok := ctx.Deadline(); !ok {
		return nil, files.Info{}, errors.New("the store may take for ever")
	}
	text, ok := f[o.Key+o.Version]
	switch {
	case !ok:
		return nil, files.Info{}, muster.Errorf(muster.NotFound, "The specified key does not exist.")
	case int64(len(text)) > limit:
		return nil, files.Info{}, muster.Errorf(muster.LimitExceeded, "It has %d bytes", len(text))
	case text == "broken":
		return nil, files.Info{}, errors.New("the disk is gone")
	}
	return io.NopCloser(strings.NewReader(text)), files.Info{Size: int64(len(text))}, nil
}

func TestDocument(t *testing.T) {
	store := files.Store{Endpoint: endpoint(t, "https://files.example.com"), Objects: fixed{
		"doc.json": `{"a":1}`, "doc.jsonv1": `{"a":0}`, "latin": "\xe9", "large": strings.Repeat("x", 11), "off": "broken",
	}}
	for source, want := range map[string]string{
		"s3://lab/doc.json":                       `{"a":1}`,
		"https://s3.amazonaws.com/lab/doc.json":   `{"a":1}`,
		"https://files.example.com/lab/doc.json":  `{"a":1}`,
		"https://lab.s3.amazonaws.com/doc.json":   `{"a":1}`,
		"s3://lab/doc.json?versionId=v1":          `{"a":0}`,
		"https://elsewhere.example.com/lab/x":     "not a URL of the store of job files",
		"http://169.254.169.254/latest/meta-data": "not a URL of the store of job files",
		"s3://lab/":           "names no object",
		"s3://other/doc.json": "Provided S3 bucket is not valid: other. Error: The specified bucket does not exist",
		"s3://lab/none":       "The job document none cannot be read. Error: The specified key does not exist.",
		"s3://lab/large":      "It has 11 bytes",
		"s3://lab/latin":      "not in UTF-8",
		"s3://lab/off":        "cannot be read just now",
		"s3://down/doc.json":  "does not answer",
	} {
		text, err := store.Document(t.Context(), source, 10, func(muster.Object) error { return nil })
		if strings.HasPrefix(want, "{") {
			if text != want || err != nil {
				t.Errorf("Document(%s) = %q, %v; want %s", source, text, err, want)
			}
			continue
		}
		kind := muster.Invalid
		if strings.Contains(want, "just now") || strings.Contains(want, "answer") {
			kind = muster.Unavailable
		}
		if e, ok := errors.AsType[*muster.Error](err); !ok || e.Kind != kind || !strings.Contains(e.Msg, want) {
			t.Errorf("Document(%s) = %q, %v; want kind %d and a message with %q", source, text, err, kind, want)
		}
	}
}
