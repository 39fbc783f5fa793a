package identity_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/sigv4"
)

const account = "123456789012"

func open(t *testing.T, path string) *identity.Keys {
	t.Helper()
	keys, err := identity.OpenKeys(identity.KeysOptions{Path: path, Account: account, Now: time.Now, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatalf("OpenKeys() = %v", err)
	}
	return keys
}

// file writes text to a new file with that mode and returns its path.
func file(t *testing.T, mode os.FileMode, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFirstStartMakesOneKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	list := open(t, path).List()
	if len(list) != 1 {
		t.Fatalf("List() has %d keys, want 1", len(list))
	}
	key := list[0]
	if !regexp.MustCompile(`^AKIA[A-Z2-7]{16}$`).MatchString(key.AccessKeyID) {
		t.Errorf("access key id = %q, want AKIA and 16 base32 characters", key.AccessKeyID)
	}
	if !regexp.MustCompile(`^[A-Za-z0-9+/]{40}$`).MatchString(string(key.Secret)) {
		t.Errorf("secret has %d characters, want 40 of base64", len(key.Secret))
	}
	if want := "arn:aws:iam::123456789012:user/admin"; key.Principal != want || !key.FullAccess {
		t.Errorf("principal = %s, full access = %t; want %s, true", key.Principal, key.FullAccess, want)
	}
	wantMode(t, path)
	if again := open(t, path).List(); len(again) != 1 || again[0].AccessKeyID != key.AccessKeyID || again[0].Secret != key.Secret {
		t.Errorf("the second start has other keys than the first")
	}
	if other := open(t, filepath.Join(t.TempDir(), "credentials")).List(); other[0].AccessKeyID == key.AccessKeyID || other[0].Secret == key.Secret {
		t.Errorf("two deployments have the same key")
	}
}

func wantMode(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("%s has mode %04o, want 0600", filepath.Base(path), got)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v (%v), want one file only", entries, err)
	}
}

func TestOpenKeysRefuses(t *testing.T) {
	const key = `{"accessKeyId":"AKIDEXAMPLE","secretAccessKey":"hunter2","principal":"arn:aws:iam::123456789012:user/ann"`
	for name, test := range map[string]struct {
		mode       os.FileMode
		text, want string
	}{
		"a file the group can read":  {0o640, `{"version":1}`, "open to others (mode 0640): run chmod 600"},
		"a file everybody can read":  {0o604, `{"version":1}`, "open to others (mode 0604)"},
		"a file that is no JSON":     {0o600, `AKIA`, "not valid JSON at line 1, column 1: unexpected 'A'"},
		"a comma that is missing":    {0o600, "{\"version\":1,\n \"keys\":[{\"secretAccessKey\":\"hunter2\" \"accessKeyId\":\"AKID\"}]}", "at line 2, column 39: unexpected '\"', expected ',' or '}'"},
		"an empty file":              {0o600, ``, "not valid JSON at line 1, column 1: unexpected end of the text"},
		"another version":            {0o600, `{"version":2}`, "version 2 is not known"},
		"an unknown field":           {0o600, `{"version":1,"users":[]}`, `unknown field "users"`},
		"a key without an id":        {0o600, `{"version":1,"keys":[{}]}`, `access key id ""`},
		"a key without a secret":     {0o600, `{"version":1,"keys":[{"accessKeyId":"AKID"}]}`, "AKID has no secret"},
		"a principal that is no ARN": {0o600, `{"version":1,"keys":[{"accessKeyId":"AKID","secretAccessKey":"hunter2","principal":"ann"}]}`, `principal "ann" must look like`},
		"two keys with one id":       {0o600, `{"version":1,"keys":[` + key + `},` + key + `}]}`, "AKIDEXAMPLE exists already"},
		"another word for access":    {0o600, `{"version":1,"keys":[` + key + `,"policies":"all"}]}`, `policies must be "full-access" or a list`},
		"policies that are a number": {0o600, `{"version":1,"keys":[` + key + `,"policies":1}]}`, `policies must be "full-access" or a list`},
		"a malformed policy":         {0o600, `{"version":1,"keys":[` + key + `,"policies":[{"Statement":[]}]}]}`, "policy 0: Statement: is missing or empty"},
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t, test.mode, test.text)
			if err := os.Chmod(path, test.mode); err != nil { // whatever the umask
				t.Fatal(err)
			}
			_, err := identity.OpenKeys(identity.KeysOptions{Path: path, Account: account, Now: time.Now})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("OpenKeys(%s) = %v, want an error with %q", test.text, err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("OpenKeys() = %v, which shows the secret", err)
			}
		})
	}
	if _, err := identity.OpenKeys(identity.KeysOptions{Path: t.TempDir(), Account: account, Now: time.Now}); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("OpenKeys(a folder) = %v, want not a regular file", err)
	}
	if _, err := identity.OpenKeys(identity.KeysOptions{Path: filepath.Join(t.TempDir(), "k"), Account: "me", Now: time.Now}); err == nil {
		t.Errorf("OpenKeys() made a key for the account %q", "me")
	}
}

