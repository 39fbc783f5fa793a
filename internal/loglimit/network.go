package loglimit

import (
	"net/netip"

	"github.com/muster-iot/muster/internal/hostport"
)

// Network returns the key under which a client's address, with or without a port, is counted: an IPv4 address itself, and of an IPv6
// address the network of 64 bits, which belongs to one customer. It returns "" for what is not an address.
func Network(addr string) string {
	ip, err := netip.ParseAddr(hostport.Host(addr))
	if err != nil {
		return ""
	}
	if ip = ip.Unmap(); ip.Is4() {
		return ip.String()
	}
	network, _ := ip.WithZone("").Prefix(64) // cannot fail for an IPv6 address
	return network.Addr().String()
}
