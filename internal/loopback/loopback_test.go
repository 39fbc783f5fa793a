package loopback_test

import (
	"testing"

	"github.com/muster-iot/muster/internal/hostport"
	"github.com/muster-iot/muster/internal/loopback"
)

func TestNames(t *testing.T) {
	for address, want := range map[string]bool{
		"localhost":            true,
		"localhost:8080":       true,
		"127.0.0.1:8080":       true,
		"127.8.9.10":           true,
		"::1":                  true,
		"[::1]":                true,
		"[::1]:8080":           true,
		"[::ffff:127.0.0.1]:1": true,

		"":                          false,
		":8080":                     false,
		"0.0.0.0:8080":              false,
		"[::]:8080":                 false,
		"192.0.2.1":                 false,
		"localhost.example.com":     false,
		"jobs.localhost":            false,
		"127.0.0.1.example.com:443": false,
		"127.1":                     false,
		"[":                         false,
	} {
		if got := loopback.Names(hostport.Host(address)); got != want {
			t.Errorf("Names(Host(%q)) = %t, want %t", address, got, want)
		}
	}
}
