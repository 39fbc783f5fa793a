package main

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/muster-iot/muster/identity"
)

func TestTheOperatorsCertificateIsShown(t *testing.T) {
	dir := t.TempDir()
	files := func(name string) identity.PEMFiles {
		return identity.PEMFiles{Certificate: filepath.Join(dir, name+".pem"), Key: filepath.Join(dir, name+"-key.pem")}
	}
	authority, err := identity.OpenAuthority(files("ca"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := identity.OpenServer(authority, files("server"), []string{"iot.example.com"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, filepath.Join(dir, "data"), "--alpn", "127.0.0.1:0",
		"--tls-certificate", files("server").Certificate, "--tls-key", files("server").Key)
	c, err := tls.Dial("tcp", s.ready.ALPNAddr, &tls.Config{RootCAs: authority.Pool(), ServerName: "iot.example.com"})
	if err != nil {
		t.Fatalf("a client that trusts the operator's CA: %v", err)
	}
	c.Close()
	if _, err := os.Stat(filepath.Join(dir, "data", "server.pem")); err != nil {
		t.Errorf("our own certificate is gone: %v", err)
	}
}
