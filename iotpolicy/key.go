package iotpolicy

import "strings"

// Keys of policy variables and conditions (identity-and-auth.md B.3), as Vars is
// asked for them. Upper and lower case do not count in a policy, except in the
// name of an attribute or tag.
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

	// attributePrefix goes before a name and "]"; the tag prefixes before a tag key.
	attributePrefix   = "iot:Connection.Thing.Attributes["
	certificatePrefix = "iot:Certificate."
	requestTagPrefix  = "aws:RequestTag/"
	resourceTagPrefix = "aws:ResourceTag/"
)

// ThingAttribute returns the key of an attribute of the connection's thing.
func ThingAttribute(name string) string { return attributePrefix + name + "]" }

// RequestTag returns the key of a tag that a request carries.
func RequestTag(key string) string { return requestTagPrefix + key }

// ResourceTag returns the key of a tag of the resource at hand.
func ResourceTag(key string) string { return resourceTagPrefix + key }

// words holds the canonical spelling of each part of a key.
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

// canonicalKey returns key in the spelling of this package. What follows the
// first [ or / is somebody's own name and stays.
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
