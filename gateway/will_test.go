package gateway

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
)

func TestWillDelay(t *testing.T) {
	const delay, expiry = 60, 600
	for name, test := range map[string]struct {
		after func(b *bench)
		sent  time.Duration // after the connection was lost; 0 for never
	}{
		"it comes after its delay": {func(*bench) {}, delay * time.Second},
		"the client is back in time": {func(b *bench) {
			time.Sleep(30 * time.Second)
			b.resume(packet.V5, "lamp", true)
		}, 0},
		"the client starts anew: the old session ends": {func(b *bench) {
			time.Sleep(30 * time.Second)
			b.connect(packet.V5, "lamp")
		}, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, Options{})
				watcher := b.connectWith(packet.V5, packet.Connect{ClientID: "watcher", Clean: true, KeepAlive: 1200})
				watcher.Subscribe(1, "gone")
				c := b.connectWith(packet.V5, packet.Connect{ClientID: "lamp", KeepAlive: 1200,
					Properties: packet.Properties(nil).WithInt(packet.SessionExpiry, expiry),
					Will:       &packet.Will{Topic: "gone", QoS: 1, Properties: packet.Properties(nil).WithInt(packet.WillDelay, delay).WithUser("k", "v")}})
				b.leave(c)
				lost := time.Now()
				test.after(b)
				for time.Since(lost) < 10*time.Minute && !watcher.Heard() {
					time.Sleep(time.Second)
					synctest.Wait()
				}
				if test.sent == 0 {
					watcher.ExpectNothing()
					return
				}
				if took := time.Since(lost); took < test.sent || took > test.sent+3*time.Second {
					t.Errorf("the will came after %v, want %v", took, test.sent)
				}
				want := packet.Properties(nil).WithUser("k", "v")
				if got := watcher.ExpectMessage("gone", ""); string(got.Forward) != string(want) {
					t.Errorf("will properties %x, want %x", got.Forward, want)
				}
			})
		})
	}
}

func TestWillDelayEndsWithTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{})
		watcher := b.connect(packet.V5, "watcher")
		watcher.Subscribe(1, "gone")
		b.leave(b.connectWith(packet.V5, packet.Connect{ClientID: "lamp",
			Properties: packet.Properties(nil).WithInt(packet.SessionExpiry, 10),
			Will:       &packet.Will{Topic: "gone", QoS: 1, Properties: packet.Properties(nil).WithInt(packet.WillDelay, 1000)}}))
		lost := time.Now()
		time.Sleep(5 * time.Second)
		watcher.ExpectMessage("gone", "")
		if took := time.Since(lost); took < 9*time.Second || took > 12*time.Second {
			t.Errorf("the will came after %v, want 10 s", took)
		}
	})
}
