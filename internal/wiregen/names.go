package wiregen

import (
	"strings"
	"unicode"
)

// initialisms are the words that Go writes in capitals.
var initialisms = map[string]string{
	"arn": "ARN", "arns": "ARNs", "ca": "CA", "csr": "CSR", "id": "ID", "ids": "IDs",
	"json": "JSON", "pem": "PEM", "qos": "QoS", "url": "URL",
}

// fieldName returns the Go name of a member: CACertificateID for caCertificateId.
func fieldName(member string) string {
	var b strings.Builder
	for _, word := range words(member) {
		if short, ok := initialisms[strings.ToLower(word)]; ok {
			b.WriteString(short)
			continue
		}
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// words splits a camel-case name where a capital follows a small letter.
func words(name string) []string {
	var all []string
	start, last := 0, rune(0)
	for i, r := range name {
		if unicode.IsUpper(r) && unicode.IsLower(last) {
			all = append(all, name[start:i])
			start = i
		}
		last = r
	}
	return append(all, name[start:])
}
