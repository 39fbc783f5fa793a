package identity

import (
	"crypto/x509"
	"strconv"
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/identity/ca"
	"github.com/muster-iot/muster/iotpolicy"
)

// Device is what policy variables show of the holder of a certificate. A field
// that is not known is zero, and its variables have no value.
type Device struct {
	Certificate muster.CertificateID
	Leaf        *x509.Certificate // only its names are used
	ClientID    string            // of the MQTT connection; "" over HTTPS
	Address     string            // the peer's, without the port
	Thing       *muster.Thing     // the connection's (AUTH-41)
}

// Vars returns the values of the variables and condition keys of
// identity-and-auth.md section B.3; it is an iotpolicy.Vars. Those of a thing
// resolve over MQTT, and over HTTPS only when the thing is exclusively the
// certificate's (AUTH-42); the caller leaves Thing nil otherwise.
func (d Device) Vars(key string) ([]string, bool) {
	switch key {
	case iotpolicy.ClientID:
		return []string{d.ClientID}, d.ClientID != ""
	case iotpolicy.SourceIP:
		return []string{d.Address}, d.Address != ""
	case iotpolicy.CertificateID:
		return []string{string(d.Certificate)}, d.Certificate != ""
	}
	if values, ok := thingVariable(d.Thing, key); ok || d.Leaf == nil {
		return values, ok
	}
	return ca.Variable(d.Leaf, key)
}

func thingVariable(thing *muster.Thing, key string) ([]string, bool) {
	if thing == nil {
		return nil, false
	}
	switch key {
	case iotpolicy.ThingIsAttached:
		return []string{strconv.FormatBool(true)}, true
	case iotpolicy.ThingName:
		return []string{string(thing.Name)}, true
	case iotpolicy.ThingTypeName:
		return []string{string(thing.Type)}, thing.Type != ""
	}
	name, ok := strings.CutPrefix(key, attributePrefix)
	if !ok || !strings.HasSuffix(name, "]") {
		return nil, false
	}
	value, ok := thing.Attributes[strings.TrimSuffix(name, "]")]
	return []string{value}, ok
}

var attributePrefix = strings.TrimSuffix(iotpolicy.ThingAttribute(""), "]")
