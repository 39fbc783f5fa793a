package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/files"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/sigv4"
)

// Requests that are signed for S3 are of job files, whatever path they have, and
// all others are not.
func TestNoPathOfJobFilesCollides(t *testing.T) {
	s := startServer(t, filepath.Join(t.TempDir(), "data"))
	for _, bucket := range []string{"things", "jobs", "healthz", "readyz", "metrics", "muster", "mqtt", "console"} {
		if _, err := s.file(t.Context(), "PUT", "/"+bucket, nil); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"/lamp", "/v1/backup", "/v1/clock"} {
			if _, err := s.file(t.Context(), "PUT", "/"+bucket+key, []byte("file")); err != nil {
				t.Error(err)
			}
			if got, err := s.file(t.Context(), "GET", "/"+bucket+key, nil); string(got) != "file" {
				t.Errorf("GET /%s%s for S3 = %q, %v", bucket, key, got, err)
			}
		}
	}
	if err := s.CreateThing(t.Context(), "lamp"); err != nil {
		t.Error(err)
	}
	var thing struct{ ThingName string }
	if err := s.Call(t.Context(), "GET", "/things/lamp", nil, &thing); err != nil || thing.ThingName != "lamp" {
		t.Errorf("GET /things/lamp for the registry = %+v, %v", thing, err)
	}
	if got := fetch(t, http.DefaultClient, s.ready.APIURL+"/healthz"); got != "ok\n" {
		t.Errorf("GET /healthz of nobody = %q", got)
	}
	s.kill(t)
}

// fetch returns the body of a GET that succeeds, or the status of one that does not.
func fetch(t *testing.T, client *http.Client, from string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, from, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		return response.Status
	}
	return string(body)
}

// presign signs a URL as the server does for its devices.
func (s *running) presign(t *testing.T, base, key string, at time.Time) string {
	t.Helper()
	own, err := identity.ReadProfile(filepath.Join(filepath.Dir(s.ready.CredentialsFile), "files-key"))
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	e := files.Endpoint{URL: u, Region: s.ready.Region, Credential: func() sigv4.Credential { return own }}
	return e.PresignGet(files.Object{Bucket: "lab", Key: key}, time.Minute, at)
}

// A device that knows the CA and has a URL needs nothing else. With a test clock
// the URL ends when the clock says so.
func TestDevicesDownload(t *testing.T) {
	s := startServer(t, filepath.Join(t.TempDir(), "data"), "--files", "127.0.0.1:0", "--https", "127.0.0.1:0", "--test-clock")
	if _, err := s.file(t.Context(), "PUT", "/lab", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.file(t.Context(), "PUT", "/lab/fw.bin", []byte("firmware")); err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(s.ready.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	device := &http.Client{Transport: transport}
	if !strings.HasPrefix(s.ready.FilesURL, "https://localhost:") {
		t.Errorf("the ready file has files_url %q", s.ready.FilesURL)
	}
	made := time.Now()
	signed := s.presign(t, s.ready.FilesURL, "fw.bin", made)
	if got := fetch(t, device, signed); got != "firmware" {
		t.Errorf("GET %s = %s", signed, got)
	}
	if got := fetch(t, device, s.presign(t, s.ready.APIURL, "fw.bin", made)); got != "firmware" {
		t.Errorf("GET from the API listener = %s", got)
	}
	if _, err := s.file(t.Context(), "GET", "/lab/fw.bin", nil); err != nil {
		t.Error(err)
	}
	if err := s.Call(t.Context(), http.MethodPost, "/muster/v1/clock", object{"advance": "1h"}, nil); err != nil {
		t.Fatal(err)
	}
	if got := fetch(t, device, signed); got != "403 Forbidden" {
		t.Errorf("GET an hour later by the test clock = %s", got)
	}
	s.kill(t)
}

// A backup holds the job files, and its server has them.
func TestBackupOfJobFiles(t *testing.T) {
	dir := t.TempDir()
	s := startServer(t, filepath.Join(dir, "data"))
	for _, step := range []struct{ target, body string }{{"/lab", ""}, {"/lab/kept", "text"}} {
		if _, err := s.file(t.Context(), "PUT", step.target, []byte(step.body)); err != nil {
			t.Fatal(err)
		}
	}
	to := filepath.Join(dir, "copy")
	if out, err := exec.Command("muster", "admin", "backup", filepath.Join(dir, "data"), to).CombinedOutput(); err != nil {
		t.Fatalf("muster admin backup: %v\n%s", err, out)
	}
	if _, err := s.file(context.Background(), "DELETE", "/lab/kept", nil); err != nil {
		t.Fatal(err)
	}
	s.kill(t)
	restored := startServer(t, to)
	if got, err := restored.file(t.Context(), "GET", "/lab/kept", nil); string(got) != "text" {
		t.Errorf("the file in the backup is %q, %v", got, err)
	}
	restored.kill(t)

	contents, err := filepath.Glob(filepath.Join(to, "files", "*", "*"))
	if err != nil || len(contents) != 1 {
		t.Fatalf("the backup has the contents %v, %v", contents, err)
	}
	if err := os.Truncate(contents[0], 1); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("muster", "admin", "verify", to).CombinedOutput()
	if err == nil || !strings.Contains(string(out), `job file ["lab" "kept"]: its content `) || !strings.Contains(string(out), "has 1 bytes instead of 4") {
		t.Errorf("muster admin verify of a damaged file: %v\n%s", err, out)
	}
}
