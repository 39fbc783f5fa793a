package authz

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/identity/ca"
	"github.com/muster-iot/muster/iotpolicy"
)

// anonymous is everybody on a plain listener: all is allowed.
type anonymous struct{}

func (anonymous) Principal() string          { return "anonymous" }
func (anonymous) Publish(string, bool) error { return nil }
func (anonymous) Subscribe(string) error     { return nil }
func (anonymous) Receive(string) bool        { return true }

// keyHolder is the grant of a WebSocket client that connected with an access
// key. What it may do follows the key.
type keyHolder struct {
	a                 *Authorizer
	caller            identity.Caller
	clientID, address string
}

var _ gateway.Bounded = keyHolder{}

func (k keyHolder) Principal() string { return k.caller.ARN }

// Until is in the past once the key is gone, and zero before.
func (k keyHolder) Until() time.Time {
	if k.caller.Life().Err() != nil {
		return time.Unix(0, 0)
	}
	return time.Time{}
}

func (k keyHolder) Publish(topic string, retain bool) error {
	if err := k.may(iotpolicy.Publish, "topic/"+topic); err != nil || !retain {
		return err
	}
	return k.may(iotpolicy.RetainPublish, "topic/"+topic)
}

func (k keyHolder) Subscribe(filter string) error {
	return k.may(iotpolicy.Subscribe, "topicfilter/"+filter)
}

func (k keyHolder) Receive(topic string) bool {
	return k.caller.Authorize(iotpolicy.Receive, []string{k.a.o.Account.Named("topic/" + topic)}, k.vars) == nil
}

func (k keyHolder) may(action, resource string) error {
	err := k.caller.Authorize(action, []string{k.a.o.Account.Named(resource)}, k.vars)
	if denied, ok := errors.AsType[*identity.DeniedError](err); ok {
		k.a.logRefused("caller refused", k.caller.ARN, "client", k.clientID,
			"action", action, "resource", denied.Resource, "decision", denied.Decision)
		return refusal(action + " on " + denied.Resource)
	}
	return err
}

func (k keyHolder) vars(key string) ([]string, bool) {
	switch key {
	case iotpolicy.ClientID:
		return []string{k.clientID}, true
	case iotpolicy.SourceIP:
		return []string{k.address}, k.address != ""
	}
	return nil, false
}

// registerItself takes an unknown certificate into the registry, waiting for
// activation, when a registered CA with auto registration signed it (AUTH-34).
// The connection is refused all the same; the device will come again.
func (a *Authorizer) registerItself(ctx context.Context, id muster.CertificateID, leaf *x509.Certificate) {
	cas, err := a.o.Principals.CAsOf(ctx, hex.EncodeToString(leaf.RawIssuer))
	if err != nil {
		a.o.Log.Error("CA look-up failed", "error", err)
		return
	}
	for _, issuer := range cas {
		if !issuer.Active || !issuer.AutoRegistration || !signed(issuer, leaf) {
			continue
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})
		c, err := a.o.Principals.AddCertificate(ctx, muster.Certificate{
			ID: id, PEM: string(text), Status: muster.CertificatePendingActivation, CA: issuer.ID,
			NotBefore: muster.At(leaf.NotBefore), NotAfter: muster.At(leaf.NotAfter),
		})
		if err != nil {
			a.o.Log.Error("certificate could not register itself", "certificate", id, "error", err)
			return
		}
		a.o.Registered(c)
		return
	}
}

func signed(by muster.CA, leaf *x509.Certificate) bool {
	issuer, err := ca.ParseCA(by.PEM)
	return err == nil && ca.Certificate{X509: leaf}.SignedBy(issuer)
}
