//go:build !linux

package poll

import (
	"errors"
	"net"
)

// Poller wakes the connections added to it. There is none on this system.
type Poller struct{}

// New returns an error: connections keep their goroutines.
func New() (*Poller, error) { return nil, errors.ErrUnsupported }

// Close does nothing.
func (*Poller) Close() {}

// Wrap returns nil: nothing can be polled.
func Wrap(net.Conn) *Conn { return nil }

// Add is never called.
func (*Poller) Add(*Conn, Waker) error { return errors.ErrUnsupported }

// Shut is never called.
func (*Poller) Shut(*Conn) {}
