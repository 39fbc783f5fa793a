package ca

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"strconv"
	"strings"
)

// maxValues bounds the values of one field that policy variables show
// (identity-and-auth.md B.3).
const maxValues = 5

// fields holds, for each field of a name that policy variables show, the last number
// of its object identifier 2.5.4.x.
var fields = map[string]int{
	"CommonName": 3, "Surname": 4, "SerialNumber": 5, "Country": 6, "State": 8, "Organization": 10,
	"OrganizationalUnit": 11, "Title": 12, "GivenName": 42, "Initials": 43, "GenerationQualifier": 44,
	"DistinguishedNameQualifier": 46, "Pseudonym": 65,
}

// Variable returns the values of the policy variable key, one that begins with
// "iot:Certificate.", for a certificate, and whether it has any. They are computed
// when they are asked for, so that a connection need not keep them.
func Variable(c *x509.Certificate, key string) ([]string, bool) {
	key, ok := strings.CutPrefix(key, "iot:Certificate.")
	if !ok {
		return nil, false
	}
	var values []string
	owner, field, _ := strings.Cut(key, ".")
	field, which, chosen := cutIndex(field)
	switch {
	case key == "SerialNumber":
		return []string{c.SerialNumber.String()}, true
	case owner == "Subject" && strings.HasPrefix(field, "AlternativeName."):
		values = alternativeNames(c, strings.TrimPrefix(field, "AlternativeName."))
	case owner == "Subject":
		values = nameValues(c.Subject, field)
	case owner == "Issuer":
		values = nameValues(c.Issuer, field)
	}
	values = values[:min(len(values), maxValues)]
	if !chosen {
		return values, len(values) > 0
	}
	if which >= len(values) {
		return nil, false
	}
	return values[which : which+1], true
}

// cutIndex splits a field from the suffix that chooses one of its values: no suffix
// chooses the first, ".1" the second. ".List" means all; then chosen is false.
func cutIndex(field string) (name string, which int, chosen bool) {
	if name, ok := strings.CutSuffix(field, ".List"); ok {
		return name, 0, false
	}
	dot := strings.LastIndexByte(field, '.')
	if n, err := strconv.Atoi(field[dot+1:]); dot > 0 && err == nil && n > 0 {
		return field[:dot], n, true
	}
	return field, 0, true
}

func nameValues(name pkix.Name, field string) []string {
	var values []string
	number, ok := fields[field]
	for _, part := range name.Names {
		text, isText := part.Value.(string)
		if ok && isText && part.Type.Equal([]int{2, 5, 4, number}) {
			values = append(values, text)
		}
	}
	return values
}

func alternativeNames(c *x509.Certificate, kind string) []string {
	var values []string
	switch kind {
	case "RFC822Name":
		values = c.EmailAddresses
	case "DNSName":
		values = c.DNSNames
	case "UniformResourceIdentifier":
		for _, uri := range c.URIs {
			values = append(values, uri.String())
		}
	case "IPAddress":
		for _, ip := range c.IPAddresses {
			values = append(values, ip.String())
		}
	}
	return values
}
