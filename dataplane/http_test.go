package dataplane

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/jobs"
)

func TestOnlyPermittedCallersAreServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := newEnv(t, newStore(t), packet.V5)
		for _, step := range []string{"given thing lamp", "given thing pump", "given job fw for lamp {}"} {
			env.step(step)
			env.settle()
		}
		reader := caller(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
			"Action":["iotjobsdata:GetPendingJobExecutions","iot:DescribeJobExecution"],
			"Resource":"arn:aws:iot:us-east-1:000000000000:thing/lamp"}]}`)
		tests := []struct {
			name, method, target, body string
			want                       int
		}{
			{"what is allowed", "GET", "/things/lamp/jobs", "", 200},
			{"the other name of the action", "GET", "/things/lamp/jobs/fw", "", 200},
			{"the escaped name of the thing", "GET", "/things/l%61mp/jobs", "", 200},
			{"another thing", "GET", "/things/pump/jobs", "", 403},
			{"a thing that does not exist", "GET", "/things/nobody/jobs", "", 403},
			{"another operation", "PUT", "/things/lamp/jobs/$next", "{}", 403},
			{"and another, before it is looked at", "POST", "/things/lamp/jobs/fw", "{", 403},
		}
		for _, tt := range tests {
			w := httptest.NewRecorder()
			w.Header().Set("X-Amzn-RequestId", "id-7")
			env.http.ServeCaller(w, httptest.NewRequest(tt.method, tt.target, strings.NewReader(tt.body)), reader)
			if w.Code != tt.want {
				t.Errorf("%s: %s %s = %d %s, want %d", tt.name, tt.method, tt.target, w.Code, w.Body, tt.want)
			}
			const refused = `{"message":"Forbidden","traceId":"id-7"}`
			if w.Code == 403 && (w.Body.String() != refused || w.Header().Get("X-Amzn-ErrorType") != "ForbiddenException") {
				t.Errorf("%s: %s %s = %s %s, want ForbiddenException %s",
					tt.name, tt.method, tt.target, w.Header().Get("X-Amzn-ErrorType"), w.Body, refused)
			}
		}
	})
}

func TestAPolicyMaySayWhereACallerMustBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := newEnv(t, newStore(t), packet.V5)
		env.step("given thing lamp")
		env.settle()
		who := caller(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*",
			"Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}]}`)
		for from, want := range map[string]int{"192.0.2.7:4711": 200, "198.51.100.7:4711": 403, "": 403} {
			r := httptest.NewRequest("GET", "/things/lamp/jobs", nil)
			r.RemoteAddr = from
			w := httptest.NewRecorder()
			env.http.ServeCaller(w, r, who)
			if w.Code != want {
				t.Errorf("a request from %q: %d %s, want %d", from, w.Code, w.Body, want)
			}
		}
	})
}

func TestALongPollEndsWhenItsClientGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := newEnv(t, newStore(t), packet.V5)
		env.step("given thing lamp")
		ctx, cancel := context.WithCancel(t.Context())
		r := httptest.NewRequestWithContext(ctx, "PUT", "/things/lamp/jobs/$next", strings.NewReader("{}"))
		r.Header.Set("Prefer", "wait=300")
		w := httptest.NewRecorder()
		who, began, returned := admin(t), time.Now(), make(chan struct{})
		go func() {
			env.http.ServeCaller(w, r, who)
			close(returned)
		}()
		synctest.Wait()
		cancel()
		<-returned
		if waited := time.Since(began); waited != 0 || w.Body.Len() != 0 {
			t.Errorf("after its client went away a long poll went on for %v and answered %q, want neither", waited, w.Body)
		}
		// What becomes pending now is not started for a client that is gone.
		env.step("given job fw for lamp {}")
		env.settle()
		d, err := env.Jobs.DescribeExecution(t.Context(), jobs.DescribeInput{Thing: "lamp", Job: "fw"})
		if err != nil || d.Execution.StartedAt != 0 {
			t.Errorf("the execution is %+v, %v; want it not started", d.Execution, err)
		}
	})
}

func TestALongPollEndsWithItsAccessKey(t *testing.T) {
	for name, change := range map[string]func(*identity.Keys, identity.Key) error{
		"the key is removed": func(k *identity.Keys, key identity.Key) error { return k.Remove(key.AccessKeyID) },
		"the key is replaced": func(k *identity.Keys, key identity.Key) error {
			other := key
			other.Secret = "another"
			return errors.Join(k.Remove(key.AccessKeyID), k.Add(other))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys.json")
			synctest.Test(t, func(t *testing.T) {
				env := newEnv(t, newStore(t), packet.V5)
				env.step("given thing lamp")
				keys, err := identity.OpenKeys(identity.KeysOptions{Path: path, Account: "000000000000", Now: time.Now})
				if err != nil {
					t.Fatal(err)
				}
				key := keys.List()[0]
				who, err := keys.Caller(key.AccessKeyID)
				if err != nil {
					t.Fatal(err)
				}
				r := httptest.NewRequest("GET", "/things/lamp/jobs", nil)
				r.Header.Set("Prefer", "wait=300")
				w, began, returned := httptest.NewRecorder(), time.Now(), make(chan struct{})
				go func() {
					env.http.ServeCaller(w, r, who)
					close(returned)
				}()
				synctest.Wait()
				if err := change(keys, key); err != nil {
					t.Fatal(err)
				}
				<-returned
				if waited := time.Since(began); waited != 0 || w.Code != http.StatusForbidden {
					t.Errorf("the long poll ended after %v with %d %s, want 403 at once", waited, w.Code, w.Body)
				}
			})
		})
	}
}

