package sessions

import (
	"strconv"

	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
)

// numbers are n payloads in order.
func numbers(n int) []string {
	payloads := make([]string, n)
	for i := range payloads {
		payloads[i] = strconv.Itoa(i)
	}
	return payloads
}

// expectInOrder takes and acknowledges the messages from..to of numbers.
func expectInOrder(c *mqtttest.Client, topic string, from, to int) {
	for i := from; i < to; i++ {
		c.ExpectMessage(topic, strconv.Itoa(i))
	}
}

// holding connects a lamp that holds one message it has not acknowledged.
func (r *room) holding(topic string) (*mqtttest.Client, *packet.Publish) {
	r.Helper()
	c := r.lamp(false, nil)
	c.Subscribe(1, topic)
	r.say(topic, "held")
	return c, c.ExpectUnacknowledged(topic, "held")
}

func unacknowledgedIsSentAgain(r *room) {
	a := r.topic("a")
	c, first := r.holding(a)
	c.Close()
	c = r.lamp(true, nil)
	if again := c.ExpectMessage(a, "held"); !again.Dup || again.ID != first.ID {
		r.Errorf("sent again with id %d, DUP %v; want id %d, true", again.ID, again.Dup, first.ID)
	}
	c.ExpectNothing()
}

func acknowledgedIsNotSentAgain(r *room) {
	a := r.topic("a")
	c, held := r.holding(a)
	c.Send(&packet.Puback{ID: held.ID})
	c.ExpectNothing()
	r.leave(c)
	r.lamp(true, nil).ExpectNothing()
}

// publishWithTheSameID tests that the packet ids of the two directions are independent.
func publishWithTheSameID(r *room) {
	a := r.topic("a")
	c, held := r.holding(a)
	c.Send(&packet.Publish{Topic: r.topic("b"), QoS: 1, ID: held.ID})
	r.expectPuback(c, held.ID)
	c.Close()
	r.lamp(true, nil).ExpectMessage(a, "held")
}

func subscribeWithTheSameID(r *room) {
	a, b := r.topic("a"), r.topic("b")
	c, held := r.holding(a)
	c.Send(&packet.Subscribe{ID: held.ID, Subscriptions: []packet.Subscription{{Filter: b, QoS: 1}}})
	c.Expect(&packet.Suback{ID: held.ID, Reasons: []packet.Reason{packet.GrantedQoS1}})
	c.Send(&packet.Unsubscribe{ID: held.ID, Filters: []string{b}})
	c.Expect(&packet.Unsuback{ID: held.ID, Reasons: []packet.Reason{packet.Success}})
	c.Close()
	r.lamp(true, nil).ExpectMessage(a, "held")
}

func queuedMessagesComeInOrder(r *room) {
	a := r.topic("a")
	c := r.lamp(false, nil)
	c.Subscribe(1, a)
	r.leave(c)
	r.say(a, numbers(90)...)
	c = r.lamp(true, nil)
	expectInOrder(c, a, 0, 90)
	c.ExpectNothing()
}

func nothingIsQueuedForACleanSession(r *room) {
	a := r.topic("a")
	c := r.visitor("lamp")
	c.Subscribe(1, a)
	r.leave(c)
	r.say(a, "x")
	r.lamp(false, nil).ExpectNothing()
}

// narrow is a Receive Maximum of 5.
var narrow = packet.Properties(nil).WithInt(packet.ReceiveMaximum, 5)

// expectFiveInFlight takes 50 messages of which at most five are unacknowledged at a time, and always five if there are.
func (r *room) expectFiveInFlight(c *mqtttest.Client, topic string) {
	r.Helper()
	var held []uint16
	for i := range 50 {
		if len(held) == 5 {
			c.ExpectNothing()
			c.Send(&packet.Puback{ID: held[0]})
			held = held[1:]
		}
		held = append(held, c.ExpectUnacknowledged(topic, strconv.Itoa(i)).ID)
	}
	c.ExpectNothing()
}

func receiveMaximumOnline(r *room) {
	a := r.topic("a")
	c := r.lamp(false, narrow)
	c.Subscribe(1, a)
	r.say(a, numbers(50)...)
	r.expectFiveInFlight(c, a)
}

func receiveMaximumOnResume(r *room) {
	a := r.topic("a")
	c := r.lamp(false, narrow)
	c.Subscribe(1, a)
	r.leave(c)
	r.say(a, numbers(50)...)
	r.expectFiveInFlight(r.lamp(true, narrow), a)
}

func burstToAReadingClient(r *room) {
	a := r.topic("a")
	c := r.lamp(false, nil)
	c.Subscribe(1, a)
	r.say(a, numbers(900)...)
	expectInOrder(c, a, 0, 900)
	c.ExpectNothing()
}
