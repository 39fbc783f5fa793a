package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// mosquitto is the broker that Muster's gateway is compared with.
type mosquitto struct {
	*process
	plain, secure endpoint
}

// mosquittoProgram finds mosquitto, which Debian installs outside of most users'
// PATH.
func mosquittoProgram() (string, bool) {
	for _, name := range []string{"mosquitto", "/usr/sbin/mosquitto"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, true
		}
	}
	return "", false
}

const noMosquitto = "no mosquitto here: apt-get install mosquitto"

// startMosquitto starts it with listeners for TCP and for TLS with the fleet's
// certificates. It returns nil where it is not installed.
func (b *bench) startMosquitto(ctx context.Context, f *fleet) (*mosquitto, error) {
	program, ok := mosquittoProgram()
	if !ok {
		return nil, nil
	}
	plain, err := freePort()
	if err != nil {
		return nil, err
	}
	secure, err := freePort()
	if err != nil {
		return nil, err
	}
	// It would drop what is queued beyond 1,000 messages, and wait 40 ms before
	// it writes small packets, unless told otherwise.
	config := fmt.Sprintf(`per_listener_settings false
user root
allow_anonymous true
max_queued_messages 0
max_inflight_messages 100
set_tcp_nodelay true
log_type error
listener %d 127.0.0.1
listener %d 127.0.0.1
cafile %s
certfile %s
keyfile %s
require_certificate true
`, plain, secure, f.pki.ca, f.pki.certificate, f.pki.key)
	file := filepath.Join(b.dir, "mosquitto.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	p, err := start(program, "-c", file)
	if err != nil {
		return nil, err
	}
	m := &mosquitto{p, endpoint{addr: fmt.Sprintf("127.0.0.1:%d", plain)}, endpoint{addr: fmt.Sprintf("127.0.0.1:%d", secure), devices: f}}
	for deadline := time.Now().Add(startTime); ; time.Sleep(10 * time.Millisecond) {
		c, _, err := m.plain.connect(ctx, 0, "probe", true)
		if err == nil {
			return m, c.Close()
		}
		select {
		case <-p.done:
			return nil, fmt.Errorf("mosquitto ended: %w: %s", p.err, p.said.String())
		default:
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			p.kill()
			return nil, fmt.Errorf("mosquitto does not get ready: %w", err)
		}
	}
}

// freePort returns a port that is not in use now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", anyPort)
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
