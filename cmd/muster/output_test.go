package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	jsonName    = regexp.MustCompile(`^[a-z][a-zA-Z0-9]*$`)
	jsonInstant = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
)

// Every command that has --json is run with it: it prints one document and nothing else, with names as in the API and
// instants to the millisecond.
func TestEveryJSONIsOneDocument(t *testing.T) {
	folder := t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	s := startServer(t, at("data"), "--test-clock")
	nodes := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, _ = io.WriteString(w, `{"node":"a","drain":true}`)
			return
		}
		_, _ = io.WriteString(w, `{"nodes":[{"name":"a","started":"2026-11-28T08:29:22.123456789Z","leases":[]}]}`)
	}))
	defer nodes.Close()
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "a", "AWS_CONFIG_FILE": "/none", "AWS_PROFILE": "", "AWS_DEFAULT_PROFILE": ""} {
		t.Setenv(name, value)
	}
	lines := [][]string{ // in this order
		{"nodes", "--endpoint-url", nodes.URL},
		{"nodes", "drain", "a", "--endpoint-url", nodes.URL},
		{"clock", "--data", at("data")},
		{"clock", "advance", "1s", "--data", at("data")},
		{"clock", "set", "03:00", "--data", at("data")},
		{"audit", "--data", at("data")},
		{"explain", "lamp", "fw", "--data", at("data")},
		{"limits"},
		{"version"},
		{"admin", "keys", "add", at("data"), "--user", "ann", "--admin", "--expires", "9d"},
		{"admin", "keys", "list", at("data")},
		{"admin", "keys", "remove", at("data"), "ANN"},
		{"admin", "explain-policy", at("data"), "--who", s.Credential.AccessKeyID, "--action", "iot:CreateJob", "--resource", "*"},
		{"admin", "dead-letters", at("data")},
		{"admin", "dead-letters", at("data"), "--replay"},
		{"admin", "backup", at("data"), at("backup")},
		{"admin", "verify", at("backup")},
		{"admin", "export", at("data"), at("export")},
		{"admin", "import", at("export"), at("imported")},
		{"admin", "secrets", "init", at("secrets")},
		{"admin", "signing-profile", "create", at("data"), "firmware"},
		{"admin", "signing-profile", "list", at("data")},
	}
	var seen []string
	for _, args := range lines {
		cmd, _, err := rootCommand().Find(args)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, cmd.CommandPath())
		if i := slices.Index(args, "ANN"); i >= 0 {
			args[i] = keyOf(t, at("data"), "user/ann")
		}
		document(t, append(args, "--json"))
	}
	for _, cmd := range everyCommand(rootCommand()) {
		if cmd.Flags().Lookup("json") != nil && !slices.Contains(seen, cmd.CommandPath()) {
			t.Errorf("%s --json is not tried: add a line", cmd.CommandPath())
		}
	}
}

// keyOf returns the id of the access key of somebody, as `muster admin keys list` prints it.
func keyOf(t *testing.T, data, who string) string {
	t.Helper()
	keys, _ := document(t, []string{"admin", "keys", "list", data, "--json"})["keys"].([]any)
	for _, k := range keys {
		if k := k.(map[string]any); strings.HasSuffix(k["principal"].(string), who) {
			return k["accessKeyId"].(string)
		}
	}
	t.Fatalf("%v has no key of %s", keys, who)
	return ""
}

// document runs a command and returns the one document that it prints.
func document(t *testing.T, args []string) map[string]any {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if err := run(t.Context(), args, &stdout, &stderr); err != nil || stderr.Len() > 0 {
		t.Fatalf("%q: %v\n%s", args, err, &stderr)
	}
	var page map[string]any
	if err := json.Unmarshal(stdout.Bytes(), &page); err != nil || len(page) == 0 { // which refuses anything after the document
		t.Fatalf("%q: %v\n%s", args, err, &stdout)
	}
	checkJSON(t, args, page)
	return page
}

// checkJSON checks the names and the instants in a document.
func checkJSON(t *testing.T, args []string, value any) {
	t.Helper()
	switch v := value.(type) {
	case map[string]any:
		for name, of := range v {
			if !jsonName.MatchString(name) {
				t.Errorf("%q: the name %q", args, name)
			}
			if of != nil || !slices.Contains([]string{"execution", "since", "at"}, name) { // explanations say of these that there is none
				checkJSON(t, args, of)
			}
		}
	case []any:
		for _, of := range v {
			checkJSON(t, args, of)
		}
	case string:
		if _, err := time.Parse(time.RFC3339, v); err == nil && !jsonInstant.MatchString(v) {
			t.Errorf("%q: the instant %s", args, v)
		}
	case nil:
		t.Errorf("%q: null", args)
	}
}
