package loglimit

import (
	"net/netip"

	"github.com/muster-iot/muster/internal/hostport"
)

// Network returns under what a client's address, with or without a port, is counted: an IPv4 address by itself, an IPv6 address with
// the 64 bits of its network, which one customer has. What is no address counts as "".
func Network(addr string) string {
	ip, err := netip.ParseAddr(hostport.Host(addr))
	if err != nil {
		return ""
	}
	if ip = ip.Unmap(); ip.Is4() {
		return ip.String()
	}
	network, _ := ip.WithZone("").Prefix(64) // which every IPv6 address has
	return network.Addr().String()
}
