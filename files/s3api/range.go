package s3api

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/muster-iot/muster/files/diskstore"
)

// extent is a part of a content, in bytes.
type extent struct{ start, length int64 }

func (e extent) contentRange(size int64) string {
	return fmt.Sprintf("bytes %d-%d/%d", e.start, e.start+e.length-1, size)
}

// wanted returns the part of an object that a request is for. partial is false
// when that is all of it; when it is true and the length is 0, there is no such
// part.
func wanted(header http.Header, v diskstore.Version) (part extent, partial bool) {
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

// parseRange reads a Range header. What S3 does not understand, several ranges
// among it, it ignores: ok is false. A range without a byte of the content has
// the length 0.
func parseRange(text string, size int64) (part extent, ok bool) {
	text, ok = strings.CutPrefix(text, "bytes=")
	first, last, dash := strings.Cut(text, "-")
	first, last = strings.TrimSpace(first), strings.TrimSpace(last)
	if !ok || !dash || first == "" && last == "" {
		return extent{}, false
	}
	if first == "" { // the last so many
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

// sameAs reports whether an If-Range header, which may be absent, is of this
// version of an object.
func sameAs(ifRange string, v diskstore.Version) bool {
	if ifRange == "" || ifRange == quoted(v.ETag) {
		return true
	}
	at, err := http.ParseTime(ifRange)
	return err == nil && at.Equal(v.Modified.Truncate(time.Second))
}

// checkConditions holds an object against the conditions of a request, as RFC
// 9110 section 13.2.2 orders them. It returns 200, 304 or 412.
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

// names reports whether a list of entity tags names etag, or any.
func names(list, etag string) bool {
	for tag := range strings.SplitSeq(list, ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" || strings.Trim(strings.TrimPrefix(tag, "W/"), `"`) == etag {
			return true
		}
	}
	return false
}
