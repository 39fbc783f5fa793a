// Package loopback tells names of this machine that nobody else can give to another:
// what is bound or addressed by them stays on this machine.
package loopback

import (
	"net"
	"net/netip"
	"strings"
)

// Names reports whether a host, a name or an address without a port, is localhost or
// an address of the loopback interface. Other names may point there, and are not
// taken: whoever owns them decides where they point.
func Names(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// Host returns the host of a Host header or of an address, without its port and
// without the brackets of IPv6.
func Host(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	if host, ok := strings.CutPrefix(hostport, "["); ok {
		return strings.TrimSuffix(host, "]")
	}
	return hostport
}
