package natsbus

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// CheckServers returns the addresses of a list like nats://host:port,tls://host:port. The port
// is 4222 if none is given. It refuses an address with a user or a password, which every user
// of the machine could read in the list of processes; its errors repeat nothing of such a one.
func CheckServers(list string) ([]string, error) {
	var servers []string
	for address := range strings.SplitSeq(list, ",") {
		address = strings.TrimSpace(address)
		if strings.Contains(address, "@") {
			return nil, errors.New("the address contains a user or a password, which every user of this machine can read in the list of processes: put them into a file for --bus-credentials")
		}
		u, err := url.Parse(address)
		if err != nil || u.Hostname() == "" || (u.Scheme != "nats" && u.Scheme != "tls") || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("%q is no address of a NATS server such as nats://127.0.0.1:4222 or tls://nats.example:4222", address)
		}
		if port := u.Port(); port != "" {
			if _, err := net.LookupPort("tcp", port); err != nil {
				return nil, fmt.Errorf("%q has no valid port", address)
			}
		} else {
			u.Host = net.JoinHostPort(u.Hostname(), "4222")
		}
		servers = append(servers, u.Scheme+"://"+u.Host)
	}
	return servers, nil
}
