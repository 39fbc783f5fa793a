// Package loopback recognises the names of this machine's loopback interface, which never mean another
// machine: traffic to them stays on this machine.
package loopback

import "net/netip"

// Names reports whether a host, a name or an address without a port, is localhost or
// an address of the loopback interface. Other names that point there do not count:
// their owners decide where they point.
func Names(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
