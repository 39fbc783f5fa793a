package s3api_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/files/s3api"
	"github.com/muster-iot/muster/sigv4"
)

// benchmarkSizes are those of a log and of a firmware image.
var benchmarkSizes = []int{4 << 10, 16 << 20}

// BenchmarkPut puts one object, durably, over a loopback connection.
func BenchmarkPut(b *testing.B) {
	for _, size := range benchmarkSizes {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			e := newEnv(b, s3api.Options{}, nothing, diskstore.Limits{})
			body := strings.Repeat("x", size)
			b.SetBytes(int64(size))
			for b.Loop() {
				r := e.request("PUT", "/lab/k", body)
				r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
				sigv4.Sign(r, nil, admin, region, "s3", time.Now())
				if got := e.send(r); got.status != http.StatusOK {
					b.Fatal(got)
				}
			}
		})
	}
}

// BenchmarkGet gets one object with a presigned URL.
func BenchmarkGet(b *testing.B) {
	for _, size := range benchmarkSizes {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			e := newEnv(b, s3api.Options{}, nothing, diskstore.Limits{})
			e.must("PUT", "/lab/k", strings.Repeat("x", size))
			r := e.request("GET", "/lab/k", "")
			sigv4.Presign(r, own, region, "s3", time.Hour, time.Now())
			b.SetBytes(int64(size))
			for b.Loop() {
				response, err := e.Client().Do(r)
				if err != nil {
					b.Fatal(err)
				}
				if n, err := io.Copy(io.Discard, response.Body); err != nil || n != int64(size) {
					b.Fatalf("%d bytes, %v", n, err)
				}
				response.Body.Close()
			}
		})
	}
}
