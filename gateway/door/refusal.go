package door

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/muster-iot/muster/internal/loglimit"
)

// Lines a minute about handshakes that failed: of clients of one network that need the same hint, and of all. A client that
// tries again every second leaves one line a minute, which counts the others.
const (
	failedLines    = 1
	failedLinesAll = 60
)

// errLongest is how much of an error is shown, in bytes: some of them repeat what a client has sent.
const errLongest = 300

// tell logs why a handshake failed, and what the owner of the client can do. Clients that disconnected or sent nothing are logged
// at debug only: scanners and probes do that all day.
func (h *handshake) tell(err error) {
	peer := h.raw.RemoteAddr().String()
	if wordless(err) {
		h.door.log.Debug("TLS handshake ended", "listener", h.kind.String(), "peer", peer, "err", err)
		return
	}
	if h.alerted != 0 { // OpenSSL sends it in the clear where crypto/tls expects it encrypted
		err = &net.OpError{Op: "remote error", Err: h.alerted}
	}
	hint := h.hint(err)
	if h.door.o.Refused != nil {
		h.door.o.Refused(h.kind, cmp.Or(hint, err.Error()))
	}
	left, ok := h.door.lines.Take(loglimit.Network(peer)+hint, time.Now())
	if !ok {
		return
	}
	reason := err.Error()
	if len(reason) > errLongest {
		reason = reason[:errLongest] + "…"
	}
	attrs := []slog.Attr{slog.String("listener", h.kind.String()), slog.String("peer", peer), slog.String("err", reason)}
	if hint != "" {
		attrs = append(attrs, slog.String("hint", hint))
	}
	if left > 0 {
		attrs = append(attrs, loglimit.LeftOut(left))
	}
	h.door.log.LogAttrs(context.Background(), slog.LevelWarn, "TLS handshake failed", attrs...)
}

// tellShed logs, once a minute, that connections are closed to make room for others.
func (d *Door) tellShed() {
	if left, ok := d.shedding.Take("shed", time.Now()); ok {
		d.log.Warn("connections are closed before the end of their handshake, the longest waiting first: too many wait", loglimit.LeftOut(left))
	}
}

// wordless reports whether a handshake ended because its connection was closed or its time was over, without an alert from either
// side.
func wordless(err error) bool {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, end) {
			return true
		}
	}
	network, ok := errors.AsType[*net.OpError](err)
	return ok && (network.Op == "read" || network.Op == "write")
}

// errNoCertificate is what crypto/tls says of a client that shows no certificate where it must.
const errNoCertificate = "tls: client didn't provide a certificate"

// refusals are the alerts of clients that do not like the server's certificate.
var refusals = []tls.AlertError{42, 43, 45, 46, 48} // bad, unsupported, expired, unknown, unknown CA

// proxyHeaders are what PROXY headers of versions 1 and 2 begin with.
var proxyHeaders = [][recordHeader]byte{{'P', 'R', 'O', 'X', 'Y'}, {'\r', '\n', '\r', '\n', 0}}

// hint returns what would help the client, or "".
func (h *handshake) hint(err error) string {
	record, notTLS := errors.AsType[tls.RecordHeaderError](err)
	said, _ := errors.AsType[*net.OpError](err)
	switch {
	case h.refused != "":
		return h.refused
	case notTLS && slices.Contains(proxyHeaders, record.RecordHeader):
		return "the client sends a PROXY header: if it is a balancer, --proxy-protocol must name its address"
	case notTLS:
		return "the client does not speak TLS, which this listener needs"
	case errors.Is(err, errTooMuch):
		return "have the client send less of its certificate's chain: a handshake may have 32 KiB"
	case len(h.versions) > 0 && slices.Max(h.versions) < tls.VersionTLS12:
		return "the client must speak TLS 1.2 or later"
	case !h.door.o.OldDevices && needsOldSuites(h.suites):
		return "the client knows only cipher suites that are off: --old-devices serves it"
	case said != nil && said.Op == "remote error" && slices.ContainsFunc(refusals, func(a tls.AlertError) bool { return said.Err.Error() == a.Error() }):
		return "the client refuses the server's certificate: give it both roots in ca.pem, reach the server by a name in --hosts, and set the client's clock"
	case err.Error() == errNoCertificate:
		return "the client must show its certificate and have its key: this listener is for devices; others use --api or --alpn"
	}
	return ""
}

// needsOldSuites reports whether a client has a cipher suite that Options.OldDevices offers, and none of the others.
func needsOldSuites(offered []uint16) bool {
	has := func(suites []*tls.CipherSuite) bool {
		return slices.ContainsFunc(suites, func(s *tls.CipherSuite) bool {
			return slices.Contains(offered, s.ID) && !slices.Contains(brokenSuites, s.ID)
		})
	}
	return has(tls.InsecureCipherSuites()) && !has(tls.CipherSuites())
}

// illegalParameter is a TLS record with the fatal alert of that name.
var illegalParameter = []byte{21, 3, 3, 0, 2, 2, 47}

// alertWait is how long an alert may take to be sent.
const alertWait = time.Second

// alert sends a client the alert that it has sent more than a handshake needs. crypto/tls sends none when reading from its connection
// fails. A client that may have the keys of TLS 1.3 expects encrypted alerts, so it gets none.
func (h *handshake) alert(err error) {
	if !errors.Is(err, errTooMuch) || h.begun && slices.Contains(h.versions, tls.VersionTLS13) {
		return
	}
	_ = h.raw.SetWriteDeadline(time.Now().Add(alertWait)) // if it fails, so does Write
	_, _ = h.raw.Write(illegalParameter)                  // the connection is closed next
}
