package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/store"
)

// rsaOnly is what a client offers that knows no ECDSA. It verifies with the roots that
// are in a file.
func rsaOnly(t *testing.T, roots string) *tls.Config {
	t.Helper()
	return &tls.Config{RootCAs: rootsIn(t, roots), MaxVersion: tls.VersionTLS12, ServerName: "localhost",
		CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}
}

func rootsIn(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatalf("%s holds no certificate", file)
	}
	return pool
}

// shownTo returns the certificate that a client is shown and verifies.
func shownTo(addr string, c *tls.Config) (*x509.Certificate, error) {
	conn, err := tls.Dial("tcp", addr, c)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0], nil
}

// A client that knows RSA only is served by the server that is running since before
// there was a certificate for it, and by each later one.
func TestAClientThatKnowsRSAOnlyIsServed(t *testing.T) {
	data := datafolder.Folder(filepath.Join(t.TempDir(), "data"))
	var first *x509.Certificate
	for start, flags := range [][]string{nil, nil, {"--hosts", "localhost,muster.example"}} {
		s := startServer(t, string(data), append(flags, "--alpn", "127.0.0.1:0", "--files", "127.0.0.1:0")...)
		for end := time.Now().Add(startTimeout); ; time.Sleep(5 * time.Millisecond) {
			_, err := shownTo(s.ready.ALPNAddr, rsaOnly(t, data.CA().Certificate))
			if err == nil {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("start %d: a client that knows RSA only: %v", start, err)
			}
		}
		for _, addr := range []string{s.ready.ALPNAddr, strings.TrimPrefix(s.ready.FilesURL, "https://")} {
			for _, roots := range []string{data.CA().Certificate, data.RSACA().Certificate} {
				got, err := shownTo(addr, rsaOnly(t, roots))
				if err != nil {
					t.Errorf("start %d: with the roots in %s: %v", start, roots, err)
				} else if same := first != nil && got.Equal(first); same != (start == 1) { // the third start needs one with another host
					t.Errorf("start %d: the certificate of the start before is shown: %v", start, same)
				}
			}
		}
		got, err := shownTo(s.ready.ALPNAddr, rsaOnly(t, data.CA().Certificate))
		if err != nil {
			t.Fatal(err)
		}
		first = got
		modern, err := shownTo(s.ready.ALPNAddr, &tls.Config{RootCAs: rootsIn(t, data.CA().Certificate), ServerName: "localhost"})
		if err != nil || modern.PublicKeyAlgorithm != x509.ECDSA {
			t.Errorf("start %d: a client that knows both is shown %v, %v; want ECDSA, which costs less", start, modern, err)
		}
		s.stop(t)
		if err := inProcess(t.Context(), "admin", "verify", string(data)); err != nil {
			t.Error(err)
		}
	}
}

// firstPEM returns the first block of a text.
func firstPEM(text []byte) []byte {
	block, _ := pem.Decode(text)
	return pem.EncodeToMemory(block)
}

