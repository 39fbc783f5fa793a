package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/datafolder"
)

// pendingAudit returns the audit records that the server of a folder would get, each as its operation, outcome and changes.
func pendingAudit(t *testing.T, dir string) (all []string) {
	t.Helper()
	_, err := datafolder.TakeAudit(t.Context(), datafolder.Folder(dir), func(_ context.Context, records []audit.Record) error {
		for _, r := range records {
			if r.RequestID == "" || r.At == 0 || !strings.HasPrefix(r.User, localUser) || r.Service != "muster" {
				t.Errorf("an audit record is %+v", r)
			}
			text := r.Operation + " " + string(r.Outcome)
			for _, c := range r.Changes {
				text += fmt.Sprintf(" %s=%s→%s", c.Field, c.Old, c.New)
			}
			all = append(all, text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// byCommand runs a command that must succeed, or fail if want is not empty, and returns what it prints.
func byCommand(t *testing.T, want string, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), args, &stdout, &stderr)
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Fatalf("%s: %v, want %q", strings.Join(args, " "), err, want)
	}
	return stdout.String()
}

func TestWhatIsDoneToAFolderByHandIsRecorded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	byCommand(t, "", "admin", "secrets", "init", dir)
	credentials := byCommand(t, "", "admin", "keys", "add", dir, "--user", "ann", "--admin", "--expires", "2199-12-31")
	var id, secret string
	if _, err := fmt.Sscanf(credentials, "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", &id, &secret); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(dir, "audit-pending"))
	if err != nil || bytes.Contains(content, []byte(secret)) || !bytes.Contains(content, []byte(id)) {
		t.Errorf("the records are\n%s\n%v; want the id %s and not the secret", content, err, id)
	}
	byCommand(t, "", "admin", "keys", "remove", dir, id)
	byCommand(t, "", "admin", "signing-profile", "create", dir, "firmware")
	byCommand(t, "something of a deployment already", "admin", "secrets", "init", dir)
	byCommand(t, "AKIANOSUCHKEY", "admin", "keys", "remove", dir, "AKIANOSUCHKEY")
	byCommand(t, "needs --user", "admin", "keys", "add", dir) // nothing was tried
	want := []string{
		"MakeSecrets unknown", "MakeSecrets done",
		"AddKey unknown rights=→full access expires=→2199-12-31T00:00Z", "AddKey done rights=→full access expires=→2199-12-31T00:00Z",
		"RemoveKey unknown rights=full access→", "RemoveKey done rights=full access→",
		"CreateSigningProfile unknown name=→firmware", "CreateSigningProfile done name=→firmware",
		"MakeSecrets unknown", "MakeSecrets failed",
		"RemoveKey unknown", "RemoveKey failed",
	}
	if got := pendingAudit(t, dir); !slices.Equal(got, want) {
		t.Errorf("the audit records are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestNothingIsDoneThatCannotBeRecorded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	byCommand(t, "", "admin", "secrets", "init", dir)
	if err := os.Remove(filepath.Join(dir, "audit-pending")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "audit-pending"), 0o700); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	byCommand(t, "nothing was done", "admin", "keys", "add", dir, "--user", "ann", "--admin")
	if after, err := os.ReadFile(filepath.Join(dir, "keys.json")); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the keys have changed, or %v", err)
	}
}

// Servers with a folder that is mounted read-only cannot empty the file.
func TestAReadOnlyFolderKeepsItsPendingAudit(t *testing.T) {
	dir := t.TempDir()
	if err := datafolder.AppendAudit(t.Context(), datafolder.Folder(dir), byHand{operation: "MakeSecrets"}.record(time.Now())); err != nil {
		t.Fatal(err)
	}
	mounted := readOnly(t, dir)
	for range 2 {
		if got := pendingAudit(t, mounted); len(got) != 1 {
			t.Errorf("the audit records are %q, want one each time", got)
		}
	}
}
