package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/sigv4"
)

// s3 sends one request to the store of job files and returns a header of the
// answer.
func (s *running) s3(t *testing.T, method, path, body, header string) string {
	t.Helper()
	return s3Request(t, s.ready, s.Credential, method, path, body, header)
}

func s3Request(t *testing.T, to datafolder.Ready, c sigv4.Credential, method, path, body, header string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, to.APIURL+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(body))
	r.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(digest[:]))
	sigv4.Sign(r, []byte(body), c, to.Region, "s3", time.Now())
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s = %s %s, %v", method, path, response.Status, text, err)
	}
	return response.Header.Get(header)
}

// upload puts firmware into a bucket that keeps versions, and returns its version.
func (s *running) upload(t *testing.T) (version string) {
	t.Helper()
	s.s3(t, http.MethodPut, "/lab", "", "")
	s.s3(t, http.MethodPut, "/lab?versioning", `<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>`, "")
	return s.s3(t, http.MethodPut, "/lab/fw.bin", "firmware", "X-Amz-Version-Id")
}

// linkedJob makes a job whose URLs live for an hour.
func (s *running) linkedJob(t *testing.T, job, target, document string) {
	t.Helper()
	body := object{
		"targets": []string{target}, "document": document,
		"presignedUrlConfig": object{"roleArn": "arn:aws:iam::000000000000:role/downloads"},
	}
	if err := s.Call(t.Context(), http.MethodPut, "/jobs/"+job, body, nil); err != nil {
		t.Fatalf("create job %s: %v", job, err)
	}
}

// TestURLsOutliveTheProcess kills a server after it has handed out a URL: the
// next one hands out the same, until less than half of its life remains
// (arbitration A1).
func TestURLsOutliveTheProcess(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := startServer(t, data, "--files-url", "https://files.example.com")
	s.upload(t)
	if err := s.CreateThing(t.Context(), "lamp"); err != nil {
		t.Fatal(err)
	}
	s.linkedJob(t, "fw", "arn:aws:iot:us-east-1:000000000000:thing/lamp", `{"url":"${aws:iot:s3-presigned-url:https://s3.amazonaws.com/lab/fw.bin}"}`)
	document := func(overHTTP bool) string {
		t.Helper()
		client, err := s.device(t.Context(), "lamp", overHTTP)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		j, err := client.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return string(j.Document)
	}
	first := document(false)
	if !strings.Contains(first, "https://files.example.com/lab/fw.bin?X-Amz-Algorithm=") {
		t.Fatalf("the document is %s, want a presigned URL", first)
	}
	s.kill(t)
	time.Sleep(time.Second) // a URL made anew would differ

	s = startServer(t, data, "--files-url", "https://files.example.com", "--test-clock")
	for _, overHTTP := range []bool{true, false} {
		if again := document(overHTTP); again != first {
			t.Errorf("after kill -9 the document is\n%s\nwant\n%s", again, first)
		}
	}
	if err := s.advance(t.Context(), "31m"); err != nil {
		t.Fatal(err)
	}
	if later := document(true); later == first {
		t.Errorf("half an hour later the document is still %s", later)
	}
	s.kill(t)
}

// TestFleetVerifiesWhatItDownloads gives a simulated fleet that trusts one
// signer a signed file, one that somebody else signed, and none.
func TestFleetVerifiesWhatItDownloads(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	admin := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("muster", append([]string{"admin"}, args...)...).Output()
		if err != nil {
			t.Fatalf("muster admin %s: %v", strings.Join(args, " "), err)
		}
		return strings.TrimSpace(string(out))
	}
	if _, err := datafolder.Make(data); err != nil {
		t.Fatal(err)
	}
	admin("signing-profile", "create", data, "release")
	admin("signing-profile", "create", data, "stranger", "--key-type", "rsa")
	s := startServer(t, data, "--signing-profile", "release", "--files", "127.0.0.1:0")
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	version := s.upload(t)
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{
			"fleet", "--data", data, "--devices", "4", "--work", "1ms", "--fail", "0", "--reject", "0", "--pick", "0.5",
			"--trust", filepath.Join(data, "signing", "release.pem"), "--require-signature",
		}, io.Discard, t.Output())
	}()
	s.awaitMetric(t, "muster_mqtt_connections", "4")
	target, err := s.CreateGroup(ctx, "fleet")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "fw.bin")
	if err := os.WriteFile(file, []byte("firmware"), 0o600); err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("${aws:iot:s3-presigned-url-v2:https://lab.s3.us-east-1.amazonaws.com/fw.bin%%3FversionId%%3D%s}", version)
	placeholder := fmt.Sprintf("${aws:iot:code-sign-signature:s3://us-east-1.lab/fw.bin@%s}", version)
	for _, test := range []struct{ job, document, counter string }{
		{"placeholder", `{"presign":"` + url + `","codesign":{"signature":"` + placeholder + `","signatureAlgorithm":"SHA256withECDSA"}}`, "Succeeded"},
		{"by-hand", `{"presign":"` + url + `","codesign":` + admin("sign", data, file, "--profile", "release") + `}`, "Succeeded"},
		{"freertos", `{"afr_ota":{"protocols":["HTTP"],"files":[{"filepath":"/fw.bin","update_data_url":"` + url + `","sig-sha256-ecdsa":"` + placeholder + `"}]}}`, "Succeeded"},
		{"stranger", `{"presign":"` + url + `","codesign":` + admin("sign", data, file, "--profile", "stranger") + `}`, "Rejected"},
		{"unsigned", `{"url":"` + url + `"}`, "Rejected"},
	} {
		s.linkedJob(t, test.job, target, test.document)
		done, err := follow(ctx, s.Client, test.job, newBoard(screenOf(io.Discard), 4))
		if err != nil {
			t.Fatal(err)
		}
		if done.Count(test.counter) != 4 {
			t.Errorf("job %s ended %v, want four devices %s", test.job, done.JobProcessDetails, test.counter)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("muster fleet = %v, want nil after an interrupt", err)
	}
	s.kill(t)
}