func TestAddAndRemove(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	keys := open(t, path)
	serving := open(t, path) // another process with the same file
	ann := identity.NewKey(account, "ann")
	ann.SessionToken = "tok"
	ann.Policies = []string{`{"Statement":{"Effect":"Allow","Action":"iot:ListJobs","Resource":"*"}}`}
	if err := keys.Add(ann); err != nil {
		t.Fatalf("Add() = %v", err)
	}
	wantMode(t, path)
	for name, k := range map[string]*identity.Keys{"the process that added it": keys, "another process": serving, "the next start": open(t, path)} {
		got, err := k.Lookup(ann.AccessKeyID)
		if err != nil || got != ann.Credential {
			t.Errorf("in %s Lookup() = %v, %v; want the credential just added", name, got, err)
		}
		caller, err := k.Caller(ann.AccessKeyID)
		if err != nil || caller.ARN != ann.Principal {
			t.Errorf("in %s Caller() = %v, %v; want %s", name, caller.ARN, err, ann.Principal)
		}
		if err := caller.Authorize("iot:ListJobs", nil, nil); err != nil {
			t.Errorf("in %s Authorize(iot:ListJobs) = %v, want no error", name, err)
		}
		if ids := len(k.List()); ids != 2 {
			t.Errorf("in %s List() has %d keys, want 2", name, ids)
		}
	}
	if err := keys.Add(ann); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("Add() of the same id again = %v, want exists already", err)
	}
	bad := identity.NewKey(account, "bad")
	bad.Policies = []string{"{"}
	if err := keys.Add(bad); err == nil {
		t.Error("Add() took a key with a malformed policy")
	}

	if err := keys.Remove(ann.AccessKeyID); err != nil {
		t.Fatalf("Remove() = %v", err)
	}
	for name, k := range map[string]*identity.Keys{"the process that removed it": keys, "another process": serving} {
		if _, err := k.Lookup(ann.AccessKeyID); !errors.Is(err, identity.ErrUnknownKey) {
			t.Errorf("in %s Lookup() of a removed key = %v, want ErrUnknownKey", name, err)
		}
		if _, err := k.Caller(ann.AccessKeyID); !errors.Is(err, identity.ErrUnknownKey) {
			t.Errorf("in %s Caller() of a removed key = %v, want ErrUnknownKey", name, err)
		}
	}
	if err := keys.Remove(ann.AccessKeyID); !errors.Is(err, identity.ErrUnknownKey) {
		t.Errorf("Remove() again = %v, want ErrUnknownKey", err)
	}
}

// A file that becomes invalid while the server runs changes nothing until it is
// valid again.
func TestBrokenChangeKeepsTheKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	keys := open(t, path)
	admin := keys.List()[0]
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	breakIt := map[string]func() error{
		"half a file":   func() error { return os.WriteFile(path, whole[:len(whole)/2], 0o600) },
		"an open file":  func() error { return os.Chmod(path, 0o644) },
		"no file":       func() error { return os.Remove(path) },
		"an empty file": func() error { return os.WriteFile(path, nil, 0o600) },
	}
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range breakIt {
			if !yield(name) {
				return
			}
		}
	}) {
		if err := breakIt[name](); err != nil {
			t.Fatal(err)
		}
		if _, err := keys.Lookup(admin.AccessKeyID); err != nil {
			t.Errorf("with %s Lookup() = %v, want the key as before", name, err)
		}
		if err := keys.Reload(); err == nil {
			t.Errorf("with %s Reload() = nil, want an error", name)
		}
		if _, err := keys.Lookup("AKIDNOBODY"); !errors.Is(err, identity.ErrUnknownKey) {
			t.Errorf("with %s Lookup() of an unknown key = %v, want ErrUnknownKey", name, err)
		}
		_ = os.Remove(path)
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := keys.Reload(); err != nil {
			t.Fatalf("after %s was mended Reload() = %v", name, err)
		}
	}
}

