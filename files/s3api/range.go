package s3api

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/muster-iot/muster/files/diskstore"
)

// extent is a range of a content, in bytes.
type extent struct{ start, length int64 }

func (e extent) contentRange(size int64) string {
	return fmt.Sprintf("bytes %d-%d/%d", e.start, e.start+e.length-1, size)
}

// requested returns the range of an object that a request asks for. partial is false when
// that is the whole object. A partial range of length 0 cannot be satisfied.
func requested(header http.Header, v diskstore.Version) (part extent, partial bool) {
	whole := extent{0, v.Size}
	text := header.Get("Range")
	if text == "" || !sameAs(header.Get("If-Range"), v) {
		return whole, false
	}
	part, ok := parseRange(text, v.Size)
	if !ok {
		return whole, false
	}
	return part, true
}

// parseRange reads a Range header. S3 ignores headers that it does not understand, and
// those with several ranges: then ok is false. A range outside of the content has length
// 0.
func parseRange(text string, size int64) (part extent, ok bool) {
	text, ok = strings.CutPrefix(text, "bytes=")
	first, last, dash := strings.Cut(text, "-")
	first, last = strings.TrimSpace(first), strings.TrimSpace(last)
	if !ok || !dash || first == "" && last == "" {
		return extent{}, false
	}
	if first == "" { // the last bytes
		n, err := parsePosition(last)
		n = min(n, size)
		return extent{size - n, n}, err == nil
	}
	start, err := parsePosition(first)
	if err != nil {
		return extent{}, false
	}
	end := size - 1
	if last != "" {
		given, err := parsePosition(last)
		if err != nil || given < start {
			return extent{}, false
		}
		end = min(end, given)
	}
	return extent{start, max(end-start+1, 0)}, true
}

func parsePosition(text string) (int64, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	return int64(n), err
}

// sameAs reports whether an If-Range header matches this version of an object; an absent
// one does.
func sameAs(ifRange string, v diskstore.Version) bool {
	if ifRange == "" || ifRange == quoted(v.ETag) {
		return true
	}
	at, err := http.ParseTime(ifRange)
	return err == nil && at.Equal(v.Modified.Truncate(time.Second))
}

// checkConditions evaluates the conditions of a request for an object, in the order of RFC
// 9110 section 13.2.2. It returns 200, 304 or 412.
func checkConditions(header http.Header, v diskstore.Version) int {
	modified := v.Modified.Truncate(time.Second)
	if match := header.Get("If-Match"); match != "" {
		if !names(match, v.ETag) {
			return http.StatusPreconditionFailed
		}
	} else if at, err := http.ParseTime(header.Get("If-Unmodified-Since")); err == nil && modified.After(at) {
		return http.StatusPreconditionFailed
	}
	if none := header.Get("If-None-Match"); none != "" {
		if names(none, v.ETag) {
			return http.StatusNotModified
		}
	} else if at, err := http.ParseTime(header.Get("If-Modified-Since")); err == nil && !modified.After(at) {
		return http.StatusNotModified
	}
	return http.StatusOK
}

// names reports whether a list of entity tags contains etag or is "*".
func names(list, etag string) bool {
	for tag := range strings.SplitSeq(list, ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" || strings.Trim(strings.TrimPrefix(tag, "W/"), `"`) == etag {
			return true
		}
	}
	return false
}
