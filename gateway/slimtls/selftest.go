package slimtls

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"time"
)

// testTime bounds the self-test.
const testTime = 10 * time.Second

// test exchanges data over slimmed connections of each TLS version, with client certificates.
func (s *Slimmer) test() error {
	certificate, err := selfSigned()
	if err != nil {
		return err
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		if err := s.testVersion(version, certificate); err != nil {
			return fmt.Errorf("%s: %w", tls.VersionName(version), err)
		}
	}
	return nil
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

func (s *Slimmer) testVersion(version uint16, certificate tls.Certificate) error {
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	ours.SetDeadline(time.Now().Add(testTime))
	theirs.SetDeadline(time.Now().Add(testTime))
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequireAnyClientCert,
		InsecureSkipVerify: true, MinVersion: version, MaxVersion: version, SessionTicketsDisabled: true}
	server, client := tls.Server(ours, config), tls.Client(theirs, config)
	sizes := []int{1, 100, 20_000, 3}
	talked := make(chan error, 1)
	go func() {
		for _, n := range sizes {
			sent, got := bytes.Repeat([]byte{byte(n)}, n), make([]byte, n)
			if _, err := client.Write(sent); err != nil {
				talked <- err
				return
			}
			if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(sent, got) {
				talked <- errors.Join(errors.New("the echo differs"), err)
				return
			}
		}
		talked <- nil
	}()
	if err := server.Handshake(); err != nil {
		return err
	}
	if len(server.ConnectionState().PeerCertificates) != 1 {
		return errors.New("no client certificate seen")
	}
	s.Settle(server)
	if len(server.ConnectionState().PeerCertificates) != 0 {
		return errors.New("the client certificate is still there")
	}
	for _, n := range sizes {
		if !s.Lend(server, make([]byte, 0, 4096)) {
			return errors.New("an idle connection does not take a buffer")
		}
		echo := make([]byte, n)
		if _, err := io.ReadFull(server, echo[:1]); err != nil {
			return err
		}
		if n > 1 && cap(s.Idle(server)) > 0 {
			return errors.New("a buffer comes back with something in it")
		}
		if n > 1 && s.Lend(server, make([]byte, 0, 4096)) {
			return errors.New("a connection takes a buffer although it has one")
		}
		if _, err := io.ReadFull(server, echo[1:]); err != nil {
			return err
		}
		lent := s.Idle(server)
		if cap(lent) == 0 {
			return errors.New("the buffer for records does not come back")
		}
		for i := range cap(lent) { // nothing must refer to it
			lent[:cap(lent)][i] = 0xff
		}
		if _, err := server.Write(echo); err != nil {
			return err
		}
	}
	return <-talked
}
