//go:build !linux

package gateway

import "net"

// listening returns how to open a listener whose connections have tcpKeepAlive.
func listening() net.ListenConfig { return net.ListenConfig{KeepAliveConfig: tcpKeepAlive} }
