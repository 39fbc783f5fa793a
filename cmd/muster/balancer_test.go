package main

import (
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/internal/apiclient"
	"github.com/muster-iot/muster/internal/needs"
	"github.com/muster-iot/muster/internal/network"
)

// TestBehindABalancer has a device and an operator come through a balancer that names them, with policies that want to see where
// they are. Others cannot say of themselves that they are there.
func TestBehindABalancer(t *testing.T) {
	if _, err := exec.LookPath("mosquitto_pub"); err != nil {
		needs.Skip(t, "mosquitto", err.Error())
	}
	balancer := netip.MustParseAddr("127.0.0.2")
	if l, err := net.Listen("tcp", "127.0.0.2:0"); err != nil {
		t.Skip("this machine has no second loopback address:", err)
	} else {
		l.Close()
	}
	data := filepath.Join(t.TempDir(), "data")
	s := startServer(t, data, "--proxy-protocol", balancer.String()+",192.0.2.0/24", "--mqtts", "127.0.0.1:0", "--log-level", "info")
	for _, version := range []network.Header{network.Version1, network.Version2} {
		o := network.BalancerOptions{Header: version, From: balancer, As: func(net.Addr) netip.AddrPort { return netip.MustParseAddrPort("203.0.113.9:56324") }}
		devices, err := network.NewBalancer(o, s.ready.MQTTSAddr)
		if err != nil {
			t.Fatal(err)
		}
		defer devices.Close()
		operators, err := network.NewBalancer(o, strings.TrimPrefix(s.ready.APIURL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer operators.Close()

		ann := addKey(t, data, `[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}}]`)
		through := &apiclient.Client{URL: "http://" + operators.Address(), Region: s.ready.Region, Credential: ann, HTTP: &http.Client{Transport: &http.Transport{}}}
		direct := &apiclient.Client{URL: s.ready.APIURL, Region: s.ready.Region, Credential: ann, HTTP: through.HTTP}
		eventually(t, "the server knows the key", func() bool { return through.Call(t.Context(), "GET", "/things", nil, nil) == nil })
		if err := direct.Call(t.Context(), "GET", "/things", nil, nil); err == nil || !strings.Contains(err.Error(), "not authorized") {
			t.Errorf("from here the operator gets %v, want to be told that she may not", err)
		}

		var made struct {
			CertificateArn, CertificatePem string
			KeyPair                        struct{ PrivateKey string }
		}
		policy := "there" + operators.Address()[len("127.0.0.1:"):]
		for _, call := range []struct {
			method, path string
			body, answer any
		}{
			{"POST", "/keys-and-certificate?setAsActive=true", nil, &made},
			{"POST", "/policies/" + policy, object{"policyDocument": `{"Version":"2012-10-17","Statement":[
				{"Effect":"Allow","Action":"iot:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"203.0.113.9/32"}}}]}`}, nil},
			{"PUT", "/target-policies/" + policy, object{"target": &made.CertificateArn}, nil},
		} {
			if err := s.Call(t.Context(), call.method, call.path, call.body, call.answer); err != nil {
				t.Fatal(err)
			}
		}
		certificate, key := filepath.Join(t.TempDir(), "lamp.pem"), filepath.Join(t.TempDir(), "lamp-key.pem")
		for file, text := range map[string]string{certificate: made.CertificatePem, key: made.KeyPair.PrivateKey} {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		publish := func(address string) (string, error) {
			host, port, _ := net.SplitHostPort(address)
			out, err := exec.CommandContext(t.Context(), "mosquitto_pub", "-h", host, "-p", port, "--cafile", s.ready.CAFile, "--cert", certificate, "--key", key,
				"-i", "lamp", "-q", "1", "-t", "hall/lamp", "-m", "on").CombinedOutput()
			return string(out), err
		}
		before := len(s.log.With("peer=203.0.113.9:56324"))
		if out, err := publish(devices.Address()); err != nil {
			t.Errorf("the device cannot publish through the balancer: %v %s", err, out)
		}
		eventually(t, "the log has a line with the device's address", func() bool { return len(s.log.With("peer=203.0.113.9:56324")) > before })
		if out, err := publish(s.ready.MQTTSAddr); err == nil {
			t.Errorf("the device may publish from here: %s", out)
		}
	}
	if lines := s.log.With("remote=203.0.113.9:56324"); len(lines) == 0 {
		t.Error("no line of a request has the operator's address")
	}

	// A connection of a balancer that does not begin with a header is closed, and the log says why.
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: balancer.AsSlice()}}).Dial("tcp", strings.TrimPrefix(s.ready.APIURL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = c.Write([]byte("GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n"))
	_ = c.SetReadDeadline(time.Now().Add(startTimeout))
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error("a request without a header is answered")
	}
	eventually(t, "the log says why", func() bool { return len(s.log.With("must begin with a PROXY header")) == 1 })
	s.stop(t)
}
