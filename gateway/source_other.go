//go:build !unix

package gateway

import "net"

// newSource returns the leanest source for conn.
func newSource(conn net.Conn) source { return &anySource{conn: conn} }
