package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/muster-iot/muster/limits"
)

// Limits returns the section on quotas and rates.
func Limits() string {
	var b strings.Builder
	b.WriteString("\n## Quotas and rates\n\n" +
		"Limits that are part of the API are always enforced. Limits that AWS sets for each account are off by default: `--limits aws` applies\n" +
		"AWS's numbers, `--limit name=value` one of them.\n\n" +
		"| limit | by default | of AWS | what is limited |\n|---|---|---|---|\n")
	for _, row := range limits.Table() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", row.Name, orNone(row.Default), orNone(row.AWS), row.Text)
	}
	return b.String()
}

func orNone(n int) string {
	if n == 0 {
		return "none"
	}
	return strconv.Itoa(n)
}

// silent is the section on events, and on those that are never published.
const silent = `
## Events

Events of the types JOB, JOB_EXECUTION and THING… are published with the topics and payloads of AWS, at least once. CA_CERTIFICATE, CERTIFICATE and
POLICY can be enabled and disabled, and the setting is kept; nothing is published for them, since neither a topic nor a payload is documented.
`
