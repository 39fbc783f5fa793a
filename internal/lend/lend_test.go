package lend

import (
	"errors"
	"net"
	"testing"
)

// A listener that is lent and closed serves the next loan, also the callers that connected in
// between.
func TestALentListenerOutlivesItsServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	first := New(l.(*net.TCPListener))
	accepted := make(chan error, 1)
	go func() { _, err := first.Accept(); accepted <- err }()
	first.Pause()
	first.Close()
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept of a loan that is closed: %v, want net.ErrClosed", err)
	}
	first.GiveBack()
	caller, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatalf("a call in between: %v", err)
	}
	defer caller.Close()

	second := New(l.(*net.TCPListener))
	first.Pause() // too late to disturb
	first.Close()
	c, err := second.Accept()
	if err != nil {
		t.Fatalf("Accept of the next loan: %v", err)
	}
	defer c.Close()
	if c.RemoteAddr().String() != caller.LocalAddr().String() {
		t.Errorf("accepted %s, want %s, which called in between", c.RemoteAddr(), caller.LocalAddr())
	}
}