// A missing file is logged once, not for every request.
func TestALostFileIsSaidOnce(t *testing.T) {
	var log bytes.Buffer
	path := filepath.Join(t.TempDir(), "credentials")
	keys, err := identity.OpenKeys(identity.KeysOptions{Path: path, Account: account, Now: time.Now, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	admin := keys.List()[0].AccessKeyID
	look := func() {
		t.Helper()
		for range 5 {
			if _, err := keys.Lookup(admin); err != nil {
				t.Fatal(err)
			}
		}
	}
	for round := range 2 {
		if err := os.Rename(path, path+"-aside"); err != nil {
			t.Fatal(err)
		}
		look()
		if n := strings.Count(log.String(), "cannot be found"); n != round+1 {
			t.Errorf("in round %d the log says %d times that the file is lost: %s", round, n, log.String())
		}
		if err := os.Rename(path+"-aside", path); err != nil {
			t.Fatal(err)
		}
		look()
	}
}

func TestPoliciesInTheFile(t *testing.T) {
	const document = `{"Statement":{"Effect":"Allow","Action":"iot:ListJobs","Resource":"*"}}`
	quoted, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	for policies, want := range map[string][2]bool{ // ListJobs, ListThings
		`"policies":"full-access"`:            {true, true},
		`"policies":[` + document + `]`:       {true, false},
		`"policies":[` + string(quoted) + `]`: {true, false},
		`"policies":[]`:                       {false, false},
		`"expires":"2030-01-02T03:04:05Z"`:    {false, false},
	} {
		path := file(t, 0o600, `{"version":1,"keys":[{"accessKeyId":"AKIDEXAMPLE","secretAccessKey":"s","principal":"arn:aws:iam::123456789012:user/ann",`+policies+`}]}`)
		caller, err := open(t, path).Caller("AKIDEXAMPLE")
		if err != nil {
			t.Fatal(err)
		}
		for i, action := range []string{"iot:ListJobs", "iot:ListThings"} {
			if got := caller.Authorize(action, nil, nil) == nil; got != want[i] {
				t.Errorf("with %s %s is allowed: %t, want %t", policies, action, got, want[i])
			}
		}
	}
}

func TestWriteProfile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "aws-credentials")
	for _, test := range []struct {
		credential sigv4.Credential
		want       string
	}{
		{sigv4.Credential{AccessKeyID: "AKIDEXAMPLE", Secret: "s/e+c"},
			"[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = s/e+c\nregion = eu-west-1\n"},
		{sigv4.Credential{AccessKeyID: "ASIDEXAMPLE", Secret: "s", SessionToken: "t"},
			"[default]\naws_access_key_id = ASIDEXAMPLE\naws_secret_access_key = s\naws_session_token = t\nregion = eu-west-1\n"},
	} {
		if err := identity.WriteProfile(path, test.credential, "eu-west-1"); err != nil {
			t.Fatalf("WriteProfile() = %v", err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != test.want {
			t.Errorf("WriteProfile() wrote %q (%v), want %q", got, err, test.want)
		}
		wantMode(t, path)
	}
	if err := identity.WriteProfile(filepath.Join(t.TempDir(), "no", "such"), sigv4.Credential{}, ""); err == nil {
		t.Error("WriteProfile() into a folder that is not there = nil, want an error")
	}
}

func TestKeysStayOutOfSight(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	keys := open(t, path)
	admin := keys.List()[0]
	secret := string(admin.Secret)
	caller, err := keys.Caller(admin.AccessKeyID)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]any{"Keys": keys, "Key": admin, "*Key": &admin, "List": keys.List(), "Caller": caller} {
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "value", value)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "value", value)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			fmt.Fprintf(&log, verb, value)
		}
		if strings.Contains(log.String(), secret) {
			t.Errorf("%s shows its secret: %s", name, log.String())
		}
	}
}
