package gateway

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
)

// dribble is a connection that, once slow, reads a byte a second.
type dribble struct {
	net.Conn
	slow atomic.Bool
}

func (d *dribble) Read(p []byte) (int, error) {
	if d.slow.Load() && len(p) > 0 {
		time.Sleep(time.Second)
		p = p[:1]
	}
	return d.Conn.Read(p)
}

// TestAClientThatReadsAByteASecondDelaysNobody: among 200 who are told something every second, one that reads a byte in that time is
// given up, without a moment's delay for the others. When it comes back it gets what it had not acknowledged and the
// newest.
func TestAClientThatReadsAByteASecondDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const others, rounds = 200, 120
		b := newBench(t, Options{Log: quiet})
		payload := func(round int) string { return fmt.Sprintf("%03d %s", round, strings.Repeat("x", 2000)) }
		tell := func(client string, round int) {
			b.Publish(Message{Topic: "notify/" + client, Payload: []byte(payload(round)), QoS: 1, Latest: true}, nil)
		}
		var fast [others]*mqtttest.Client
		for i := range fast {
			fast[i] = b.connect(packet.V5, fmt.Sprint(i))
			fast[i].Subscribe(1, fmt.Sprint("notify/", i))
		}
		ours, theirs := net.Pipe()
		go b.ServeConn(ours, Peer{Addr: "pipe"})
		line := &dribble{Conn: theirs}
		slow := mqtttest.New(t, line, packet.V5)
		slow.Connect(lasting("slow"))
		slow.Subscribe(1, "notify/slow")
		line.slow.Store(true)
		connected := 0 // rounds for which the slow one was
		for round := range rounds {
			began := time.Now()
			tell("slow", round)
			for i := range fast {
				tell(fmt.Sprint(i), round)
			}
			for i := range fast {
				fast[i].ExpectMessage(fmt.Sprint("notify/", i), payload(round))
			}
			if waited := time.Since(began); waited != 0 {
				t.Fatalf("in round %d the others waited %v", round, waited)
			}
			if b.Stats().Connections > others {
				connected++
			}
			time.Sleep(time.Second)
		}
		if connected > 60 {
			t.Errorf("the slow client was connected for %d s, want it given up after about 30", connected)
		}
		again := b.resume(packet.V5, "slow", true)
		synctest.Wait()
		kept, last := 0, ""
		for ; again.Heard(); kept++ {
			p := again.Next().(*packet.Publish)
			if string(p.Payload) <= last {
				t.Fatalf("it is told %.3s after %.3s", p.Payload, last)
			}
			last = string(p.Payload)
			again.Send(&packet.Puback{ID: p.ID})
			synctest.Wait()
		}
		if most := connected + 2; kept > most { // those that were sent, and the newest
			t.Errorf("%d messages were kept for it, want %d at most", kept, most)
		}
		if last != payload(rounds-1) {
			t.Errorf("the last of them is %.3s, want the newest", last)
		}
	})
}
