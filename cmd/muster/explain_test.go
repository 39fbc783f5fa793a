package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-iot/muster/sigv4"
)

// TestExplainPolicy asks the running server and then the folder it left, which
// must give the same answer.
func TestExplainPolicy(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := startServer(t, data)
	var made struct{ CertificateId, CertificateArn string }
	call := func(method, path string, body, answer any) {
		t.Helper()
		if err := s.Call(t.Context(), method, path, body, answer); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	call("POST", "/keys-and-certificate?setAsActive=true", nil, &made)
	call("POST", "/policies/p", object{"policyDocument": `{"Version":"2012-10-17","Statement":[
		{"Sid":"own","Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:us-east-1:000000000000:topic/${iot:ClientId}/*"}]}`}, nil)
	call("PUT", "/target-policies/p", object{"target": made.CertificateArn}, nil)

	explain := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("muster", append([]string{"admin", "explain-policy", data}, args...)...).CombinedOutput()
		if err != nil && !strings.HasPrefix(string(out), "muster: ") {
			t.Fatalf("explain-policy %q: %v %s", args, err, out)
		}
		return string(out)
	}
	questions := map[string]struct {
		args []string
		want []string
	}{
		"a device that may": {
			[]string{"--who", made.CertificateId, "--client-id", "lamp", "--action", "iot:Publish", "--resource", "topic/lamp/on"},
			[]string{made.CertificateArn + "\n  may iot:Publish\n  on arn:aws:iot:us-east-1:000000000000:topic/lamp/on\n", "statement own of policy p", "p  "},
		},
		"a device that may not": {
			[]string{"--who", made.CertificateArn, "--client-id", "lamp", "--action", "iot:Publish", "--resource", "topic/pump/on"},
			[]string{"  may not iot:Publish\n", "IMPLICIT_DENY"},
		},
		"an access key":     {[]string{"--who", s.Credential.AccessKeyID, "--action", "iot:CreateJob", "--resource", "*"}, []string{"user/admin\n  may iot:CreateJob", "full-access"}},
		"nobody":            {[]string{"--who", "nobody", "--action", "iot:CreateJob", "--resource", "*"}, []string{"nobody is neither a certificate nor an access key"}},
		"as JSON":           {[]string{"--json", "--who", made.CertificateId, "--client-id", "lamp", "--action", "iot:Publish", "--resource", "topic/lamp/on"}, []string{`"allowed": true`, `"statement": "own"`}},
		"half a question":   {[]string{"--who", "nobody"}, []string{"needs --who, --action and --resource"}},
		"without an answer": {[]string{"--who", made.CertificateId, "--action", "iot:Publish", "--resource", "topic/lamp/on"}, []string{"variables without a value  iot:ClientId"}},
	}
	online := map[string]string{}
	for name, q := range questions {
		online[name] = explain(q.args...)
		for _, want := range q.want {
			if !strings.Contains(online[name], want) {
				t.Errorf("%s: %s\nwant %q in it", name, online[name], want)
			}
		}
	}
	// Whoever has no such permission is told nothing.
	stranger := *s.Client
	stranger.Credential = sigv4.Credential{AccessKeyID: "AKIANOBODY", Secret: "x"}
	var told bytes.Buffer
	err := stranger.Call(t.Context(), "POST", "/muster/v1/explain-policy", object{"who": made.CertificateId, "action": "iot:Publish", "resource": "*"}, &told)
	if err == nil || !strings.Contains(err.Error(), "security token") {
		t.Errorf("a stranger's question: %v, want it refused", err)
	}
	s.kill(t)
	for name, q := range questions {
		if offline := explain(q.args...); strings.TrimPrefix(offline, "muster: : ") != online[name] && name != "nobody" {
			t.Errorf("%s: after the server stopped the answer is\n%s, it was\n%s", name, offline, online[name])
		}
	}
}
