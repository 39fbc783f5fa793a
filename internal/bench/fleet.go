package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/identity/ca"
	"github.com/muster-iot/muster/rights"
)

// fleet is the registered devices of a data folder. Each has a thing, a
// certificate and the policy that a device needs. They share one key, which makes
// no difference to a server and lets them be made in seconds.
type fleet struct {
	folder       string // the data folder
	key          *ecdsa.PrivateKey
	certificates [][]byte // DER
	pki          pki
}

// pki is files in PEM for a server that is not Muster.
type pki struct{ ca, certificate, key string }

// deviceGroup holds the fleet's things.
const deviceGroup = "device"

func deviceName(i int) string { return thingName(deviceGroup, i) }

// policy is the device policy of identity-and-auth.md section B.6.
const policy = `{"Version":"2012-10-17","Statement":[
 {"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:us-east-1:000000000000:client/${iot:Connection.Thing.ThingName}"},
 {"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:us-east-1:000000000000:topic/$aws/things/${iot:Connection.Thing.ThingName}/jobs/*"},
 {"Effect":"Allow","Action":"iot:Subscribe","Resource":"arn:aws:iot:us-east-1:000000000000:topicfilter/$aws/things/${iot:Connection.Thing.ThingName}/jobs/*"},
 {"Effect":"Allow","Action":"iot:Receive","Resource":"arn:aws:iot:us-east-1:000000000000:topic/$aws/things/${iot:Connection.Thing.ThingName}/jobs/*"},
 {"Effect":"Allow","Action":["iotjobsdata:*"],"Resource":"arn:aws:iot:us-east-1:000000000000:thing/*"}]}`

// fleet makes the devices of this run, once.
func (b *bench) fleet(ctx context.Context) (*fleet, error) {
	if b.devices != nil {
		return b.devices, nil
	}
	n := max(b.idleClients, b.returning, b.requesters[len(b.requesters)-1])
	b.progress("%d devices with certificates", n)
	f, err := newFleet(filepath.Join(b.dir, "fleet"), n)
	if err != nil {
		return nil, err
	}
	w, err := b.open(f.folder)
	if err != nil {
		return nil, err
	}
	if err := w.register(ctx, f); err != nil {
		w.close()
		return nil, err
	}
	b.devices = f
	return f, w.close()
}

// serveFleet runs the binary under test on the devices of this run.
func (b *bench) serveFleet(ctx context.Context) (*fleet, *server, error) {
	f, err := b.fleet(ctx)
	if err != nil {
		return nil, nil, err
	}
	s, err := b.serve(ctx, f.folder)
	return f, s, err
}

// newFleet makes certificates.
func newFleet(folder string, n int) (*fleet, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	authority, err := ca.New(time.Now())
	if err != nil {
		return nil, err
	}
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	f := &fleet{folder: folder, certificates: make([][]byte, n)}
	if f.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	issuer := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
	}
	issuerDER, err := x509.CreateCertificate(rand.Reader, issuer, issuer, &authorityKey.PublicKey, authorityKey)
	if err != nil {
		return nil, err
	}
	err = inParallel(2, n, func(_, i int) (err error) {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i + 2)), Subject: pkix.Name{CommonName: deviceName(i)},
			KeyUsage: x509.KeyUsageDigitalSignature, NotBefore: issuer.NotBefore, NotAfter: issuer.NotAfter,
		}
		f.certificates[i], err = x509.CreateCertificate(rand.Reader, template, issuer, &f.key.PublicKey, authorityKey)
		return err
	})
	if err != nil {
		return nil, err
	}
	return f, f.writePKI(authority, issuerDER)
}

// writePKI writes what a server that is not Muster needs to authenticate this
// fleet.
func (f *fleet) writePKI(authority *ca.Authority, issuer []byte) error {
	certificate, key, err := authority.NewServer([]string{"127.0.0.1"}, 24*time.Hour, time.Now())
	if err != nil {
		return err
	}
	folder := f.folder + ".pki" // not in the data folder, whose keys only their owner may read
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	f.pki = pki{filepath.Join(folder, "ca.pem"), filepath.Join(folder, "server.pem"), filepath.Join(folder, "key.pem")}
	for file, text := range map[string][]byte{
		f.pki.ca:          pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issuer}),
		f.pki.certificate: []byte(certificate.PEM),
		f.pki.key:         []byte(key),
	} {
		if err := os.WriteFile(file, text, 0o644); err != nil { // mosquitto drops its privileges before it reads them
			return err
		}
	}
	return nil
}

// register registers a fleet.
func (w *world) register(ctx context.Context, f *fleet) error {
	if err := w.addGroup(ctx, deviceGroup, len(f.certificates)); err != nil {
		return err
	}
	if _, err := w.service.Rights.CreatePolicy(ctx, "device", policy, nil); err != nil {
		return err
	}
	return inParallel(registering, len(f.certificates), func(_, i int) error {
		c := muster.Certificate{
			ID: ca.ID(f.certificates[i]), PEM: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.certificates[i]})),
			Status: muster.CertificateActive, NotBefore: muster.At(time.Now().Add(-time.Hour)), NotAfter: muster.At(time.Now().AddDate(1, 0, 0)),
		}
		if _, err := w.service.Rights.AddCertificate(ctx, c); err != nil {
			return fmt.Errorf("certificate %d: %w", i, err)
		}
		if err := w.service.Rights.AttachPolicy(ctx, "device", rights.PolicyTarget{Certificate: c.ID}); err != nil {
			return err
		}
		return w.service.Rights.AttachPrincipal(ctx, muster.ThingName(deviceName(i)), c.ID, muster.Attachment{})
	})
}

// tlsConfig is the TLS configuration of device i. It does not verify the server's
// certificate, since the client's work is not measured. It offers the curves that
// device stacks have today.
func (f *fleet) tlsConfig(i int) *tls.Config {
	return &tls.Config{
		Certificates:       []tls.Certificate{{Certificate: [][]byte{f.certificates[i]}, PrivateKey: f.key}},
		InsecureSkipVerify: true,
		CurvePreferences:   []tls.CurveID{tls.X25519, tls.CurveP256},
	}
}
