package awsiot

import (
	"io"
	"log/slog"
	"net/http"
	"testing"
)

// BenchmarkServeHTTP is one signed read: limits, signature, route, validation,
// permission, package jobs and encoding, without a connection.
func BenchmarkServeHTTP(b *testing.B) {
	env := newEnvWith(b, Options{Log: slog.New(slog.NewJSONHandler(io.Discard, nil))})
	env.thing("lamp")
	env.job("fw", "lamp")
	for name, target := range map[string]string{"DescribeJob": "/jobs/fw", "DescribeJobExecution": "/things/lamp/jobs/fw"} {
		b.Run(name, func(b *testing.B) {
			r, err := http.NewRequest("GET", "http://127.0.0.1"+target, http.NoBody)
			if err != nil {
				b.Fatal(err)
			}
			env.sign(r, "", "iot")
			r.RequestURI = target
			b.ReportAllocs()
			for b.Loop() {
				out := &output{header: http.Header{}}
				env.server.ServeHTTP(out, r)
				if out.status != http.StatusOK {
					b.Fatalf("%d %s", out.status, &out.body)
				}
			}
		})
	}
}
