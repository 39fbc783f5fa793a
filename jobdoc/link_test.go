package jobdoc

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
)

func TestFindPlaceholders(t *testing.T) {
	got, err := FindPlaceholders(`{"files":[{"url":"${aws:iot:s3-presigned-url-v2:https%3A%2F%2Fb.s3.eu-west-1.amazonaws.com%2Fa%2520b%3FversionId%3D1}",
		"sig":"${aws:iot:code-sign-signature:s3://eu-west-1.my.bucket/fw@home.bin@v1}"}],
		"log":"to ${aws:iot:s3-presigned-url-upload:https://s3.eu-west-1.amazonaws.com/logs/${thingName}} and ${aws:iot:s3-presigned-url:https://s3.amazonaws.com/b/k}"}`)
	want := Placeholders{
		Links: []Link{
			{URL: "https://b.s3.eu-west-1.amazonaws.com/a%20b?versionId=1"},
			{URL: "https://s3.eu-west-1.amazonaws.com/logs/${thingName}", Upload: true},
			{URL: "https://s3.amazonaws.com/b/k"},
		},
		Signatures: []muster.Object{{Region: "eu-west-1", Bucket: "my.bucket", Key: "fw@home.bin", Version: "v1"}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("FindPlaceholders() = %+v, %v\nwant %+v", got, err, want)
	}
}

func TestFillLinks(t *testing.T) {
	x := muster.Execution{Thing: "pump:7", Job: "fw", Number: 12}
	presign := func(l Link) (string, error) { return l.For(x) + `?a=1&s="`, nil }
	for name, test := range map[string]struct{ document, want string }{
		"the rest stays byte for byte": {"{ \"n\" : 1.50,\n \"u\":\"${aws:iot:s3-presigned-url:https://h/b/k}\", \"\\u00e9\":\"${HOME}\" }", "{ \"n\" : 1.50,\n \"u\":\"https://h/b/k?a=1&s=\\\"\", \"\\u00e9\":\"${HOME}\" }"},
		"within a longer text":         {`{"sh":"curl '${aws:iot:s3-presigned-url:https://h/b/k}' && ${x}"}`, `{"sh":"curl 'https://h/b/k?a=1&s=\"' && ${x}"}`},
		"an upload is the execution's": {`{"u":"${aws:iot:s3-presigned-url-upload:https://h/b/${jobId}/${thingName}-${executionNumber}-${thingName}}"}`, `{"u":"https://h/b/fw/pump:7-12-pump:7?a=1&s=\""}`},
		"other kinds are left":         {`{"s":"${aws:iot:code-sign-signature:s3://r.b/k@v}"}`, `{"s":"${aws:iot:code-sign-signature:s3://r.b/k@v}"}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := FillLinks(test.document, presign); err != nil || got != test.want {
				t.Errorf("FillLinks(%s) = %s, %v\nwant %s", test.document, got, err, test.want)
			}
		})
	}
	broken := errors.New("no key")
	if _, err := FillLinks(`{"u":"${aws:iot:s3-presigned-url:https://h/b/k}"}`, func(Link) (string, error) { return "", broken }); !errors.Is(err, broken) {
		t.Errorf("FillLinks with a presign that fails = %v, want its error", err)
	}
}

func TestFillSignatures(t *testing.T) {
	document := `{"codesign":{"signature":"${aws:iot:code-sign-signature:s3://r.b/k@v}"},"u":"${aws:iot:s3-presigned-url:https://h/b/k}"}`
	got, err := FillSignatures(document, map[muster.Object]string{{Region: "r", Bucket: "b", Key: "k", Version: "v"}: "MEUC+/=="})
	want := `{"codesign":{"signature":"MEUC+/=="},"u":"${aws:iot:s3-presigned-url:https://h/b/k}"}`
	if err != nil || got != want {
		t.Errorf("FillSignatures() = %s, %v, want %s", got, err, want)
	}
}

func TestLocate(t *testing.T) {
	// pathStyle reads https://s3.REGION.amazonaws.com/BUCKET/KEY.
	pathStyle := func(text string) (muster.Object, error) {
		u, err := url.Parse(text)
		if err != nil {
			return muster.Object{}, muster.Errorf(muster.Invalid, "no URL")
		}
		bucket, key, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
		return muster.Object{Region: strings.Split(u.Host, ".")[1], Bucket: bucket, Key: key}, nil
	}
	for name, test := range map[string]struct {
		link    Link
		message string // part of the refusal; empty: none
	}{
		"a download":                      {Link{URL: "https://s3.eu-west-1.amazonaws.com/b/k"}, ""},
		"a download from another region":  {Link{URL: "https://s3.us-west-2.amazonaws.com/b/k"}, ""},
		"an upload":                       {Link{URL: "https://s3.eu-west-1.amazonaws.com/b/${thingName}", Upload: true}, ""},
		"an upload without a key":         {Link{URL: "https://s3.eu-west-1.amazonaws.com/b", Upload: true}, ""},
		"an upload to another region":     {Link{URL: "https://s3.us-west-2.amazonaws.com/b/k", Upload: true}, "Cross region S3 bucket is not supported for presigned url upload placeholder"},
		"an upload to a bucket per thing": {Link{URL: "https://s3.eu-west-1.amazonaws.com/logs-${thingName}/k", Upload: true}, "S3 bucket name in presigned url upload is not allowed to contain any placeholders"},
		"an upload to a bucket per run":   {Link{URL: "https://s3.eu-west-1.amazonaws.com/${executionNumber}/k", Upload: true}, "S3 bucket name in presigned url upload is not allowed to contain any placeholders"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := test.link.Locate("eu-west-1", pathStyle)
			if test.message == "" && err != nil || test.message != "" && (err == nil || !strings.Contains(err.Error(), test.message)) {
				t.Errorf("Locate(%+v) = %v, want %q", test.link, err, test.message)
			}
		})
	}
}
