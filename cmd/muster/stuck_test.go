package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/muster-iot/muster/dataplane"
	"github.com/muster-iot/muster/explain"
	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
)

// Twelve situations in which people asked in public why a device does not move (explain/threads_test.go has where), brought
// about by MQTT clients over TLS and the test clock. Each thing has the name of its situation.
func TestStuckInPublic(t *testing.T) {
	s := newPuzzles(t, func(c *Config) {
		c.MQTTS, c.Files.Address, c.LimitOrders = "127.0.0.1:0", "127.0.0.1:0", []string{"data-read-rate=5"}
	})
	s.things("all", "late", "deaf", "inactive", "stranger", "busy", "elsewhere", "told", "hung", "lost", "stale", "hasty", "linked")
	var others []string
	for i := range 30 {
		others = append(others, fmt.Sprintf("other-%02d", i))
	}
	s.things("others", others...)

	// Subscribes to no notification, and has asked before there was a job.
	late, _ := s.device("late", 0, mayAll)
	late.Subscribe(1, topicOf("late", "start-next/accepted"))
	begins("late", late)
	s.advance("1s")
	// May not receive what it has subscribed to.
	deaf, _ := s.device("deaf", 0, mayConnect, mayPublish, maySubscribe)
	deaf.Subscribe(1, topicOf("deaf", "notify-next"))
	// Has a certificate that is switched off.
	s.inactive("inactive")
	// Has a certificate without a policy, and has never come.
	s.certificate("stranger")
	busy, _ := s.device("busy", 0, mayAll)
	busy.Subscribe(1, topicOf("busy", "start-next/accepted"))
	elsewhere, _ := s.device("elsewhere", 0, mayAll)
	elsewhere.Subscribe(1, dataplane.Topic{Kind: dataplane.NotifyNext, Thing: "elsewhere", Namespace: "other"}.String())
	told, _ := s.device("told", 0, mayAll)
	told.Subscribe(1, topicOf("told", "notify-next"))
	hung, _ := s.device("hung", 0, mayAll)
	hung.Subscribe(1, topicOf("hung", "notify-next"), topicOf("hung", "start-next/accepted"))
	lost, _ := s.device("lost", 0, mayAll)
	lost.Subscribe(1, topicOf("lost", "start-next/accepted"))
	stale, _ := s.device("stale", 0, mayAll)
	stale.Subscribe(1, topicOf("stale", "start-next/accepted"), topicOf("stale", "+/update/rejected"))
	hasty, _ := s.device("hasty", 0, mayAll)
	hasty.Subscribe(1, topicOf("hasty", "notify"), topicOf("hasty", "+/get/rejected"))
	linked, _ := s.device("linked", 0, mayAll)
	linked.Subscribe(1, topicOf("linked", "start-next/accepted"))

	s.call("PUT", "/jobs/before", object{"targets": []string{thingOf("busy")}, "document": "{}"}, nil)
	begins("busy", busy)
	s3Request(t, s.ready, s.admin, "PUT", "/lab", "", "")
	s3Request(t, s.ready, s.admin, "PUT", "/lab/fw.bin", "firmware", "")
	s.call("PUT", "/jobs/links", object{
		"targets": []string{thingOf("linked")}, "document": `{"url":"${aws:iot:s3-presigned-url:https://s3.amazonaws.com/lab/fw.bin}"}`,
		"presignedUrlConfig": object{"roleArn": "arn:aws:iam::000000000000:role/downloads", "expiresInSec": 600},
	}, nil)
	begins("linked", linked)
	s.call("PUT", "/jobs/fw", object{"targets": []string{groupOf("all"), groupOf("others")}, "document": "{}"}, nil)
	s.call("PUT", "/jobs/spaced", object{"targets": []string{thingOf("told")}, "document": "{}", "namespaceId": "other"}, nil)
	for _, thing := range others {
		s.next(thing)
	}
	for thing, c := range map[string]*mqtttest.Client{"hung": hung, "lost": lost, "stale": stale} {
		begins(thing, c)
	}
	hears(told, topicOf("told", "notify-next"))
	s.advance("1m")
	for _, thing := range others {
		s.report(thing, "fw", object{"status": "SUCCEEDED"})
	}
	lost.Close()
	says(stale, topicOf("stale", "fw/update"), `{"status":"SUCCEEDED","expectedVersion":"1"}`)
	hears(stale, topicOf("stale", "fw/update/rejected"))
	for range 12 {
		says(hasty, topicOf("hasty", "fw/get"), "{}")
	}
	hears(hasty, topicOf("hasty", "fw/get/rejected"))
	s.await(explain.Throttled, "hasty", "fw") // before the clock moves on
	s.eventually(explain.Throttled, "hasty", "fw")
	s.advance("2h")

	for thing, want := range map[string]explain.Code{
		"late": explain.NotListening, "deaf": explain.Refused, "inactive": explain.Refused, "stranger": explain.NeverConnected,
		"busy": explain.Behind, "elsewhere": explain.OtherNamespace, "told": explain.Told, "hung": explain.Silent, "lost": explain.Silent,
		"stale": explain.AsksWrongly,
	} {
		s.await(want, thing, "fw")
		if e := s.explained(want, thing, "fw"); thing == "inactive" && !strings.Contains(e.Say, "INACTIVE") {
			t.Errorf("of a certificate that is switched off it says %q", e.Say)
		}
	}
	s.eventually(explain.LinkExpired, "linked", "links")
}

// says publishes a message that is not acknowledged.
func says(c *mqtttest.Client, topic, payload string) {
	c.Send(&packet.Publish{Topic: topic, Payload: []byte(payload)})
}

// begins has a device start its next job, if there is one.
func begins(thing string, c *mqtttest.Client) {
	says(c, topicOf(thing, "start-next"), "{}")
	hears(c, topicOf(thing, "start-next/accepted"))
}

// inactive has a thing try to connect with a certificate that is not active.
func (s *puzzles) inactive(thing string) {
	s.t.Helper()
	id := ""
	pair := s.certificate(thing, mayAll)
	for i, text := range s.secret {
		if text == "CERTIFICATE-OF-"+thing && len(s.secret[i-1]) == 64 {
			id = s.secret[i-1]
		}
	}
	s.call("PUT", "/certificates/"+id+"?newStatus=INACTIVE", nil, nil)
	if _, ack := s.connect(thing, 0, pair); ack.Reason == packet.Success {
		s.t.Error("a device with a certificate that is not active may connect")
	}
}
