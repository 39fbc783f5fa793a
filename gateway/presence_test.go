package gateway

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
)

func TestMQ88AConnectionHasALastHour(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, Options{})
			start := time.Now()
			c := b.openAs(v, Peer{Until: start.Add(24 * time.Hour)})
			c.Connect(packet.Connect{ClientID: "browser", Clean: true})
			for range 23*60 + 50 {
				time.Sleep(time.Minute)
				c.ExpectNothing()
			}
			time.Sleep(9*time.Minute + 55*time.Second)
			c.ExpectNothing()
			c.ExpectDisconnect(packet.NotAuthorized)
			if took := time.Since(start); took < 24*time.Hour || took > 24*time.Hour+5*time.Second {
				t.Errorf("ended after %v, want 24 h", took)
			}
		})
	})
}

func TestMQ90And91PresenceEvents(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		events := make(chan Presence, 10)
		b := newBench(t, Options{Presence: func(p Presence) { events <- p }})
		next := func(connected bool, version uint64, cause Cause) Presence {
			t.Helper()
			e := <-events
			if e.Connected != connected || e.Version != version || e.Cause != cause || e.Client.ClientID != "lamp" || e.Grant.Principal() != "someone" {
				t.Errorf("event %+v, want connected %v, version %d, cause %q", e, connected, version, cause)
			}
			return e
		}
		c := b.resume(v, "lamp", false)
		came := next(true, 1, None)
		fresh := b.resume(v, "lamp", true)
		c.ExpectDisconnect(packet.SessionTakenOver)
		if went := next(false, 1, DuplicateClientID); went.Session != came.Session || went.Session == "" {
			t.Errorf("the connection is %q and then %q", came.Session, went.Session)
		}
		if again := next(true, 2, None); again.Session == came.Session {
			t.Error("two connections have one identifier")
		}
		fresh.Send(&packet.Disconnect{})
		next(false, 2, ClientInitiated)
	})
}

func TestInterestEvents(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		var told []string
		b := newBench(t, Options{Interest: func(i Interest) {
			told = append(told, fmt.Sprintf("%v %s %v %s", i.Subscribed, i.ClientID, i.Topics, i.Grant.Principal()))
		}})
		b.policy.deny("subscribe no")
		c := b.connect(v, "lamp")
		c.Subscribe(1, "a", "no", "b")
		c.Subscribe(1, "no")
		c.Send(&packet.Unsubscribe{ID: 1, Filters: []string{"b"}})
		c.Next()
		c.ExpectNothing()
		if want := []string{"true lamp [a b] someone", "false lamp [b] someone"}; !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	})
}

func TestDisconnectClient(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		watcher := b.connect(v, "watcher")
		watcher.Subscribe(1, "gone")
		p := lasting("lamp")
		p.Will = &packet.Will{Topic: "gone", QoS: 1}
		for _, withWill := range []bool{true, false} {
			c := b.connectWith(v, p)
			if found, err := b.DisconnectClient(t.Context(), "lamp", withWill, false); !found || err != nil {
				t.Error("DisconnectClient found nobody")
			}
			c.ExpectDisconnect(packet.AdministrativeAction)
			if withWill {
				watcher.ExpectMessage("gone", "")
			}
		}
		watcher.ExpectNothing()
		c := b.resume(v, "lamp", true)
		b.DisconnectClient(t.Context(), "lamp", false, true)
		c.ExpectDisconnect(packet.AdministrativeAction)
		b.leave(b.resume(v, "lamp", false))
		first, _ := b.DisconnectClient(t.Context(), "lamp", false, true)
		if again, _ := b.DisconnectClient(t.Context(), "lamp", false, true); !first || again {
			t.Error("DisconnectClient of a session without connection: want true once, then false")
		}
	})
}

// receipts are what a server tells of messages with Latest.
func receipts(o Options) (Options, chan string) {
	told := make(chan string, 10)
	o.Receipt = func(r Receipt) { told <- fmt.Sprintf("%s %s %v", r.Topic, r.Payload, r.Acknowledged) }
	return o, told
}

func TestReceiptsTellWhatIsSentAndAcknowledged(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		o, told := receipts(Options{})
		b := newBench(t, o)
		expect := func(want ...string) {
			t.Helper()
			for _, want := range want {
				if got := <-told; got != want {
					t.Errorf("told %q, want %q", got, want)
				}
			}
			if len(told) > 0 {
				t.Errorf("told also %q", <-told)
			}
		}
		news := Message{Topic: "news", Payload: []byte("1"), QoS: 1, Latest: true}
		c := b.resume(v, "lamp", false)
		c.Subscribe(1, "news", "other")
		b.Publish(Message{Topic: "other", QoS: 1}, nil)
		c.ExpectMessage("other", "")
		b.Publish(news, nil)
		c.ExpectMessage("news", "1") // which acknowledges it
		expect("news 1 false", "news 1 true")
		b.leave(c)
		b.Publish(news, nil)
		expect()
		c = b.resume(v, "lamp", true)
		c.ExpectMessage("news", "1")
		expect("news 1 false", "news 1 true")
		c.Subscribe(0, "news")
		b.Publish(news, nil)
		c.ExpectMessage("news", "1")
		expect("news 1 false")
	})
}

func TestAPresenceSaysHowLongTheSessionKeepsMessages(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		events := make(chan Presence, 10)
		b := newBench(t, Options{Presence: func(p Presence) { events <- p }})
		for _, tt := range []struct {
			clean bool
			want  time.Duration
		}{{true, 0}, {false, time.Hour}} {
			c := b.connectWith(v, packet.Connect{ClientID: "lamp", Clean: tt.clean, Properties: expiring(v, tt.want)})
			if came := <-events; came.Keeps != 0 {
				t.Errorf("on connect the session keeps messages for %v", came.Keeps)
			}
			c.Send(&packet.Disconnect{})
			if went := <-events; v == packet.V5 && went.Keeps != tt.want || (went.Keeps == 0) != tt.clean {
				t.Errorf("clean %v: the session keeps messages for %v, want %v", tt.clean, went.Keeps, tt.want)
			}
		}
	})
}

// expiring returns the properties of a CONNECT whose session is to be kept, as far as the version has them.
func expiring(version byte, kept time.Duration) (p packet.Properties) {
	if version == packet.V5 && kept > 0 {
		p = p.WithInt(packet.SessionExpiry, uint32(kept/time.Second))
	}
	return p
}
