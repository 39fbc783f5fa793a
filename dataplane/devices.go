package dataplane

import (
	"context"
	"errors"
	"net/http"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/intake"
	"github.com/muster-iot/muster/internal/uuid"
)

// Device is the holder of a certificate; *authz.Device is one.
type Device interface {
	// Principal is the stable name of the identity.
	Principal() string
	// Act returns nil when the device may perform an action such as
	// "iotjobsdata:UpdateJobExecution" on a thing.
	Act(action string, thing muster.ThingName) error
	// Life ends when the certificate gives no access any more, provided that
	// the Device is referenced until then.
	Life() context.Context
}

// Identify finds the holder of a certificate in DER whose possession is proven;
// addr is the peer's host and port. An error that wraps gateway.ErrRefused says
// that the certificate gives no access; any other says that this could not be
// found out.
type Identify func(ctx context.Context, certificate []byte, addr string) (Device, error)

// Devices serves the holders of client certificates (identity-and-auth.md
// sections 0 and B.5). Its TLS listener must request a client certificate and
// verify none: a request with a certificate that is unknown or not active is
// answered with 403 (AUTH-17), and so is a request without any.
func (h *HTTP) Devices(identify Identify) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		w.Header().Set("X-Amzn-RequestId", uuid.New())
		if in.TLS == nil || len(in.TLS.PeerCertificates) == 0 {
			intake.Unread(w, in)
			writeRefusal(w, &request{}, refusalOf(errForbidden))
			return
		}
		v := &visitor{identify: func() (Device, error) {
			return identify(in.Context(), in.TLS.PeerCertificates[0].Raw, in.RemoteAddr)
		}}
		name, err := v.name()
		switch {
		case errors.Is(err, gateway.ErrRefused):
			intake.Unread(w, in)
			writeRefusal(w, &request{}, refusalOf(errForbidden))
		case err != nil:
			h.s.o.Log.Error("device could not be identified", "remote", in.RemoteAddr, "error", err)
			writeRefusal(w, &request{}, refusalOf(err))
		default:
			intake.Known(in.Context())
			h.serve(w, in, sender{name, v.life, v.may})
		}
	})
}

// visitor is a device during one request. It is identified just before its first
// question, and again before each later one, which comes after a wait.
type visitor struct {
	identify func() (Device, error)
	device   Device // as identified first; referenced here for as long as its life matters
	asked    bool   // the first question
}

func (v *visitor) name() (string, error) {
	device, err := v.identify()
	if err != nil {
		return "", err
	}
	v.device = device
	return device.Principal(), nil
}

func (v *visitor) life() context.Context { return v.device.Life() }

func (v *visitor) may(action string, thing muster.ThingName) error {
	device := v.device
	if v.asked {
		var err error
		if device, err = v.identify(); err != nil {
			return err
		}
	}
	v.asked = true
	return device.Act(action, thing)
}

var errForbidden = muster.Errorf(muster.Forbidden, "Forbidden")
