package sessions

import (
	"fmt"

	"github.com/muster-iot/muster/gateway/packet"
)

// The tests of this file check the profile of AWS where it differs from MQTT (mqtt-broker.md): another broker fails them.

func retainedOnlyForExactFilters(r *room) {
	r.retain(r.topic("a"), "x")
	c := r.visitor("lamp")
	c.Subscribe(1, r.topic("+"), r.topic("#"))
	c.ExpectNothing()
	r.retain(r.topic("a"), "")
}

func hashDoesNotMatchTheParent(r *room) {
	c := r.visitor("lamp")
	c.Subscribe(1, r.topic("a/#"))
	r.say(r.topic("a"), "parent")
	r.say(r.topic("a/b"), "child")
	c.ExpectMessage(r.topic("a/b"), "child")
}

func qos2IsRefused(r *room) {
	c := r.visitor("lamp")
	c.Send(&packet.Publish{Topic: r.topic("a"), QoS: 2, ID: 1})
	c.ExpectDisconnect(packet.QoSNotSupported)
}

func eightFiltersAtMost(r *room) {
	c := r.visitor("lamp")
	p := &packet.Subscribe{ID: 1}
	for i := range 9 {
		p.Subscriptions = append(p.Subscriptions, packet.Subscription{Filter: r.topic(fmt.Sprint(i))})
	}
	c.Send(p)
	c.ExpectDisconnect(packet.QuotaExceeded)
}
