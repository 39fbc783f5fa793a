package awsiot

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/muster-iot/muster/internal/wiregen/model"
	"github.com/muster-iot/muster/sigv4"
)

// Signatures must cover every header that carries a member.
func TestHeadersWithMembersMustBeSigned(t *testing.T) {
	found := 0
	for _, name := range []string{"iot", "iot-data", "iot-jobs-data"} {
		api, err := model.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for operation, o := range api.Operations {
			if o.Input.Shape == "" {
				continue
			}
			for member, m := range api.Shapes[o.Input.Shape].Members {
				if m.Location != "header" {
					continue
				}
				found++
				covered := slices.ContainsFunc(memberHeaders, func(begin string) bool {
					return strings.HasPrefix(strings.ToLower(m.LocationName), strings.ToLower(begin))
				})
				if !covered {
					t.Errorf("%s %s: %s travels in the header %s, which nobody holds against the signature", name, operation, member, m.LocationName)
				}
			}
		}
	}
	if found == 0 {
		t.Error("no operation has a member in a header; the models are not what they were")
	}
}

// All spellings of a request for which a signature is valid cause the same operation
// with the same input.
func TestOneSignatureOneInput(t *testing.T) {
	env := newEnv(t)
	accepted := 0
	for _, tt := range []struct {
		method, target, service string
		headers                 []string
		other                   []string // targets
		otherHeaders            [][]string
	}{
		{method: "POST", target: "/topics/a%2Fb?qos=1", service: "iotdata", other: []string{
			"/topics/a%2fb?qos=1", "/topics/a%252Fb?qos=1", "/topics/a/b?qos=1", "//topics/a%2Fb?qos=1", "/topics/./a%2Fb?qos=1",
			"/topics/x/../a%2Fb?qos=1", "/topics/a%2Fb?qos=1&", "/topics/a%2Fb?%71os=%31", "/topics/a%2Fb?qos=1&qos=0", `/topics/a%2Fb?qos=1#`,
		}},
		{method: "POST", target: "/topics/a%2Fb?qos=1&qos=0", service: "iotdata", other: []string{"/topics/a%2Fb?qos=0&qos=1"}},
		{method: "POST", target: "/topics/a?contentType=x%3By", service: "iotdata", other: []string{"/topics/a?contentType=x;y"}},
		{method: "POST", target: "/topics/a?contentType=%25zz", service: "iotdata", other: []string{"/topics/a?contentType=%zz"}},
		{method: "POST", target: "/topics/a?contentType=x%20y", service: "iotdata", other: []string{"/topics/a?contentType=x+y"}},
		{method: "GET", target: "/jobs/../things", service: "iot", other: []string{"/things", "/jobs/%2e%2e/things"}},
		{method: "GET", target: "/things/lamp", service: "iot", other: []string{"/things//lamp", "/x/../things/lamp", "/things/%6camp", "/things/lamp?"}},
		{method: "PUT", target: "/things/lamp/principals", service: "iot", headers: []string{"x-amzn-principal: a,b"},
			otherHeaders: [][]string{{"x-amzn-principal: a", "x-amzn-principal: b"}, {"x-amzn-principal:  a,b "}, {"x-amzn-principal: b", "x-amzn-principal: a"}}},
		{method: "PUT", target: "/things/lamp/principals", service: "iot", headers: []string{"x-amzn-principal: a b"},
			otherHeaders: [][]string{{"x-amzn-principal: a   b"}, {"x-amzn-principal: a\tb"}}},
		{method: "PUT", target: "/things/lamp/principals", service: "iot",
			otherHeaders: [][]string{{"x-amzn-principal: a"}}},
		{method: "POST", target: "/topics/a", service: "iotdata", otherHeaders: [][]string{{"X-Amz-Mqtt5-Correlation-Data: Nzc3"}}},
	} {
		arriving := func(target string, headers []string) *http.Request {
			head := tt.method + " " + target + " HTTP/1.1\r\nHost: example.com\r\n" + strings.Join(append(headers, ""), "\r\n")
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + "\r\n")))
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		signed := arriving(tt.target, tt.headers)
		sigv4.Sign(signed, nil, admin, testAccount.Region, tt.service, env.clock().Time())
		read := func(target string, headers []string) (string, error) {
			r := arriving(target, headers)
			r.Header.Set("X-Amz-Date", signed.Header.Get("X-Amz-Date"))
			r.Header.Set("Authorization", signed.Header.Get("Authorization"))
			c := &call{account: testAccount}
			if err := env.server.admit(c, httptest.NewRecorder(), r); err != nil {
				return "", err
			}
			members := r.Header.Clone()
			for name := range members {
				if !slices.ContainsFunc(memberHeaders, func(begin string) bool { return strings.HasPrefix(name, begin) }) {
					delete(members, name)
				}
			}
			// A data plane reads the request again after it was handed over.
			return fmt.Sprintf("%s %q %q %q; %s %q", c.operation.Name, c.request.Labels, c.request.Query, members, r.URL.EscapedPath(), r.URL.Query()), nil
		}
		want, err := read(tt.target, tt.headers)
		if err != nil {
			t.Errorf("%s %s = %v", tt.method, tt.target, err)
			continue
		}
		for _, target := range tt.other {
			if got, err := read(target, tt.headers); err == nil && got != want {
				t.Errorf("%s means %s, and the signature of %s is good for it, which means %s", target, got, tt.target, want)
			} else if err == nil {
				accepted++
			}
		}
		for _, headers := range tt.otherHeaders {
			if got, err := read(tt.target, headers); err == nil && got != want {
				t.Errorf("%s with %q means %s, and without it, with the same signature, %s", tt.target, headers, got, want)
			} else if err == nil {
				accepted++
			}
		}
	}
	if accepted < 10 {
		t.Errorf("only %d other spellings were accepted; that proves little", accepted)
	}
}
