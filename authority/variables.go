package authority

import (
	"crypto/x509"
	"strconv"
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/identity/ca"
	"github.com/muster-iot/muster/iotpolicy"
)

// variables returns the values that policies may ask for (identity-and-auth.md
// section B.3). Those of a thing resolve over MQTT only, or when the thing is
// exclusively the certificate's (AUTH-42); the registry has seen to that.
func (d *Device) variables(thing *muster.Thing) iotpolicy.Vars {
	return func(key string) ([]string, bool) {
		switch key {
		case iotpolicy.ClientID:
			return []string{d.clientID}, d.clientID != ""
		case iotpolicy.SourceIP:
			return []string{d.address}, d.address != ""
		case iotpolicy.CertificateID:
			return []string{string(d.id)}, true
		case iotpolicy.ThingIsAttached:
			return []string{strconv.FormatBool(thing != nil)}, thing != nil
		}
		if values, ok := thingVariable(thing, key); ok {
			return values, true
		}
		return ca.Variable(d.leaf, key)
	}
}

func thingVariable(thing *muster.Thing, key string) ([]string, bool) {
	if thing == nil {
		return nil, false
	}
	switch key {
	case iotpolicy.ThingName:
		return []string{string(thing.Name)}, true
	case iotpolicy.ThingTypeName:
		return []string{string(thing.Type)}, thing.Type != ""
	}
	if !strings.HasPrefix(key, attributePrefix) || !strings.HasSuffix(key, "]") {
		return nil, false
	}
	value, ok := thing.Attributes[key[len(attributePrefix):len(key)-1]]
	return []string{value}, ok
}

var attributePrefix = strings.TrimSuffix(iotpolicy.ThingAttribute(""), "]")

// named returns the parts of a certificate that policy variables show, so that
// a connection does not hold on to the rest.
func named(leaf *x509.Certificate) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: leaf.SerialNumber, Subject: leaf.Subject, Issuer: leaf.Issuer,
		EmailAddresses: leaf.EmailAddresses, DNSNames: leaf.DNSNames, URIs: leaf.URIs, IPAddresses: leaf.IPAddresses,
	}
}
