package door

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/packet"
)

// echo answers each request with its payload.
type echo struct{}

func (echo) Use(string) gateway.Use { return gateway.Served }

func (echo) Request(r gateway.Request, reply func(topic string, payload []byte)) {
	reply(r.Topic+"/accepted", r.Payload)
}

// BenchmarkRequestOverTLS is one jobs request of a busy connection over loopback TLS, the client's part included: what it costs that
// connections give back what an idle one does not need.
func BenchmarkRequestOverTLS(b *testing.B) {
	for _, slim := range []bool{false, true} {
		b.Run(fmt.Sprint("slim=", slim), func(b *testing.B) {
			s, err := gateway.New(b.Context(), gateway.Options{
				Authorizer: anybody{}, Reserved: echo{}, SlimTLS: slim, Limits: gateway.Limits{PublishRate: 1 << 30},
			})
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			var running sync.WaitGroup
			running.Go(func() { s.Run(ctx) })
			b.Cleanup(func() { cancel(); running.Wait() })
			_, addr, _ := open(b, MQTTS, func(o *Options) { o.MQTT, o.Wrap = s.ServeTLS, s.Wrap })
			device := newCertificate(b, ecdsaKey())
			request := (&packet.Publish{Topic: "$aws/things/t/jobs/get", Payload: make([]byte, 330), QoS: 1, ID: 1}).Append(nil, packet.V311)
			answer := (&packet.Publish{Topic: "$aws/things/t/jobs/get/accepted", Payload: make([]byte, 330)}).Size(packet.V311) + 4
			work := make(chan struct{}, 50)
			var clients sync.WaitGroup
			for i := range cap(work) {
				c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{device}})
				if err != nil {
					b.Fatal(err)
				}
				connect := &packet.Connect{Version: packet.V311, ClientID: fmt.Sprint(i), Clean: true}
				c.Write(connect.Append(nil, packet.V311))
				clients.Go(func() {
					defer c.Close()
					buf := make([]byte, answer)
					io.ReadFull(c, buf[:4])
					for range work {
						c.Write(request)
						if _, err := io.ReadFull(c, buf); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			b.ReportAllocs()
			for b.Loop() {
				work <- struct{}{}
			}
			close(work)
			clients.Wait()
		})
	}
}
