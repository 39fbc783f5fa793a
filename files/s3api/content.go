package s3api

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/internal/respond"
)

// metadataMax bounds the names and values of an object's metadata together, in bytes, as
// S3 does.
const metadataMax = 2 << 10

const metadataPrefix = "X-Amz-Meta-"

// kept are the headers that are stored and returned with an object.
var kept = []string{"Content-Type", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires"}

// refused are the headers that ask for features of S3 that are missing here, each with
// the values that are accepted because they ask for the default.
var refused = map[string][]string{
	"X-Amz-Acl":                                       {"private", "bucket-owner-full-control"},
	"X-Amz-Object-Lock-Mode":                          nil,
	"X-Amz-Object-Lock-Legal-Hold":                    {"OFF"},
	"X-Amz-Server-Side-Encryption":                    nil,
	"X-Amz-Server-Side-Encryption-Customer-Algorithm": nil,
	"X-Amz-Storage-Class":                             {"STANDARD"},
	"X-Amz-Tagging":                                   nil,
	"X-Amz-Website-Redirect-Location":                 nil,
}

// attributes reads the attributes of an object from the headers of its upload.
func attributes(header http.Header) (diskstore.Attributes, error) {
	a := diskstore.Attributes{Headers: map[string]string{}, Metadata: map[string]string{}}
	for name, fine := range refused {
		if value := header.Get(name); value != "" && !slices.Contains(fine, value) {
			return a, refuse("NotImplemented", "A header you provided implies functionality that is not implemented: %s", name)
		}
	}
	for _, name := range kept {
		value := header.Get(name)
		if name == "Content-Encoding" {
			value = withoutCoding(value)
		}
		if value != "" {
			a.Headers[name] = value
		}
	}
	size := 0
	for name, values := range header {
		own, ok := strings.CutPrefix(name, metadataPrefix)
		if !ok {
			continue
		}
		own = strings.ToLower(own)
		a.Metadata[own] = strings.Join(values, ",")
		if size += len(own) + len(a.Metadata[own]); size > metadataMax {
			return a, refuse("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size: %d bytes", metadataMax)
		}
	}
	return a, nil
}

// withoutCoding removes aws-chunked, which is a coding of the request and not of the
// object, from a Content-Encoding.
func withoutCoding(value string) string {
	var rest []string
	for coding := range strings.SplitSeq(value, ",") {
		if coding = strings.TrimSpace(coding); coding != "aws-chunked" && coding != "" {
			rest = append(rest, coding)
		}
	}
	return strings.Join(rest, ",")
}

const checksumPrefix = "X-Amz-Checksum-"

// content returns the body of a request, with what its headers state about it.
func (c *call) content() (diskstore.Content, error) {
	content := diskstore.Content{Body: c.body, Size: c.r.ContentLength}
	if c.chunked {
		size, err := strconv.ParseInt(c.r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
		if err != nil || size < 0 {
			return content, refuse("MissingContentLength", "You must provide the X-Amz-Decoded-Content-Length HTTP header.")
		}
		content.Size = size
	}
	if content.Size < 0 {
		return content, refuse("MissingContentLength", "You must provide the Content-Length HTTP header.")
	}
	if stated := c.r.Header.Get("Content-Md5"); stated != "" {
		digest, err := base64.StdEncoding.DecodeString(stated)
		if err != nil || len(digest) != 16 {
			return content, refuse("InvalidDigest", "The Content-MD5 you specified is not valid.")
		}
		content.MD5 = digest
	}
	algorithm, want, err := statedChecksum(c.r.Header)
	if err != nil {
		return content, err
	}
	content.Algorithm, content.Want = algorithm, func() string { return want }
	if trailer := c.r.Header.Get("X-Amz-Trailer"); trailer != "" && want == "" {
		name := http.CanonicalHeaderKey(strings.TrimSpace(trailer))
		if content.Algorithm, err = algorithmOf(name); err != nil {
			return content, err
		}
		content.Want = func() string { return c.body.Trailer.Get(name) }
	}
	return content, nil
}

// statedChecksum returns the checksum in the headers of a request, or only its algorithm.
func statedChecksum(header http.Header) (algorithm diskstore.Algorithm, value string, err error) {
	for name := range header {
		if !strings.HasPrefix(name, checksumPrefix) || name == "X-Amz-Checksum-Type" || name == "X-Amz-Checksum-Algorithm" || name == "X-Amz-Checksum-Mode" {
			continue
		}
		if value != "" {
			return "", "", refuse("InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		if algorithm, err = algorithmOf(name); err != nil {
			return "", "", err
		}
		value = header.Get(name)
	}
	if algorithm == "" {
		algorithm = diskstore.Algorithm(strings.ToUpper(header.Get("X-Amz-Sdk-Checksum-Algorithm")))
		if algorithm != "" && !algorithm.Known() {
			return "", "", unknownAlgorithm(string(algorithm))
		}
	}
	return algorithm, value, nil
}

// algorithmOf returns the algorithm in the name of a checksum header.
func algorithmOf(name string) (diskstore.Algorithm, error) {
	word, ok := strings.CutPrefix(name, checksumPrefix)
	algorithm := diskstore.Algorithm(strings.ToUpper(word))
	if !ok || !algorithm.Known() {
		return "", unknownAlgorithm(name)
	}
	return algorithm, nil
}

func unknownAlgorithm(name string) error {
	return refuse("InvalidRequest", "The algorithm type you specified in x-amz-checksum- header is invalid: %s", respond.Clip(name))
}

// checksum sets the headers of a checksum, if there is one.
func checksum(header http.Header, of diskstore.Checksum) {
	if of.Value != "" {
		header.Set(checksumPrefix+string(of.Algorithm), of.Value)
		header.Set("X-Amz-Checksum-Type", of.Type())
	}
}

// version sets the header of a version id, if there is one other than NullVersion.
func version(header http.Header, id string) {
	if id != "" && id != diskstore.NullVersion {
		header.Set("X-Amz-Version-Id", id)
	}
}

// precondition reads the conditions for replacing an existing object.
func precondition(header http.Header) (diskstore.Precondition, error) {
	p := diskstore.Precondition{ETag: strings.Trim(header.Get("If-Match"), `"`)}
	switch none := header.Get("If-None-Match"); none {
	case "":
	case "*":
		p.Absent = true
	default:
		return p, refuse("NotImplemented", "A header you provided implies functionality that is not implemented: If-None-Match takes * only")
	}
	return p, nil
}
