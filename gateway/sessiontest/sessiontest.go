// Package sessiontest is the contract of gateway.SessionStore as tests: every implementation runs them. It is not for use outside of
// tests.
package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/gateway"
)

// Run fails t unless the stores that fresh makes keep every promise of gateway.SessionStore. Each subtest calls fresh once, for an
// empty store; each call of reopen then opens the same store, closing the one opened before if that is needed.
func Run(t *testing.T, fresh func(*testing.T) (reopen func() gateway.SessionStore)) {
	for name, test := range map[string]func(*testing.T, func() gateway.SessionStore){
		"EmptyStoreLoadsNothing":            emptyStoreLoadsNothing,
		"WhatIsWrittenIsLoaded":             whatIsWrittenIsLoaded,
		"MessagesComeInOrderOfTheirNumbers": messagesComeInOrder,
		"PutSessionKeepsMessages":           putSessionKeepsMessages,
		"DropSessionDropsMessages":          dropSessionDropsMessages,
		"ClientsDoNotMix":                   clientsDoNotMix,
		"ChangesAreAppliedInOrder":          changesAreAppliedInOrder,
		"WritingTwiceIsWritingOnce":         writingTwiceIsWritingOnce,
		"UnknownThingsAreNoError":           unknownThingsAreNoError,
		"LoadStopsAtAnError":                loadStopsAtAnError,
		"RetainedMessagesAreKeptByTopic":    retainedMessagesAreKeptByTopic,
		"LoadRetainedStopsAtAnError":        loadRetainedStopsAtAnError,
		"RandomHistory":                     randomHistory,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

var away = time.Date(2026, 11, 21, 12, 0, 0, 5_000_000, time.UTC)

func session(filters ...string) gateway.SessionRecord {
	r := gateway.SessionRecord{Version: 5, Principal: "p", Expiry: time.Hour, Away: away}
	for i, f := range filters {
		r.Subscriptions = append(r.Subscriptions, gateway.SubscriptionRecord{Filter: f, QoS: byte(i % 2), NoLocal: i == 1, RetainAsPublished: i == 2})
	}
	return r
}

func message(text string) gateway.MessageRecord {
	return gateway.MessageRecord{Topic: "t/" + text, Payload: []byte(text + "\x00\xff"), Retain: true, Latest: true, Expires: away, Properties: []byte{38, 0}}
}

func put(client string, r gateway.SessionRecord) gateway.Change {
	return gateway.Change{Kind: gateway.PutSession, Client: client, Session: r}
}

func add(client string, n uint64, m gateway.MessageRecord) gateway.Change {
	return gateway.Change{Kind: gateway.AddMessage, Client: client, Number: n, Message: m}
}

func dropMessage(client string, n uint64) gateway.Change {
	return gateway.Change{Kind: gateway.DropMessage, Client: client, Number: n}
}

func dropSession(client string) gateway.Change {
	return gateway.Change{Kind: gateway.DropSession, Client: client}
}

func retain(m gateway.MessageRecord) gateway.Change {
	return gateway.Change{Kind: gateway.PutRetained, Message: m}
}

func dropRetained(topic string) gateway.Change {
	return gateway.Change{Kind: gateway.DropRetained, Message: gateway.MessageRecord{Topic: topic}}
}

func write(t *testing.T, s gateway.SessionStore, changes ...gateway.Change) {
	t.Helper()
	if err := s.Write(t.Context(), changes); err != nil {
		t.Fatalf("Write: %v", err)
	}
}

func load(t *testing.T, s gateway.SessionStore) map[string]gateway.StoredSession {
	t.Helper()
	got := map[string]gateway.StoredSession{}
	err := s.Load(t.Context(), func(r gateway.StoredSession) error {
		if _, twice := got[r.Client]; twice {
			t.Errorf("Load gave client %q twice", r.Client)
		}
		got[r.Client] = r
		return nil
	})
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return got
}

// expectRetained fails t unless a store opened anew holds exactly the retained messages want.
func expectRetained(t *testing.T, reopen func() gateway.SessionStore, want ...gateway.MessageRecord) {
	t.Helper()
	got, wanted := loadRetained(t, reopen()), map[string]string{}
	for _, w := range want {
		wanted[w.Topic] = normalMessage(w)
	}
	if !maps.Equal(got, wanted) {
		t.Errorf("LoadRetained gave\n got %q\nwant %q", got, wanted)
	}
}

func loadRetained(t *testing.T, s gateway.SessionStore) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := s.LoadRetained(t.Context(), func(m gateway.MessageRecord) error {
		if _, twice := got[m.Topic]; twice {
			t.Errorf("LoadRetained gave topic %q twice", m.Topic)
		}
		got[m.Topic] = normalMessage(m)
		return nil
	})
	if err != nil {
		t.Fatalf("LoadRetained: %v", err)
	}
	return got
}

// expect fails t unless a store opened anew holds exactly want.
func expect(t *testing.T, reopen func() gateway.SessionStore, want ...gateway.StoredSession) {
	t.Helper()
	got := load(t, reopen())
	if len(got) != len(want) {
		t.Errorf("Load gave %d sessions, want %d", len(got), len(want))
	}
	for _, w := range want {
		g, ok := got[w.Client]
		if !ok {
			t.Errorf("client %q is missing", w.Client)
			continue
		}
		if a, b := normal(g), normal(w); !reflect.DeepEqual(a, b) {
			t.Errorf("client %q\n got %+v\nwant %+v", w.Client, a, b)
		}
	}
}

// normal makes equal what means the same: instants in different zones, nil and empty slices.
func normal(s gateway.StoredSession) string {
	s.Session.Away = s.Session.Away.UTC()
	var text strings.Builder
	fmt.Fprintf(&text, "%q %d %q %d %v %+v", s.Client, s.Session.Version, s.Session.Principal, s.Session.Expiry, s.Session.Away.UnixMilli(), s.Session.Subscriptions)
	for _, m := range s.Messages {
		fmt.Fprintf(&text, "\n%d %s", m.Number, normalMessage(m.Message))
	}
	return text.String()
}

func normalMessage(m gateway.MessageRecord) string {
	return fmt.Sprintf("%q %q %d %v %v %v %q", m.Topic, m.Payload, m.QoS, m.Retain, m.Latest, m.Expires.UnixMilli(), m.Properties)
}

func stored(client string, r gateway.SessionRecord, messages ...gateway.NumberedMessage) gateway.StoredSession {
	return gateway.StoredSession{Client: client, Session: r, Messages: messages}
}

func numbered(n uint64, m gateway.MessageRecord) gateway.NumberedMessage {
	return gateway.NumberedMessage{Number: n, Message: m}
}

func emptyStoreLoadsNothing(t *testing.T, reopen func() gateway.SessionStore) {
	expect(t, reopen)
	write(t, reopen())
	expect(t, reopen)
}

func whatIsWrittenIsLoaded(t *testing.T, reopen func() gateway.SessionStore) {
	plain := gateway.SessionRecord{Version: 4, Principal: "q"}
	write(t, reopen(), put("a", session("x", "y/+", "$share/g/#")), add("a", 7, message("m")), put("b", plain),
		add("b", 1, gateway.MessageRecord{Topic: "bare"}))
	expect(t, reopen, stored("a", session("x", "y/+", "$share/g/#"), numbered(7, message("m"))),
		stored("b", plain, numbered(1, gateway.MessageRecord{Topic: "bare"})))
}

func messagesComeInOrder(t *testing.T, reopen func() gateway.SessionStore) {
	write(t, reopen(), put("a", session()))
	numbers := []uint64{1 << 40, 3, 256, 2, 1, 255}
	for _, n := range numbers {
		write(t, reopen(), add("a", n, message(fmt.Sprint(n))))
	}
	write(t, reopen(), dropMessage("a", 3))
	var want []gateway.NumberedMessage
	for _, n := range []uint64{1, 2, 255, 256, 1 << 40} {
		want = append(want, numbered(n, message(fmt.Sprint(n))))
	}
	expect(t, reopen, stored("a", session(), want...))
}

func putSessionKeepsMessages(t *testing.T, reopen func() gateway.SessionStore) {
	write(t, reopen(), put("a", session("x")), add("a", 1, message("m")))
	write(t, reopen(), put("a", session("y")))
	expect(t, reopen, stored("a", session("y"), numbered(1, message("m"))))
}

func dropSessionDropsMessages(t *testing.T, reopen func() gateway.SessionStore) {
	write(t, reopen(), put("a", session()), add("a", 1, message("m")), put("b", session()))
	write(t, reopen(), dropSession("a"))
	expect(t, reopen, stored("b", session()))
	write(t, reopen(), put("a", session()))
	expect(t, reopen, stored("a", session()), stored("b", session()))
}

func clientsDoNotMix(t *testing.T, reopen func() gateway.SessionStore) {
	clients := []string{"a", "a/1", "a\x01", "ab", "a+", "a#", "é"}
	for i, c := range clients {
		write(t, reopen(), put(c, session(c)), add(c, uint64(i+1), message(c)), add(c, 100, message("x")))
	}
	write(t, reopen(), dropMessage("a", 100), dropSession("ab"))
	var want []gateway.StoredSession
	for i, c := range clients {
		messages := []gateway.NumberedMessage{numbered(uint64(i+1), message(c)), numbered(100, message("x"))}
		switch c {
		case "a":
			messages = messages[:1]
		case "ab":
			continue
		}
		want = append(want, stored(c, session(c), messages...))
	}
	expect(t, reopen, want...)
}

func changesAreAppliedInOrder(t *testing.T, reopen func() gateway.SessionStore) {
	write(t, reopen(), put("a", session("old")), add("a", 1, message("1")), dropSession("a"), put("a", session("new")),
		add("a", 2, message("2")), add("a", 3, message("3")), dropMessage("a", 2), add("a", 3, message("three")))
	expect(t, reopen, stored("a", session("new"), numbered(3, message("three"))))
}

func writingTwiceIsWritingOnce(t *testing.T, reopen func() gateway.SessionStore) {
	changes := []gateway.Change{put("a", session("x")), add("a", 1, message("1")), dropMessage("a", 1), add("a", 2, message("2")), put("b", session()), dropSession("b")}
	write(t, reopen(), changes...)
	write(t, reopen(), changes...)
	expect(t, reopen, stored("a", session("x"), numbered(2, message("2"))))
}

func unknownThingsAreNoError(t *testing.T, reopen func() gateway.SessionStore) {
	write(t, reopen(), dropSession("none"), dropMessage("none", 1), add("none", 1, message("m")), put("a", session()), dropMessage("a", 9))
	expect(t, reopen, stored("a", session()))
	write(t, reopen(), put("none", session())) // the message added before it existed is not there
	expect(t, reopen, stored("a", session()), stored("none", session()))
}

func loadStopsAtAnError(t *testing.T, reopen func() gateway.SessionStore) {
	write(t, reopen(), put("a", session()), put("b", session()))
	stop, calls := errors.New("stop"), 0
	err := reopen().Load(context.Background(), func(gateway.StoredSession) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("Load returned %v after %d calls, want the error of the first", err, calls)
	}
}

func retainedMessagesAreKeptByTopic(t *testing.T, reopen func() gateway.SessionStore) {
	expectRetained(t, reopen)
	topics := []string{"a", "a/b", "/", "a\x01", "é", strings.Repeat("x", 256)}
	var want []gateway.MessageRecord
	for i, topic := range topics {
		m := message(topic)
		m.Topic, m.QoS = topic, byte(i%2)
		want = append(want, m)
		write(t, reopen(), retain(gateway.MessageRecord{Topic: topic, Payload: []byte("old")}), retain(m))
	}
	write(t, reopen(), put("a", session()), add("a", 1, message("a")), dropRetained("none"), dropRetained("a/b"))
	want = slices.Delete(want, 1, 2)
	expectRetained(t, reopen, want...)
	expect(t, reopen, stored("a", session(), numbered(1, message("a"))))
	write(t, reopen(), dropSession("a"), dropRetained("é"), retain(gateway.MessageRecord{Topic: "é", QoS: 1}), retain(gateway.MessageRecord{Topic: "/"}), dropRetained("/"))
	expectRetained(t, reopen, want[0], want[2], gateway.MessageRecord{Topic: "é", QoS: 1}, want[4])
}

func loadRetainedStopsAtAnError(t *testing.T, reopen func() gateway.SessionStore) {
	write(t, reopen(), retain(gateway.MessageRecord{Topic: "a"}), retain(gateway.MessageRecord{Topic: "b"}))
	stop, calls := errors.New("stop"), 0
	err := reopen().LoadRetained(context.Background(), func(gateway.MessageRecord) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("LoadRetained returned %v after %d calls, want the error of the first", err, calls)
	}
}

// randomHistory compares the store with gateway.MemorySessions over a random history with restarts.
func randomHistory(t *testing.T, reopen func() gateway.SessionStore) {
	model := gateway.NewMemorySessions()
	rnd := rand.New(rand.NewPCG(5, 6))
	s := reopen()
	for step := range 200 {
		var batch []gateway.Change
		for range 1 + rnd.IntN(5) {
			client, n := string(rune('a'+rnd.IntN(4))), uint64(1+rnd.IntN(6))
			switch rnd.IntN(11) {
			case 0:
				batch = append(batch, dropSession(client))
			case 1, 2:
				batch = append(batch, put(client, session(fmt.Sprint("f", step))))
			case 3, 4:
				batch = append(batch, dropMessage(client, n))
			case 5:
				batch = append(batch, dropRetained(client))
			case 6, 7:
				batch = append(batch, retain(gateway.MessageRecord{Topic: client, Payload: []byte(fmt.Sprint(step))}))
			default:
				batch = append(batch, add(client, n, message(fmt.Sprint(step))))
			}
		}
		write(t, s, batch...)
		write(t, model, batch...)
		if rnd.IntN(10) == 0 {
			s = reopen()
		}
	}
	var want []gateway.StoredSession
	for _, w := range load(t, model) {
		want = append(want, w)
	}
	expect(t, reopen, want...)
	if got, want := loadRetained(t, reopen()), loadRetained(t, model); !maps.Equal(got, want) {
		t.Errorf("LoadRetained gave\n got %q\nwant %q", got, want)
	}
}
