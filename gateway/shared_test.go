package gateway

import (
	"fmt"
	"testing"

	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
)

func TestMQ46SharedSubscriptions(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		one, two, plain := b.resume(v, "one", false), b.resume(v, "two", false), b.connect(v, "plain")
		one.Subscribe(1, "$share/g/a/+")
		two.Subscribe(1, "$share/g/a/+", "$share/h/#")
		plain.Subscribe(1, "a/#")
		const n = 80 // all fit into the window
		for i := range n {
			b.say("a/b", fmt.Sprint(i))
			plain.ExpectMessage("a/b", fmt.Sprint(i))
		}
		// Group g gives each message to one or two; group h always to two, who gets it once even if it has it from both.
		ones := 0
		one.Send(packet.Pingreq{})
		for p, ok := one.Next().(*packet.Publish); ok; p, ok = one.Next().(*packet.Publish) {
			one.Send(&packet.Puback{ID: p.ID})
			ones++
		}
		if ones < n/4 || ones > 3*n/4 {
			t.Errorf("one member of two got %d of %d messages", ones, n)
		}
		for i := range n {
			two.ExpectMessage("a/b", fmt.Sprint(i))
		}
		two.ExpectNothing()

		b.leave(one)
		for i := range 20 {
			b.say("a/b", fmt.Sprint(i)) // two is there and gets them all
			two.ExpectMessage("a/b", fmt.Sprint(i))
		}
		two.Send(&packet.Unsubscribe{ID: 1, Filters: []string{"$share/h/#"}})
		two.Next()
		b.leave(two)
		for i := range 20 {
			b.say("a/b", fmt.Sprint(i)) // all are away: queued for one of them each
		}
		one, two = b.resume(v, "one", true), b.resume(v, "two", true)
		got := 0
		for _, c := range []*mqtttest.Client{one, two} {
			c.Send(packet.Pingreq{})
			for p, ok := c.Next().(*packet.Publish); ok; p, ok = c.Next().(*packet.Publish) {
				c.Send(&packet.Puback{ID: p.ID})
				got++
			}
		}
		if got != 20 {
			t.Errorf("%d of 20 messages queued for the group arrived", got)
		}
	})
}
