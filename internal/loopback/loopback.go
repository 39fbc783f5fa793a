// Package loopback tells names of this machine that nobody else can give to another:
// what is bound or addressed by them stays on this machine.
package loopback

import "net/netip"

// Names reports whether a host, a name or an address without a port, is localhost or
// an address of the loopback interface. Other names may point there, and are not
// taken: whoever owns them decides where they point.
func Names(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
