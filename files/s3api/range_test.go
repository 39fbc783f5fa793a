package s3api

import "testing"

// A range that is served is within the content.
func FuzzParseRange(f *testing.F) {
	f.Add("bytes=0-0", int64(1))
	f.Add("bytes=-9223372036854775807", int64(10))
	f.Add("bytes=9223372036854775807-9223372036854775807", int64(10))
	f.Add("bytes= 1 - 2 ", int64(0))
	f.Fuzz(func(t *testing.T, text string, size int64) {
		if size < 0 {
			return
		}
		part, ok := parseRange(text, size)
		if ok && (part.start < 0 || part.length < 0 || part.length > 0 && part.start+part.length > size) {
			t.Errorf("parseRange(%q, %d) = %+v, which is not within", text, size, part)
		}
	})
}
