package proxyproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// Bounds of a header, in bytes.
const (
	startSize = 12      // of a start that tells the versions apart; each is longer
	textMax   = 107     // of version 1, with its line end
	fixedSize = 16      // of what all headers of version 2 begin with
	restMax   = 4 << 10 // of what follows it; balancers that pass on what they know of a TLS client take a few hundred
)

// signature is what every header of version 2 begins with, and nothing else that a listener serves.
const signature = "\r\n\r\n\x00\r\nQUIT\n"

// errForm is wrapped by the errors of a header that is none.
var errForm = errors.New("this is no PROXY header")

// read reads a header of either version from r, and nothing after it. It returns the address of the client, which is not
// valid if the balancer speaks for itself or does not say it. The error is io.EOF if nothing came.
func read(r io.Reader) (netip.AddrPort, error) {
	head := make([]byte, startSize, textMax)
	if _, err := io.ReadFull(r, head); err != nil {
		return netip.AddrPort{}, err
	}
	switch {
	case string(head) == signature:
		return readBinary(r)
	case bytes.HasPrefix(head, []byte("PROXY ")):
		return readText(r, head)
	}
	return netip.AddrPort{}, fmt.Errorf("%w: it begins with %q", errForm, head)
}

// readText reads the rest of a line of version 1 that begins with line. Nobody says how long it is, so it is read two bytes
// at a time: that many are missing unless the carriage return is there.
func readText(r io.Reader, line []byte) (netip.AddrPort, error) {
	for !bytes.HasSuffix(line, []byte("\r\n")) {
		more := 2
		if line[len(line)-1] == '\r' {
			more = 1
		}
		if len(line)+more > textMax {
			return netip.AddrPort{}, fmt.Errorf("%w: the line does not end after %d bytes", errForm, textMax)
		}
		line = line[:len(line)+more]
		if _, err := io.ReadFull(r, line[len(line)-more:]); err != nil {
			return netip.AddrPort{}, unfinished(err)
		}
	}
	return parseText(string(line[:len(line)-len("\r\n")]))
}

// parseText reads a line of version 1 without its end.
func parseText(line string) (netip.AddrPort, error) {
	fields := strings.Split(line, " ")
	if fields[1] == "UNKNOWN" { // whatever follows it
		return netip.AddrPort{}, nil
	}
	bad := func() (netip.AddrPort, error) { return netip.AddrPort{}, fmt.Errorf("%w: %q", errForm, line) }
	if len(fields) != 6 || fields[1] != "TCP4" && fields[1] != "TCP6" {
		return bad()
	}
	var ends [2]netip.AddrPort // source and destination
	for i := range ends {
		ip, err := netip.ParseAddr(fields[2+i])
		port, portErr := strconv.ParseUint(fields[4+i], 10, 16)
		if err != nil || portErr != nil || ip.Zone() != "" || ip.Is4() != (fields[1] == "TCP4") {
			return bad()
		}
		ends[i] = netip.AddrPortFrom(ip.Unmap(), uint16(port))
	}
	return ends[0], nil
}

// The commands and the families of addresses of version 2. The lower half of a family says the transport.
const (
	version2 = 0x20
	local    = 0x0
	proxy    = 0x1

	unspecified = 0x0
	inet        = 0x1
	inet6       = 0x2
	unix        = 0x3

	stream = 0x1
)

// addresses says how many bytes the addresses of each family have.
var addresses = [...]int{unspecified: 0, inet: 12, inet6: 36, unix: 216}

// readBinary reads what follows the signature of version 2.
func readBinary(r io.Reader) (netip.AddrPort, error) {
	var fixed [fixedSize - len(signature)]byte
	if _, err := io.ReadFull(r, fixed[:]); err != nil {
		return netip.AddrPort{}, unfinished(err)
	}
	size := int(binary.BigEndian.Uint16(fixed[2:]))
	if size > restMax {
		return netip.AddrPort{}, fmt.Errorf("%w that is served: it has %d bytes, of at most %d", errForm, fixedSize+size, fixedSize+restMax)
	}
	rest := make([]byte, size)
	if _, err := io.ReadFull(r, rest); err != nil {
		return netip.AddrPort{}, unfinished(err)
	}
	return parseBinary(fixed[0], fixed[1], rest)
}

// parseBinary reads a header of version 2: its two bytes with the command and the family, and what follows its length. What
// follows the addresses is not looked at.
func parseBinary(command, family byte, rest []byte) (netip.AddrPort, error) {
	bad := func(what string) (netip.AddrPort, error) {
		return netip.AddrPort{}, fmt.Errorf("%w: %s", errForm, what)
	}
	kind, transport := family>>4, family&0xf
	switch {
	case command&0xf0 != version2:
		return bad(fmt.Sprintf("version %d", command>>4))
	case command&0xf == local:
		return netip.AddrPort{}, nil
	case command&0xf != proxy:
		return bad(fmt.Sprintf("command %d", command&0xf))
	case kind == unspecified:
		return netip.AddrPort{}, nil
	case int(kind) >= len(addresses):
		return bad(fmt.Sprintf("addresses of family %d", kind))
	case transport != stream:
		return bad(fmt.Sprintf("transport %d", transport))
	case len(rest) < addresses[kind]:
		return bad(fmt.Sprintf("%d bytes for addresses that have %d", len(rest), addresses[kind]))
	case kind == unix:
		return netip.AddrPort{}, nil
	}
	ends := addresses[kind] - 4 // the two addresses, before the two ports
	source, _ := netip.AddrFromSlice(rest[:ends/2])
	return netip.AddrPortFrom(source.Unmap(), binary.BigEndian.Uint16(rest[ends:])), nil
}

// unfinished is the error of a header that ends early.
func unfinished(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
