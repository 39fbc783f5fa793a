package awsiot

import (
	"log/slog"
	"net/http"
	"time"
)

// Limits on what a stranger may make the edge hold or wait for. The body's is
// wire.MaxBody.
const (
	// maxHeader bounds the request line and all headers together.
	maxHeader = 64 << 10
	// maxHeaders is some ten times what the SDKs send.
	maxHeaders = 100
	// maxURI fits the longest ARN and the longest page token, all escaped.
	maxURI = 16 << 10

	headerTimeout = 10 * time.Second
	// readTimeout covers headers and body; a request that is read may then wait
	// longer than that for its answer.
	readTimeout = 30 * time.Second
	// writeTimeout outlasts the longest long poll (arbitration A11).
	writeTimeout = 6 * time.Minute
	idleTimeout  = 2 * time.Minute
	// operationTimeout bounds one operation of the control plane.
	operationTimeout = 30 * time.Second
)

// NewHTTPServer returns the server that h should run in: with time and size
// limits that cut slow, half-open and oversized clients. It speaks HTTP/1.1
// only, as the service it stands in for does.
func NewHTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:   h,
		Protocols: protocols,
		// OPTIONS * is a path that nobody knows, like any other.
		DisableGeneralOptionsHandler: true,

		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