// A server that is killed while it makes the certificates leaves some of the files,
// which are written in a fixed order. The next start makes the others.
func TestTheNextStartCompletesAFirstStartThatWasKilled(t *testing.T) {
	base := t.TempDir()
	data := datafolder.Folder(filepath.Join(base, "whole"))
	s := startServer(t, string(data))
	if err := awaitFile(data.RSAServer().Certificate); err != nil {
		t.Fatal(err)
	}
	s.stop(t)
	written := []string{"ca-key.pem", "ca.pem", "server-key.pem", "server.pem", "ca-rsa-key.pem", "ca-rsa.pem", "server-rsa-key.pem", "server-rsa.pem"}
	for n := range written {
		name := "only " + strings.Join(written[:n], ", ")
		dir := datafolder.Folder(filepath.Join(base, "broken"))
		if n > 3 { // until then the server was not announced, and nothing was in the store
			copyFolder(t, data, string(dir))
			forgetRSA(t, dir)
		} else if err := os.Mkdir(string(dir), 0o700); err != nil {
			t.Fatal(err)
		}
		for i, file := range written {
			content, err := os.ReadFile(filepath.Join(string(data), file))
			if file == "ca.pem" && n <= slices.Index(written, "ca-rsa.pem") {
				content = firstPEM(content)
			}
			switch {
			case err != nil:
			case i < n:
				err = os.WriteFile(filepath.Join(string(dir), file), content, 0o600)
			default:
				if err = os.Remove(filepath.Join(string(dir), file)); errors.Is(err, fs.ErrNotExist) {
					err = nil
				}
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		s := startServer(t, string(dir), "--alpn", "127.0.0.1:0")
		if err := awaitFile(dir.RSAServer().Certificate); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		s.stop(t)
		if err := inProcess(t.Context(), "admin", "verify", string(dir)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for file, kept := range map[string]bool{"ca.pem": n > 1, "server.pem": n > 3, "ca-rsa.pem": n > 5} {
			before, err := os.ReadFile(filepath.Join(string(data), file))
			now, err2 := os.ReadFile(filepath.Join(string(dir), file))
			if err != nil || err2 != nil || (meaning(before) == meaning(now)) != kept {
				t.Errorf("%s: %s is what it was: %v, want %v (%v, %v)", name, file, !kept, kept, err, err2)
			}
		}
		s = startServer(t, string(dir), "--alpn", "127.0.0.1:0")
		if _, err := shownTo(s.ready.ALPNAddr, rsaOnly(t, dir.CA().Certificate)); err != nil {
			t.Errorf("%s: a client that knows RSA only: %v", name, err)
		}
		s.kill(t)
		if err := os.RemoveAll(string(dir)); err != nil {
			t.Fatal(err)
		}
	}
}

// forgetRSA turns what the store knows of the folder into what it knew before the
// certificates with RSA keys were made.
func forgetRSA(t *testing.T, f datafolder.Folder) {
	t.Helper()
	changeParts(t, f, func(p *datafolder.Parts) { p.RSA = nil })
}

func changeParts(t *testing.T, f datafolder.Folder, change func(*datafolder.Parts)) {
	t.Helper()
	s, err := f.OpenStore(t.Context(), datafolder.StoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	parts := store.Of[datafolder.Parts]{Table: "folder"}
	err = store.Update(t.Context(), s, func(tx store.Tx) error {
		p, err := parts.Get(tx, "parts")
		if err == nil {
			change(p)
			parts.Put(tx, "parts", *p)
		}
		return err
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
}

// Releases that do not know of the certificates with RSA keys refuse a folder when a file
// that they know by name is missing. So they must not be told of these.
func TestAFormerReleaseIsToldOfItsOwnFilesOnly(t *testing.T) {
	data := datafolder.Folder(filepath.Join(t.TempDir(), "data"))
	s := startServer(t, string(data))
	if err := awaitFile(data.RSAServer().Certificate); err != nil {
		t.Fatal(err)
	}
	s.stop(t)
	var known datafolder.Parts
	changeParts(t, data, func(p *datafolder.Parts) { known = *p })
	if got := slices.Sorted(maps.Keys(known.Files)); !slices.Equal(got, []string{"ca-key.pem", "ca.pem", "files-key", "keys.json"}) {
		t.Errorf("the files that releases before this one look for are %v", got)
	}
	if got := slices.Sorted(maps.Keys(known.RSA)); !slices.Equal(got, []string{"ca-rsa-key.pem", "ca-rsa.pem"}) || known.RSA["ca-rsa.pem"] == "" {
		t.Errorf("of the RSA authority the store knows %v", known.RSA)
	}
	if _, err := identity.OpenAuthority(data.CA(), time.Now()); err != nil { // which reads the first certificate, as they do
		t.Error(err)
	}
}

// An RSA authority that was lost is not replaced without a word: devices trust it.
func TestALostRSAAuthorityIsNoticed(t *testing.T) {
	base := t.TempDir()
	data := datafolder.Folder(filepath.Join(base, "data"))
	s := startServer(t, string(data))
	if err := awaitFile(data.RSAServer().Certificate); err != nil {
		t.Fatal(err)
	}
	s.stop(t)
	for _, lost := range []string{"ca-rsa.pem", "ca-rsa-key.pem", ""} {
		dir := filepath.Join(base, "copy")
		copyFolder(t, data, dir)
		for _, name := range []string{"ca-rsa.pem", "ca-rsa-key.pem"} {
			if lost == name || lost == "" {
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
		for what, err := range map[string]error{"verify": inProcess(t.Context(), "admin", "verify", dir), "serve": start(t, datafolder.Folder(dir))} {
			if err == nil || !strings.Contains(err.Error(), "ca-rsa") || !strings.Contains(err.Error(), "missing") {
				t.Errorf("without %q %s says %v, want what is missing", lost, what, err)
			}
		}
		c := defaultConfig()
		c.Data, c.API, c.Metrics, c.MQTTS, c.HTTPS, c.Files.Address, c.AcceptLoss = dir, "127.0.0.1:0", "", "", "", "", true
		if err := startWith(t, c); (err == nil) != (lost != "ca-rsa-key.pem") { // a certificate without its key stays refused
			t.Errorf("without %q serve --accept-loss says %v", lost, err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
}

// Damage to the second root in ca.pem is mended, since it lies in a file of its own.
func TestTheSecondRootIsMended(t *testing.T) {
	data := datafolder.Folder(filepath.Join(t.TempDir(), "data"))
	s := startServer(t, string(data))
	if err := awaitFile(data.RSAServer().Certificate); err != nil {
		t.Fatal(err)
	}
	s.stop(t)
	whole, err := os.ReadFile(data.CA().Certificate)
	if err != nil {
		t.Fatal(err)
	}
	for what, content := range map[string][]byte{"cut": whole[:len(whole)-60], "the first alone": firstPEM(whole)} {
		if err := os.WriteFile(data.CA().Certificate, content, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := start(t, data); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if now, err := os.ReadFile(data.CA().Certificate); err != nil || !bytes.Equal(now, whole) {
			t.Errorf("%s: ca.pem is\n%s, %v; want\n%s", what, now, err, whole)
		}
	}
}

// With AWS_CA_BUNDLE, as muster env prints it, the API is reached over TLS.
func TestTheEnvironmentTrustsTheServer(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := startServer(t, data, "--alpn", "127.0.0.1:0")
	var said bytes.Buffer
	if err := run(t.Context(), []string{"env", data}, &said, t.Output()); err != nil {
		t.Fatal(err)
	}
	if want := "export AWS_CA_BUNDLE=" + s.ready.CAFile; !strings.Contains(said.String(), want) {
		t.Errorf("muster env says\n%s, want %s", &said, want)
	}
	t.Setenv("AWS_ENDPOINT_URL", "https://"+s.ready.ALPNAddr)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", s.ready.CredentialsFile)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	for bundle, want := range map[string]string{s.ready.CAFile: "", "": "certificate signed by unknown authority", s.ready.CredentialsFile: "holds no certificate", data + "/none": "no such file"} {
		t.Setenv("AWS_CA_BUNDLE", bundle)
		c, err := (whichServer{}).client(t.Context())
		if err == nil {
			err = c.CreateThing(t.Context(), "lamp")
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("with AWS_CA_BUNDLE=%q: %v, want %q", bundle, err, want)
		}
	}
	t.Setenv("AWS_ENDPOINT_URL", s.ready.APIURL)
	t.Setenv("AWS_CA_BUNDLE", data+"/none")
	c, err := (whichServer{}).client(t.Context())
	if err == nil {
		err = c.CreateThing(t.Context(), "pump")
	}
	if err != nil {
		t.Errorf("without TLS, with an AWS_CA_BUNDLE that is not there: %v", err)
	}
}

// What needs no bundle, or another one, names none.
func TestNoBundleIsNamedThatDoesNotFit(t *testing.T) {
	dir := t.TempDir()
	pair := func(name string) identity.PEMFiles {
		return identity.PEMFiles{Certificate: filepath.Join(dir, name+".pem"), Key: filepath.Join(dir, name+"-key.pem")}
	}
	authority, err := identity.OpenAuthority(pair("ca"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := identity.OpenServer(authority, pair("server"), []string{"localhost"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, flags := range [][]string{nil, {"--alpn", "127.0.0.1:0", "--tls-certificate", pair("server").Certificate, "--tls-key", pair("server").Key}} {
		s := startServer(t, filepath.Join(dir, "data"), flags...)
		if text := exports(s.ready); strings.Contains(text, "AWS_CA_BUNDLE") {
			t.Errorf("with %v muster env says\n%s", flags, text)
		}
		s.stop(t)
	}
}
