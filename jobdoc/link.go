package jobdoc

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-iot/muster"
)

// Link is a place in a job document where a device gets a presigned URL
// (jobs-control-plane.md sections 6.3 and 6.4).
type Link struct {
	URL    string // of the object, unsigned; the URL of an upload may contain local placeholders
	Upload bool   // the device will PUT the object; otherwise it will GET it
}

// localPlaceholders name the execution that an upload belongs to. They are valid
// only inside an upload placeholder (jobs-control-plane.md section 6.4).
var localPlaceholders = []string{"${thingName}", "${jobId}", "${executionNumber}"}

// localMax is how often each of them may stand in one upload placeholder.
const localMax = 2

// localPlaceholder returns the local placeholder that text begins with, or "".
func localPlaceholder(text string) string {
	for _, local := range localPlaceholders {
		if strings.HasPrefix(text, local) {
			return local
		}
	}
	return ""
}

// link reads the argument of one of the three kinds of links.
func (p placeholder) link() (Link, error) {
	l := Link{URL: p.argument, Upload: p.kind == uploadKind}
	if p.kind == linkV2Kind {
		plain, err := url.PathUnescape(p.argument)
		if err != nil {
			return l, errLink
		}
		l.URL = plain
	}
	scheme, rest, ok := strings.Cut(l.URL, "://")
	host, _, _ := strings.Cut(rest, "/")
	_, query, _ := strings.Cut(rest, "?")
	switch {
	case !ok || scheme != "https" && scheme != "http" || host == "":
		return l, errLink
	case l.Upload && strings.Contains(host, "${"):
		return l, errUploadBucket
	case !l.Upload && strings.Contains(l.URL, "${"):
		return l, errLink
	case query != "" && (p.kind != linkV2Kind || !strings.HasPrefix(query, "versionId=")):
		return l, errLink
	}
	return l, nil
}

var (
	errLink         = muster.Errorf(muster.Invalid, "Provided argument for presigned url is invalid")
	errUploadBucket = muster.Errorf(muster.Invalid, "S3 bucket name in presigned url upload is not allowed to contain any placeholders")
)

// For returns the URL of the object that the link means for one execution, with
// the local placeholders of an upload replaced.
func (l Link) For(x muster.Execution) string {
	if !l.Upload {
		return l.URL
	}
	return strings.NewReplacer("${thingName}", string(x.Thing), "${jobId}", string(x.Job),
		"${executionNumber}", strconv.FormatInt(x.Number, 10)).Replace(l.URL)
}

// Span returns one URL that covers the objects of all executions: each local
// placeholder is replaced by *, which stands for any run of characters.
func (l Link) Span() string {
	if !l.Upload {
		return l.URL
	}
	url := l.URL
	for _, local := range localPlaceholders {
		url = strings.ReplaceAll(url, local, "*")
	}
	return url
}

// Locate returns the object of the link for a made-up execution, so that its bucket
// can be checked when the job is created. read returns the object that a URL means.
// Locate fails with Invalid when the bucket of an upload depends on the execution or
// is not in region (jobs-control-plane.md section 6.6), or with the error of read.
func (l Link) Locate(region string, read func(url string) (muster.Object, error)) (muster.Object, error) {
	o, err := read(l.For(muster.Execution{Thing: "one", Job: "one", Number: 111}))
	if err != nil || !l.Upload {
		return o, err
	}
	if other, err := read(l.For(muster.Execution{Thing: "two", Job: "two", Number: 222})); err != nil || other.Bucket != o.Bucket {
		return o, errUploadBucket
	}
	if o.Region != region {
		return o, muster.Errorf(muster.Invalid, "Cross region S3 bucket is not supported for presigned url upload placeholder")
	}
	return o, nil
}

// UploadKey returns the key of an upload whose URL names only a bucket: a key of
// its own for each execution.
func UploadKey(x muster.Execution) string {
	return string(x.Job) + "/" + string(x.Thing) + "/" + strconv.FormatInt(x.Number, 10)
}

// FillLinks returns a document with its links replaced by what presign returns
// (jobs-data-plane.md section 13). It fails with the error of presign.
func FillLinks(document string, presign func(Link) (string, error)) (string, error) {
	return fill(document, func(p placeholder) (string, bool, error) {
		if !slices.Contains([]string{linkKind, linkV2Kind, uploadKind}, p.kind) {
			return "", false, nil
		}
		l, err := p.link()
		if err != nil {
			return "", false, err
		}
		signed, err := presign(l)
		return signed, true, err
	})
}