func TestDrainEndsLongPollsWithAnEmptyAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := newEnv(t, newStore(t), packet.V5)
		env.step("given thing lamp")
		env.step("send GET /things/lamp/jobs wait=300")
		env.settle()
		if got := env.heard(); len(got) > 0 {
			t.Fatalf("a long poll is answered at once: %v", got)
		}
		env.http.Drain()
		env.step("send GET /things/lamp/jobs/$next wait=300")
		synctest.Wait()
		want := "expect 200 wait=300\n       {\"inProgressJobs\":[],\"queuedJobs\":[]}\nexpect 200 wait=300\n       {}"
		if got := strings.Join(env.heard(), "\n"); got != want {
			t.Errorf("after Drain long polls answer\n%s, want\n%s", got, want)
		}
	})
}

func TestLongPollHeader(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"":                            0,
		"wait=5":                      5 * time.Second,
		"respond-async, WAIT = 10; x": 10 * time.Second,
		`wait="20"`:                   20 * time.Second,
		"wait=300":                    300 * time.Second,
		"wait=301":                    300 * time.Second,
		"wait=4294967295":             300 * time.Second,
		"wait=99999999999999999999":   0,
		"wait=-1":                     0,
		"wait=1.5":                    0,
		"wait":                        0,
		"wait=0":                      0,
		"waiting=7":                   0,
		"wait=1, wait=2":              time.Second,
	} {
		r := httptest.NewRequest(http.MethodGet, "/things/lamp/jobs", nil)
		if header != "" {
			r.Header.Set("Prefer", header)
		}
		if got := longPoll(r, &request{Topic: Topic{Kind: GetPending}}); got != want {
			t.Errorf("Prefer: %s asks to wait %v, want %v", header, got, want)
		}
		if got := longPoll(r, &request{Topic: Topic{Kind: Describe, Job: "fw"}}); got != 0 {
			t.Errorf("Prefer: %s makes the description of a job wait %v, want 0", header, got)
		}
	}
}

func TestRoute(t *testing.T) {
	tests := []struct {
		name, method, target string
		want                 Topic // InvalidTopic: not found
	}{
		{"list", "GET", "/things/lamp/jobs", Topic{Kind: GetPending, Thing: "lamp"}},
		{"start", "PUT", "/things/lamp/jobs/$next", Topic{Kind: StartNext, Thing: "lamp"}},
		{"start, escaped", "PUT", "/things/lamp/jobs/%24next", Topic{Kind: StartNext, Thing: "lamp"}},
		{"describe", "GET", "/things/a%3Ab/jobs/fw", Topic{Kind: Describe, Thing: "a:b", Job: "fw"}},
		{"describe the head", "GET", "/things/lamp/jobs/%24next", Topic{Kind: Describe, Thing: "lamp", Job: "$next"}},
		{"update", "POST", "/things/lamp/jobs/fw", Topic{Kind: Update, Thing: "lamp", Job: "fw"}},
		{"an escape is undone once", "GET", "/things/lamp/jobs/%2524next", Topic{Kind: Describe, Thing: "lamp", Job: "%24next"}},
		{"an escaped slash stays in its segment", "GET", "/things/a%2Fb/jobs", Topic{Kind: GetPending, Thing: "a/b"}},
		{"an empty job", "GET", "/things/lamp/jobs/", Topic{Kind: Describe, Thing: "lamp"}},
		{"start of something else", "PUT", "/things/lamp/jobs/fw", Topic{}},
		{"another method", "DELETE", "/things/lamp/jobs/fw", Topic{}},
		{"too short", "GET", "/things/lamp", Topic{}},
		{"too long", "GET", "/things/lamp/jobs/fw/get", Topic{}},
		{"much too long", "GET", "/things/lamp/jobs/fw/get/more", Topic{}},
		{"another collection", "GET", "/thing-groups/lamp/jobs", Topic{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, ok := route(httptest.NewRequest(tt.method, tt.target, nil))
			if ok != (tt.want.Kind != InvalidTopic) || ok && r.Topic != tt.want {
				t.Errorf("route(%s %s) = %+v, %v; want %#v", tt.method, tt.target, r, ok, tt.want)
			}
		})
	}
}

func TestALargeBodyIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := newEnv(t, newStore(t), packet.V5)
		env.ask("POST", "/things/lamp/jobs/fw", "", `{"status":"FAILED","x":"`+strings.Repeat("x", bodyMax)+`"}`)
		synctest.Wait()
		want := "expect 400 InvalidRequestException\n       {\"message\":\"The request body is larger than 131072 bytes\"}"
		if got := strings.Join(env.heard(), "\n"); got != want {
			t.Errorf("a body of more than %d bytes is answered\n%s, want\n%s", bodyMax, got, want)
		}
	})
}
