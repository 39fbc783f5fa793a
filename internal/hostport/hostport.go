// Package hostport takes addresses apart.
package hostport

import (
	"net"
	"strings"
)

// Host returns the host of a Host header or of a peer's address, without its
// port, if it has one, and without the brackets of IPv6.
func Host(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	if host, ok := strings.CutPrefix(hostport, "["); ok {
		return strings.TrimSuffix(host, "]")
	}
	return hostport
}
