package proxyproto

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
)

// headers are what balancers send, and the address of the client in it, "" for none.
var headers = []struct{ name, header, client string }{
	{"version 1, IPv4", "PROXY TCP4 203.0.113.9 198.51.100.1 56324 443\r\n", "203.0.113.9:56324"},
	{"version 1, the shortest", "PROXY TCP4 1.1.1.1 2.2.2.2 0 0\r\n", "1.1.1.1:0"},
	{"version 1, IPv6", "PROXY TCP6 2001:db8::9 2001:db8::1 56324 443\r\n", "[2001:db8::9]:56324"},
	{"version 1, IPv4 as IPv6", "PROXY TCP6 ::ffff:203.0.113.9 ::ffff:198.51.100.1 56324 443\r\n", "203.0.113.9:56324"},
	{"version 1, the longest", "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
	{"version 1, unknown", "PROXY UNKNOWN\r\n", ""},
	{"version 1, unknown with addresses", "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", ""},
	{"version 2, IPv4", signature + "\x21\x11\x00\x0c\xcb\x00\x71\x09\xc6\x33\x64\x01\xdc\x04\x01\xbb", "203.0.113.9:56324"},
	{"version 2, IPv4 with what a balancer knows more", signature + "\x21\x11\x00\x13\xcb\x00\x71\x09\xc6\x33\x64\x01\xdc\x04\x01\xbb\x04\x00\x04\x00\x00\x00\x00", "203.0.113.9:56324"},
	{"version 2, IPv6", signature + "\x21\x21\x00\x24" + "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x09" + "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x01" + "\xdc\x04\x01\xbb", "[2001:db8::9]:56324"},
	{"version 2, IPv4 as IPv6", signature + "\x21\x21\x00\x24" + strings.Repeat("\x00", 10) + "\xff\xff\xcb\x00\x71\x09" + strings.Repeat("\x00", 10) + "\xff\xff\xc6\x33\x64\x01" + "\xdc\x04\x01\xbb", "203.0.113.9:56324"},
	{"version 2, a socket file", signature + "\x21\x31\x00\xd8" + strings.Repeat("/", 216), ""},
	{"version 2, unspecified", signature + "\x21\x00\x00\x00", ""},
	{"version 2, unspecified with something", signature + "\x21\x00\x00\x03abc", ""},
	{"version 2, the balancer itself", signature + "\x20\x00\x00\x00", ""},
	{"version 2, the balancer itself with addresses", signature + "\x20\x11\x00\x0c\xcb\x00\x71\x09\xc6\x33\x64\x01\xdc\x04\x01\xbb", ""},
	{"version 2, the longest", signature + "\x21\x11\x10\x00\xcb\x00\x71\x09\xc6\x33\x64\x01\xdc\x04\x01\xbb" + strings.Repeat("\x00", restMax-12), "203.0.113.9:56324"},
}

// A header is read to its end and not a byte further, however it arrives.
func TestAHeaderIsRead(t *testing.T) {
	for _, c := range headers {
		for name, arriving := range map[string]func(io.Reader) io.Reader{
			"at once":   func(r io.Reader) io.Reader { return r },
			"dribbling": iotest.OneByteReader,
		} {
			rest := strings.NewReader(c.header + "\x16\x03\x01")
			got, err := read(arriving(rest))
			if err != nil || got.IsValid() != (c.client != "") || c.client != "" && got != netip.MustParseAddrPort(c.client) {
				t.Errorf("%s, %s: the client is %v, %v; want %q", c.name, name, got, err, c.client)
			}
			if left, _ := io.ReadAll(rest); string(left) != "\x16\x03\x01" {
				t.Errorf("%s, %s: after it comes %q, want what was sent after it", c.name, name, left)
			}
		}
	}
}

func TestWhatIsNoHeaderIsRefused(t *testing.T) {
	for name, sent := range map[string]string{
		"TLS":                        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x00",
		"HTTP":                       "GET /readyz HTTP/1.1\r\n\r\n",
		"MQTT":                       "\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00",
		"another word":               "PROXYTCP4 1.1.1.1 2.2.2.2 1 1\r\n",
		"no family":                  "PROXY  1.1.1.1 2.2.2.2 1 1\r\n",
		"a family that is not known": "PROXY UDP4 1.1.1.1 2.2.2.2 1 1\r\n",
		"no addresses":               "PROXY TCP4     \r\n",
		"too few fields":             "PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n",
		"too many fields":            "PROXY TCP4 1.1.1.1 2.2.2.2 1 1 1\r\n",
		"two spaces":                 "PROXY TCP4 1.1.1.1  2.2.2.2 1 1\r\n",
		"a name":                     "PROXY TCP4 localhost 2.2.2.2 1 1\r\n",
		"a bad destination":          "PROXY TCP4 1.1.1.1 localhost 1 1\r\n",
		"IPv6 for IPv4":              "PROXY TCP4 ::1 2.2.2.2 1 1\r\n",
		"IPv4 for IPv6":              "PROXY TCP6 1.1.1.1 ::1 1 1\r\n",
		"a zone":                     "PROXY TCP6 fe80::1%eth0 ::1 1 1\r\n",
		"a port too large":           "PROXY TCP4 1.1.1.1 2.2.2.2 65536 1\r\n",
		"a negative port":            "PROXY TCP4 1.1.1.1 2.2.2.2 1 -1\r\n",
		"no line end":                "PROXY TCP4 1.1.1.1 2.2.2.2 1 1" + strings.Repeat(" ", 100),
		"a line that is too long":    "PROXY UNKNOWN " + strings.Repeat("x", 107) + "\r\n",
		"version 3":                  signature + "\x31\x11\x00\x0c\xcb\x00\x71\x09\xc6\x33\x64\x01\xdc\x04\x01\xbb",
		"a command":                  signature + "\x22\x11\x00\x0c\xcb\x00\x71\x09\xc6\x33\x64\x01\xdc\x04\x01\xbb",
		"a family":                   signature + "\x21\x41\x00\x0c\xcb\x00\x71\x09\xc6\x33\x64\x01\xdc\x04\x01\xbb",
		"datagrams":                  signature + "\x21\x12\x00\x0c\xcb\x00\x71\x09\xc6\x33\x64\x01\xdc\x04\x01\xbb",
		"no room for IPv4":           signature + "\x21\x11\x00\x0b\xcb\x00\x71\x09\xc6\x33\x64\x01\xdc\x04\x01",
		"no room for IPv6":           signature + "\x21\x21\x00\x0c\xcb\x00\x71\x09\xc6\x33\x64\x01\xdc\x04\x01\xbb",
		"no room for a socket file":  signature + "\x21\x31\x00\x0c\xcb\x00\x71\x09\xc6\x33\x64\x01\xdc\x04\x01\xbb",
		"too much":                   signature + "\x21\x11\x10\x01" + strings.Repeat("\x00", 4097),
	} {
		if got, err := read(strings.NewReader(sent)); !errors.Is(err, errForm) {
			t.Errorf("%s: %v, %v; want an error that says it is no header", name, got, err)
		}
	}
}

// A header that ends early is not taken for one, nor for a check that sends nothing.
func TestAnUnfinishedHeaderIsRefused(t *testing.T) {
	for _, c := range headers {
		for cut := range len(c.header) {
			want := io.ErrUnexpectedEOF
			if cut == 0 {
				want = io.EOF
			}
			if got, err := read(strings.NewReader(c.header[:cut])); !errors.Is(err, want) {
				t.Fatalf("%s, %d bytes of it: %v, %v; want %v", c.name, cut, got, err, want)
			}
		}
	}
}

// FuzzHeader: nothing that is sent makes read panic, read more than a header may have, or return what is no address.
func FuzzHeader(f *testing.F) {
	for _, c := range headers {
		f.Add([]byte(c.header))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		r := bytes.NewReader(sent)
		client, err := read(r)
		taken := len(sent) - r.Len()
		switch {
		case taken > fixedSize+restMax:
			t.Errorf("%d bytes were read", taken)
		case err != nil && client.IsValid():
			t.Errorf("a client %v beside the error %v", client, err)
		case client.Addr().Is4In6() || client.Addr().Zone() != "":
			t.Errorf("the client %v has two forms", client)
		}
		if err != nil {
			return
		}
		if again, err := read(bytes.NewReader(sent[:taken])); err != nil || again != client {
			t.Errorf("what was read gives %v, %v alone, and %v with what follows", again, err, client)
		}
	})
}
