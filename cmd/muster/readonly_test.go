package main

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-iot/muster/internal/nats"
	"github.com/muster-iot/muster/internal/needs"
	"github.com/muster-iot/muster/internal/postgres"
)

// readOnly returns a folder with the content of dir in which this process cannot write, until the test ends.
func readOnly(t *testing.T, dir string) string {
	t.Helper()
	if os.Getuid() != 0 {
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
		return dir
	}
	mounted := t.TempDir()
	for _, args := range [][]string{{"--bind", dir, mounted}, {"-o", "remount,bind,ro", mounted}} {
		if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
			needs.Skip(t, "root", "no folder can be mounted read-only: "+string(out))
		}
		if args[0] == "--bind" {
			t.Cleanup(func() {
				if out, err := exec.Command("umount", "-l", mounted).CombinedOutput(); err != nil {
					t.Errorf("umount: %v: %s", err, out)
				}
			})
		}
	}
	return mounted
}

// Two nodes share secrets in which neither can write, and one of them has names for which there is no certificate.
func TestSecretsMayBeReadOnly(t *testing.T) {
	database := postgres.Shared(t).Database(t)
	bus := nats.Start(t, nats.Options{})
	secrets := filepath.Join(t.TempDir(), "secrets")
	wantSaid(t, 0, "made", "admin", "secrets", "init", secrets)
	before := folderSum(t, secrets)
	data := readOnly(t, secrets)
	if err := os.WriteFile(filepath.Join(data, "probe"), nil, 0o600); err == nil {
		t.Fatal("the folder can be written")
	}

	// Alone a server must write there.
	wantSaid(t, 1, "cannot be written: only a server with --bus, which is one of several, has nothing to write there",
		"serve", "--data", data, "--store", database, "--api", "127.0.0.1:0")
	wantSaid(t, 1, "cannot be written", "serve", "--data", data, "--api", "127.0.0.1:0")

	flags := []string{"--store", database, "--bus", bus.URL(), "--files", ""}
	first := startServer(t, data, append(flags, "--node", "first")...)
	second := startServer(t, data, append(flags, "--node", "second", "--mqtts", "127.0.0.1:0", "--hosts", "second.example")...)
	if err := first.CreateThing(t.Context(), "lamp"); err != nil {
		t.Fatal(err)
	}
	if err := second.Call(t.Context(), "GET", "/things/lamp", nil, nil); err != nil {
		t.Errorf("the second node does not know what the first has made: %v", err)
	}
	_, err := tls.Dial("tcp", second.ready.MQTTSAddr, &tls.Config{RootCAs: rootsIn(t, second.ready.CAFile), ServerName: "second.example", Certificates: []tls.Certificate{selfMade(t)}})
	if err != nil {
		t.Errorf("the second node has no certificate for its name: %v", err)
	}
	for _, s := range []*running{first, second} {
		if lines := s.log.With("remove the file begins-empty"); len(lines) != 1 {
			t.Errorf("the log has %d lines about the mark that cannot be removed, want one", len(lines))
		}
		if _, err := os.Stat(filepath.Join(data, "ready.json")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a ready file in the folder: %v", err)
		}
		s.stop(t)
	}
	if folderSum(t, secrets) != before {
		t.Error("something was written into the folder")
	}
}

// What a server would make is asked for, if it cannot be made.
func TestReadOnlySecretsMustBeWhole(t *testing.T) {
	flags := []string{"--store", postgres.Shared(t).Database(t), "--bus", "nats://127.0.0.1:1", "--files", "", "--api", "127.0.0.1:0"}
	for name, test := range map[string]struct {
		change func(dir string) error
		want   string
	}{
		"nothing is there":            {func(dir string) error { return os.RemoveAll(filepath.Join(dir, "keys.json")) }, "is read-only and lacks keys.json: make its secrets where it can be written, with muster admin secrets init"},
		"a server has written there":  {func(dir string) error { return os.WriteFile(filepath.Join(dir, "node"), []byte("n1\n"), 0o600) }, "is read-only and has node, of a server that wrote there"},
		"a certificate's key is lost": {func(dir string) error { return os.Remove(filepath.Join(dir, "ca-key.pem")) }, "lacks ca-key.pem"},
	} {
		t.Run(name, func(t *testing.T) {
			secrets := filepath.Join(t.TempDir(), "secrets")
			wantSaid(t, 0, "made", "admin", "secrets", "init", secrets)
			if err := test.change(secrets); err != nil {
				t.Fatal(err)
			}
			out, code := said(t, append([]string{"serve", "--data", readOnly(t, secrets)}, flags...)...)
			if code != 1 || !strings.Contains(out, test.want) {
				t.Errorf("serve ends with %d and says %q, want %q", code, out, test.want)
			}
		})
	}
}
