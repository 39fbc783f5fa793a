package iotdata

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"

	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/intake"
)

// Device is the holder of a certificate; *authz.Device is one.
type Device interface {
	Principal() string
	// Permits returns nil when the device may perform an action such as
	// "iot:Publish" on a resource such as "topic/lamp/on".
	Permits(action, resource string) error
}

// Identify finds the holder of a certificate in DER whose possession is proven;
// addr is the peer's host and port. An error that wraps gateway.ErrRefused says
// that the certificate gives no access; any other says that this could not be
// found out.
type Identify func(ctx context.Context, certificate []byte, addr string) (Device, error)

// Devices serves the holders of client certificates. Its TLS listener must
// request a client certificate and verify none.
func (s *Service) Devices(identify Identify) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amzn-RequestId", rand.Text())
		if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
			intake.Unread(w, r)
			denied.saying("Forbidden").write(w)
			return
		}
		device, err := identify(r.Context(), r.TLS.PeerCertificates[0].Raw, r.RemoteAddr)
		switch {
		case errors.Is(err, gateway.ErrRefused):
			intake.Unread(w, r)
			denied.saying("Forbidden").write(w)
		case err != nil:
			s.o.Log.Error("device could not be identified", "remote", r.RemoteAddr, "error", err)
			failureOf(err).write(w)
		default:
			intake.Known(r.Context())
			s.answer(w, r, sender{device.Principal(), device.Permits})
		}
	})
}
