package hostport

import "testing"

func TestHost(t *testing.T) {
	for hostport, want := range map[string]string{
		"192.0.2.1:8883":          "192.0.2.1",
		"192.0.2.1":               "192.0.2.1",
		"jobs.example.com:443":    "jobs.example.com",
		"jobs.example.com":        "jobs.example.com",
		":8080":                   "",
		"[2001:db8::1]:8883":      "2001:db8::1",
		"[2001:db8::1]":           "2001:db8::1",
		"2001:db8::1":             "2001:db8::1",
		"[fe80::1%eth0]:8883":     "fe80::1%eth0",
		"pipe":                    "pipe",
		"[":                       "",
		"":                        "",
		"a:b:c":                   "a:b:c",
		"[::ffff:127.0.0.1]:4711": "::ffff:127.0.0.1",
	} {
		if got := Host(hostport); got != want {
			t.Errorf("Host(%q) = %q, want %q", hostport, got, want)
		}
	}
}
