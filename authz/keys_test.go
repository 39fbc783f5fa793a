package authz

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/iotpolicy"
)

func TestHoldersOfAccessKeysAreHeldToTheirPolicies(t *testing.T) {
	w := newWorld(t)
	dashboard, err := iotpolicy.Parse("dashboard", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:*:*:client/board-*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}},
		{"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":"arn:aws:iot:*:*:topic/${iot:ClientId}/*"},
		{"Effect":"Allow","Action":"iot:Subscribe","Resource":"arn:aws:iot:*:*:topicfilter/${iot:ClientId}/#"}]}`)
	w.ok(err)
	keys := func(key string) (identity.Caller, error) {
		if key == "AKIA1" {
			return identity.Caller{ARN: "arn:aws:iam::123456789012:user/ann", Policies: iotpolicy.Set{dashboard}}, nil
		}
		return identity.Caller{}, identity.ErrUnknownKey
	}
	connect := func(key, client, addr string) (gateway.Grant, error) {
		return w.a.Connect(t.Context(), gateway.Connect{ClientID: client, Peer: gateway.Peer{Principal: key, Addr: addr, Transport: "wss"}})
	}
	if _, err := connect("AKIA1", "board-1", "10.0.0.1:99"); !errors.Is(err, gateway.ErrRefused) {
		t.Errorf("connect where access keys are not accepted: %v", err)
	}
	w.a.o.Keys = keys
	for name, test := range map[string]struct{ key, client, addr string }{
		"an unknown key":    {"AKIA2", "board-1", "10.0.0.1:99"},
		"another client id": {"AKIA1", "lamp", "10.0.0.1:99"},
		"from elsewhere":    {"AKIA1", "board-1", "192.0.2.1:99"},
	} {
		if _, err := connect(test.key, test.client, test.addr); !errors.Is(err, gateway.ErrRefused) {
			t.Errorf("connect with %s: %v, want it refused", name, err)
		}
	}
	board, err := connect("AKIA1", "board-1", "10.0.0.1:99")
	w.ok(err)
	for _, test := range []struct {
		name string
		got  error
		want bool
	}{
		{"publish its own", board.Publish("board-1/a", false), true},
		{"retain its own", board.Publish("board-1/a", true), false},
		{"publish another's", board.Publish("board-2/a", false), false},
		{"subscribe to its own", board.Subscribe("board-1/#"), true},
		{"subscribe to all", board.Subscribe("#"), false},
	} {
		if (test.got == nil) != test.want || test.got != nil && !errors.Is(test.got, gateway.ErrRefused) {
			t.Errorf("%s: %v, want it allowed: %v", test.name, test.got, test.want)
		}
	}
	if !board.Receive("board-1/a") || board.Receive("board-2/a") || board.Principal() != "arn:aws:iam::123456789012:user/ann" {
		t.Errorf("what %s receives is not held to its policy", board.Principal())
	}
}

// A connection that was made with an access key may do what the key may do now,
// and must end once the key is removed.
func TestConnectionsFollowTheirAccessKey(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(t.TempDir(), "keys.json")
	keys, err := identity.OpenKeys(identity.KeysOptions{Path: path, Account: "123456789012", Now: time.Now})
	w.ok(err)
	w.a.o.Keys = keys.Holder
	key := identity.NewKey("123456789012", "ann")
	key.Policies = []string{`{"Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}`}
	w.ok(keys.Add(key))
	connected, err := w.a.Connect(t.Context(), gateway.Connect{ClientID: "board", Peer: gateway.Peer{Principal: key.AccessKeyID, Transport: "wss"}})
	w.ok(err)
	board := connected.(gateway.Bounded)
	check := func(when string, may, alive bool) {
		t.Helper()
		for what, got := range map[string]bool{
			"publish": board.Publish("a", false) == nil, "retain": board.Publish("a", true) == nil,
			"subscribe": board.Subscribe("a") == nil, "receive": board.Receive("a"),
		} {
			if got != may {
				t.Errorf("%s it may %s: %t, want %t", when, what, got, may)
			}
		}
		if until := board.Until(); until.IsZero() != alive || !alive && until.After(time.Now()) {
			t.Errorf("%s it ends at %v", when, until)
		}
	}
	check("at first", true, true)
	narrow := key
	narrow.Policies = []string{`{"Statement":{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}}`}
	aside := filepath.Join(t.TempDir(), "keys.json") // for a key file that changes in one step
	other, err := identity.OpenKeys(identity.KeysOptions{Path: aside, Account: "123456789012", Now: time.Now})
	w.ok(err)
	w.ok(other.Add(narrow))
	w.ok(os.Rename(aside, path))
	w.ok(keys.Reload())
	check("with a narrower policy", false, true)
	w.ok(keys.Remove(key.AccessKeyID))
	check("without its key", false, false)
	w.ok(keys.Add(key))
	check("when there is such a key again", false, false)
}
