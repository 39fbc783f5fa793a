package identity_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/identity"
)

func TestB3VariablesOfADevice(t *testing.T) {
	d := identity.Device{
		Certificate: "c1", ClientID: "me", Address: "127.0.0.1",
		Leaf:  &x509.Certificate{SerialNumber: big.NewInt(7), Subject: named("pump-7"), Issuer: named("Acme CA")},
		Thing: &muster.Thing{Name: "lamp", Type: "light", Attributes: map[string]string{"site": "north"}},
	}
	for key, want := range map[string]string{
		"iot:ClientId": "me", "aws:SourceIp": "127.0.0.1", "iot:CertificateId": "c1",
		"iot:Certificate.Subject.CommonName": "pump-7", "iot:Certificate.Subject.CommonName.List": "pump-7",
		"iot:Certificate.Issuer.CommonName": "Acme CA", "iot:Certificate.SerialNumber": "7",
		"iot:Connection.Thing.ThingName": "lamp", "iot:Connection.Thing.ThingTypeName": "light",
		"iot:Connection.Thing.Attributes[site]": "north", "iot:Connection.Thing.IsAttached": "true",
	} {
		if got, ok := d.Vars(key); !ok || len(got) != 1 || got[0] != want {
			t.Errorf("Vars(%s) = %v, %v; want %s", key, got, ok, want)
		}
	}
	for _, key := range []string{
		"iot:Connection.Thing.Attributes[none]", "iot:Connection.Thing.Attributes[site", "iot:Certificate.Subject.Title", "aws:else",
	} {
		if got, ok := d.Vars(key); ok {
			t.Errorf("Vars(%s) = %v, want no value", key, got)
		}
	}
}

func TestWhatIsNotKnownOfADeviceHasNoValue(t *testing.T) {
	for _, key := range []string{
		"iot:ClientId", "aws:SourceIp", "iot:CertificateId", "iot:Certificate.SerialNumber", "iot:Certificate.Subject.CommonName",
		"iot:Connection.Thing.ThingName", "iot:Connection.Thing.ThingTypeName", "iot:Connection.Thing.IsAttached",
		"iot:Connection.Thing.Attributes[site]",
	} {
		if got, ok := (identity.Device{}).Vars(key); ok {
			t.Errorf("Vars(%s) = %v, want no value", key, got)
		}
	}
}

func named(name string) pkix.Name {
	return pkix.Name{Names: []pkix.AttributeTypeAndValue{{Type: []int{2, 5, 4, 3}, Value: name}}}
}
