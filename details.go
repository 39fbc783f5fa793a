package muster

import (
	"unicode"
	"unicode/utf8"
)

// The limits of statusDetails (jobs-data-plane.md section 3.5).
const (
	DetailsMax      = 10
	detailsKeyMax   = 128
	detailsValueMax = 1024
)

// CheckDetails returns an Invalid error unless details may be stored: at most
// 10 pairs; keys of 1 to 128 [a-zA-Z0-9:_-]; values of 1 to 1024 characters
// without control characters other than newline, carriage return and tab
// (arbitration A2).
func CheckDetails(details map[string]string) error {
	if len(details) > DetailsMax {
		return Errorf(Invalid, "statusDetails has %d entries; at most %d are allowed", len(details), DetailsMax)
	}
	for key, value := range details {
		if len(key) == 0 || len(key) > detailsKeyMax || !allOf(key, ":") {
			return Errorf(Invalid, "statusDetails has a key that is not 1 to %d of [a-zA-Z0-9:_-]", detailsKeyMax)
		}
		if n := utf8.RuneCountInString(value); n == 0 || n > detailsValueMax {
			return Errorf(Invalid, "the value of statusDetails %q has %d characters; 1 to %d are allowed", key, n, detailsValueMax)
		}
		for _, r := range value {
			if unicode.Is(unicode.C, r) && r != '\n' && r != '\r' && r != '\t' {
				return Errorf(Invalid, "the value of statusDetails %q holds a control character", key)
			}
		}
	}
	return nil
}
