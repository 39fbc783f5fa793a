package iotpolicy

import "strings"

// Keys of policy variables and conditions (identity-and-auth.md B.3), in the spelling in
// which Vars is called. A policy may spell them in any case, except for the name of an
// attribute or tag.
const (
	ClientID          = "iot:ClientId"
	SourceIP          = "aws:SourceIp"
	ThingName         = "iot:Connection.Thing.ThingName"
	ThingTypeName     = "iot:Connection.Thing.ThingTypeName"
	ThingIsAttached   = "iot:Connection.Thing.IsAttached"
	CertificateID     = "iot:CertificateId"
	ConnectAttributes = "iot:ConnectAttributes" // a set: PersistentConnect, LastWill
	LastWillTopic     = "iot:LastWillTopic"
	DomainName        = "iot:DomainName"
	TagKeys           = "aws:TagKeys" // a set

	// attributePrefix is followed by a name and "]", a tag prefix by a tag key.
	attributePrefix   = "iot:Connection.Thing.Attributes["
	certificatePrefix = "iot:Certificate."
	requestTagPrefix  = "aws:RequestTag/"
	resourceTagPrefix = "aws:ResourceTag/"
)

// ThingAttribute returns the key of an attribute of the thing that is connected.
func ThingAttribute(name string) string { return attributePrefix + name + "]" }

// RequestTag returns the key of a tag in the request.
func RequestTag(key string) string { return requestTagPrefix + key }

// ResourceTag returns the key of a tag of the resource.
func ResourceTag(key string) string { return resourceTagPrefix + key }

// namesCertificate reports whether key, in the spelling of this package, is about the
// caller's certificate and more than its id.
func namesCertificate(key string) bool { return strings.HasPrefix(key, certificatePrefix) }

// words maps each part of a key, in lower case, to its canonical spelling.
var words = spelling(ClientID, SourceIP, ThingName, ThingTypeName, ThingIsAttached, CertificateID,
	ConnectAttributes, LastWillTopic, DomainName, TagKeys, attributePrefix, requestTagPrefix, resourceTagPrefix,
	"iot:Certificate.Subject.AlternativeName.RFC822Name.List", "iot:Certificate.Issuer", "DNSName.DirectoryName",
	"UniformResourceIdentifier.IPAddress.SerialNumber.AvailableKeys.CommonName.Country.Organization.OrganizationalUnit",
	"State.DistinguishedNameQualifier.Title.Surname.GivenName.Initials.Pseudonym.GenerationQualifier")

func spelling(keys ...string) map[string]string {
	words := map[string]string{}
	for _, key := range keys {
		for _, word := range strings.FieldsFunc(key, func(r rune) bool { return strings.ContainsRune(".[/", r) }) {
			words[strings.ToLower(word)] = word
		}
	}
	return words
}

// canonicalKey returns key in the spelling of this package. The part from the first [ or
// / on is the name of an attribute or tag and stays as it is.
func canonicalKey(key string) string {
	own := ""
	if i := strings.IndexAny(key, "[/"); i >= 0 {
		key, own = key[:i], key[i:]
	}
	parts := strings.Split(key, ".")
	for i, part := range parts {
		if word, ok := words[strings.ToLower(part)]; ok {
			parts[i] = word
		}
	}
	return strings.Join(parts, ".") + own
}
