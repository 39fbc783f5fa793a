package awsiot

import (
	"log/slog"
	"net/http"
	"time"
)

// These limits bound how much memory and time an unknown client can take. The limit
// on the body is wire.MaxBody.
const (
	// maxHeader bounds the request line and all headers together.
	maxHeader = 64 << 10
	// maxHeaders is about ten times what the SDKs send.
	maxHeaders = 100
	// maxURI fits the longest ARN and the longest page token, all escaped.
	maxURI = 16 << 10

	headerTimeout = 10 * time.Second
	// readTimeout covers headers and body. Once a request is read, its answer may
	// take longer than that.
	readTimeout = 30 * time.Second
	// writeTimeout outlasts the longest long poll (arbitration A11).
	writeTimeout = 6 * time.Minute
	idleTimeout  = 2 * time.Minute
	// operationTimeout bounds one operation of the control plane.
	operationTimeout = 30 * time.Second
)

// NewHTTPServer returns the server that h should run in. Its limits on time and size
// close the connections of slow, half-open and oversized clients. It speaks HTTP/1.1
// only, as AWS IoT does.
func NewHTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:   h,
		Protocols: protocols,
		// OPTIONS * is an unknown path like any other.
		DisableGeneralOptionsHandler: true,

		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
