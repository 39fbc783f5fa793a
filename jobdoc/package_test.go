package jobdoc

import (
	"errors"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
)

// versions finds the package versions that the documents of these tests can name.
func versions(r muster.Release) (muster.PackageVersion, error) {
	if r.Version == muster.DefaultVersion {
		r.Version = "1"
	}
	if r != (muster.Release{Package: "app", Version: "1"}) {
		return muster.PackageVersion{}, muster.Errorf(muster.NotFound, "no %s %s", r.Package, r.Version)
	}
	return muster.PackageVersion{
		Package: "app", Name: "1", Attributes: map[string]string{"size": "7", "say": `"hi" <b>`, "a:b": "c"},
		Artifact: &muster.Object{Region: "eu-west-1", Bucket: "files", Key: "a b/c+d?.bin", Version: "v/1+2"},
	}, nil
}

func TestFillPackages(t *testing.T) {
	brought := []Destination{{Asked: muster.Release{Package: "app", Version: muster.DefaultVersion}, Resolved: muster.Release{Package: "app", Version: "1"}}}
	tests := map[string]struct {
		document     string
		destinations []Destination
		want         string
	}{
		"nothing":                      {` { "a" : [1e3, "x"] } `, nil, ` { "a" : [1e3, "x"] } `},
		"an attribute":                 {`{"a": "${aws:iot:package:app:version:1:attributes:size}"}`, nil, `{"a": "7"}`},
		"in a longer text, twice":      {`{"a":"<${aws:iot:package:app:version:1:attributes:size}|${aws:iot:package:app:version:$default:attributes:size}>"}`, nil, `{"a":"<7|7>"}`},
		"one that needs escapes":       {`{"a":"${aws:iot:package:app:version:1:attributes:say}"}`, nil, `{"a":"\"hi\" <b>"}`},
		"a key with a colon":           {`{"a":"${aws:iot:package:app:version:1:attributes:a:b}"}`, nil, `{"a":"c"}`},
		"all of them":                  {`{"a":"${aws:iot:package:app:version:1:attributes}","b":1}`, nil, `{"a":{"a:b":"c","say":"\"hi\" <b>","size":"7"},"b":1}`},
		"of the only destination":      {`{"a":"${aws:iot:package::version::attributes:size}"}`, brought, `{"a":"7"}`},
		"a destination by its name":    {`{"a":"${aws:iot:package:app:version:1:attributes:size}"}`, brought, `{"a":"7"}`},
		"a destination as it is given": {`{"a":"${aws:iot:package:app:version:$default:attributes:size}"}`, brought, `{"a":"7"}`},
		"other placeholders stay":      {`{"a":"${aws:iot:s3-presigned-url:https://h/b}${aws:iot:package:app:version:1:attributes:size}"}`, nil, `{"a":"${aws:iot:s3-presigned-url:https://h/b}7"}`},
		"names of members stay":        {`{"${aws:iot:package:app:version:1:attributes:size}":1}`, nil, `{"${aws:iot:package:app:version:1:attributes:size}":1}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := FillPackages(test.document, test.destinations, "eu-west-1", versions)
			if err != nil || got != test.want {
				t.Errorf("FillPackages(%s)\n got %s, %v\nwant %s", test.document, got, err, test.want)
			}
		})
	}
}

func TestAnArtifactBecomesALink(t *testing.T) {
	for _, word := range []string{"artifact", "artifact-location"} {
		text, err := FillPackages(`{"u":"${aws:iot:package:app:version:1:`+word+`:s3-presigned-url}"}`, nil, "eu-west-1", versions)
		if err != nil {
			t.Fatal(err)
		}
		p, err := FindPlaceholders(text)
		want := "https://s3.eu-west-1.amazonaws.com/files/a%20b/c+d%3F.bin?versionId=v%2F1%2B2"
		if err != nil || len(p.Links) != 1 || p.Links[0].URL != want || p.Packages {
			t.Errorf("%s becomes %s with %+v, %v, want a link to %s", word, text, p, err, want)
		}
	}
}

func TestFillPackagesRefuses(t *testing.T) {
	tests := map[string]struct{ placeholder, want string }{
		"all attributes in a longer text": {" ${aws:iot:package:app:version:1:attributes}", "must be a whole string"},
		"an unknown version":              {"${aws:iot:package:app:version:2:attributes}", "no app 2"},
		"an attribute it has not":         {"${aws:iot:package:app:version:1:attributes:x}", "has no attribute x"},
		"no destination":                  {"${aws:iot:package::version::attributes}", "Cannot resolve empty package name"},
		"half a name":                     {"${aws:iot:package::version:1:attributes}", "have to be used in pair"},
		"none":                            {"${aws:iot:package:app:version:$null:attributes}", "$null is not allowed"},
		"no word for what":                {"${aws:iot:package:app:version:1}", "none that asks something"},
		"another word":                    {"${aws:iot:package:app:versions:1:attributes}", "none that asks something"},
		"an empty key":                    {"${aws:iot:package:app:version:1:attributes:}", "none that asks something"},
		"half an artifact":                {"${aws:iot:package:app:version:1:artifact}", "none that asks something"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := FillPackages(`{"a":"`+test.placeholder+`"}`, nil, "eu-west-1", versions)
			if e, ok := errors.AsType[*muster.Error](err); !ok || !strings.Contains(e.Msg, test.want) {
				t.Errorf("FillPackages(%s) = %s, %v, want %q", test.placeholder, got, err, test.want)
			}
		})
	}
}
