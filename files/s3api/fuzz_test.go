package s3api_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/files/s3api"
)

// Every request is served or refused, and none is an internal error.
func FuzzServe(f *testing.F) {
	f.Add("GET", "/lab/k?versionId=null", "Range: bytes=-1", "")
	f.Add("PUT", "/lab/x", "X-Amz-Copy-Source: lab/k?versionId=%00", "text")
	f.Add("PUT", "/lab/x?uploadId=00&partNumber=1", "X-Amz-Decoded-Content-Length: 4", "4\r\ntext\r\n0\r\n\r\n")
	f.Add("POST", "/lab/x?uploads", "X-Amz-Checksum-Algorithm: CRC32", "")
	f.Add("POST", "/lab/x?uploadId=00", "", "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>")
	f.Add("POST", "/lab?delete", "", "<Delete><Object><Key>k</Key><VersionId>null</VersionId></Object></Delete>")
	f.Add("GET", "/lab?list-type=2&prefix=a&delimiter=/&max-keys=1&continuation-token=YQ", "", "")
	f.Add("GET", "/lab?versions&key-marker=k&version-id-marker=null&encoding-type=url", "", "")
	f.Add("GET", "/lab?uploads&key-marker=k&upload-id-marker=00", "", "")
	f.Add("PUT", "/lab?versioning", "", "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>")
	e := newEnv(f, s3api.Options{AuthNone: true}, nothing, diskstore.Limits{ObjectSize: 1 << 16})
	handler := e.Config.Handler
	f.Fuzz(func(t *testing.T, method, target, header, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Host != "" {
			return
		}
		r := &http.Request{
			Method: method, URL: u, RequestURI: target, Host: "127.0.0.1", Header: http.Header{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Body: http.NoBody, ContentLength: int64(len(body)), RemoteAddr: "127.0.0.1:1",
		}
		if name, value, ok := strings.Cut(header, ": "); ok {
			r.Header.Set(name, value)
			if strings.HasPrefix(name, "X-Amz-Decoded") {
				r.Header.Set("X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
			}
		}
		if body != "" {
			r.Body = readCloser{strings.NewReader(body)}
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r.WithContext(t.Context()))
		if w.Code >= 500 && w.Code != http.StatusNotImplemented {
			t.Errorf("%s %s with %q and %q = %d %s", method, target, header, body, w.Code, w.Body)
		}
	})
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }
