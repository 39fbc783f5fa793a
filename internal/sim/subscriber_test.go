package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
)

// subscriber is a client of MQTT 3.1.1 with a session that is kept: in the end it
// must have the newest notify-next of a thing, whatever happens before.
type subscriber struct {
	s     *site
	thing string

	mu   sync.Mutex
	head string // as it was told last
}

// run stays connected until ctx ends.
func (u *subscriber) run(ctx context.Context) {
	for ctx.Err() == nil {
		c, err := u.s.network.dialMQTT(ctx)
		if err == nil {
			stop := context.AfterFunc(ctx, func() { c.Close() })
			u.listen(c)
			stop()
			c.Close()
		}
		sleeps(ctx, time.Minute)
	}
}

// listen receives messages until the connection ends.
func (u *subscriber) listen(c net.Conn) {
	send := func(p packet.Packet) { _, _ = c.Write(p.Append(nil, packet.V311)) }
	send(&packet.Connect{Version: packet.V311, ClientID: "subscriber-" + u.thing})
	var have []byte
	buf := make([]byte, 64<<10)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		have = append(have, buf[:n]...)
		for {
			f, taken, err := packet.Cut(have, 1<<20)
			if err != nil {
				u.s.fail("%s: %v", u.thing, err)
				return
			}
			if taken == 0 {
				break
			}
			p, err := packet.Parse(packet.Frame{Header: f.Header, Body: bytes.Clone(f.Body)}, packet.V311)
			if err != nil {
				u.s.fail("%s: %v", u.thing, err)
				return
			}
			have = have[taken:]
			switch p := p.(type) {
			case *packet.Connack:
				if p.Reason != 0 {
					u.s.fail("the subscriber of %s was refused: %v", u.thing, p.Reason)
					return
				}
				if !p.SessionPresent {
					send(&packet.Subscribe{ID: 1, Subscriptions: []packet.Subscription{{Filter: "$aws/things/" + u.thing + "/jobs/notify-next", QoS: 1}}})
				}
			case *packet.Publish:
				u.hear(p.Payload)
				send(&packet.Puback{ID: p.ID})
			}
		}
	}
}

func (u *subscriber) hear(payload []byte) {
	var m struct {
		Execution *struct {
			JobID           string `json:"jobId"`
			ExecutionNumber int64  `json:"executionNumber"`
		} `json:"execution"`
	}
	if err := json.Unmarshal(payload, &m); err != nil {
		u.s.fail("%s was sent %q: %v", u.thing, payload, err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.head = ""
	if m.Execution != nil {
		u.head = fmt.Sprintf("%s#%d", m.Execution.JobID, m.Execution.ExecutionNumber)
	}
}

func (u *subscriber) told() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.head
}
