package jobdoc

import (
	"strings"

	"github.com/muster-iot/muster"
)

// object reads the argument of a signature placeholder:
// s3://REGION.BUCKET/CODE-FILE@VERSION-ID (jobs-control-plane.md section 6.2).
// The version is required: a signature is valid for one version only.
func (p placeholder) object() (muster.Object, error) {
	place, ok := strings.CutPrefix(p.argument, "s3://")
	place, file, _ := strings.Cut(place, "/")
	region, bucket, _ := strings.Cut(place, ".")
	if !ok || region == "" || bucket == "" || file == "" {
		return muster.Object{}, muster.Errorf(muster.Invalid, "The placeholder ${aws:iot:%s:%s} does not name an object; its form is s3://REGION.BUCKET/CODE-FILE@VERSION-ID", p.kind, p.argument)
	}
	at := strings.LastIndex(file, "@")
	if at < 1 || at == len(file)-1 {
		return muster.Object{}, muster.Errorf(muster.Invalid, "VersionId not found when attempting to access s3 url")
	}
	return muster.Object{Region: region, Bucket: bucket, Key: file[:at], Version: file[at+1:]}, nil
}

// FillSignatures returns a document with its signature placeholders replaced.
// signatures must have an entry for each object in Placeholders.Signatures.
func FillSignatures(document string, signatures map[muster.Object]string) (string, error) {
	return fill(document, func(p placeholder) (string, bool, error) {
		if p.kind != signatureKind {
			return "", false, nil
		}
		o, err := p.object()
		return signatures[o], true, err
	})
}
