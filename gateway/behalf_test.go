package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
)

// stranger is a sender without a connection, who may do what the policy of the bench says.
func (b *bench) stranger(t *testing.T) Grant {
	t.Helper()
	a, err := b.policy.Connect(t.Context(), Connect{ClientID: "stranger"})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestPublishAsReachesSubscribersAsAClientWould(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{})
		c := b.connect(packet.V5, "lamp")
		c.Subscribe(1, "a")
		err := b.PublishAs(t.Context(), b.stranger(t), Message{
			Topic: "a", Payload: []byte("on"), QoS: 1, Properties: packet.Properties(nil).WithUser("k", "v"),
		})
		if err != nil {
			t.Fatalf("PublishAs = %v, want it taken", err)
		}
		if p := c.ExpectMessage("a", "on"); p.QoS != 1 || len(p.Forward) == 0 {
			t.Errorf("the subscriber got QoS %d and properties %q, want 1 and a user property", p.QoS, p.Forward)
		}
	})
}

func TestPublishAsRefusesWhatAClientMayNotPublish(t *testing.T) {
	b := newBench(t, Options{Reserved: echo{}, Limits: Limits{Payload: 10}})
	b.policy.deny("publish forbidden", "retain quiet")
	for name, tt := range map[string]struct {
		m    Message
		want error
	}{
		"a wildcard":                   {Message{Topic: "a/+"}, ErrTopic},
		"no topic":                     {Message{}, ErrTopic},
		"too large":                    {Message{Topic: "a", Payload: make([]byte, 11)}, ErrTooLarge},
		"a topic that policy denies":   {Message{Topic: "forbidden"}, ErrRefused},
		"retained where that is":       {Message{Topic: "quiet", Retain: true}, ErrRefused},
		"not retained, where retained": {Message{Topic: "quiet"}, nil},
		"a reserved topic of nobody":   {Message{Topic: "$aws/events/x"}, ErrRefused},
		"a retained request":           {Message{Topic: "$aws/things/t/jobs/get", Retain: true}, ErrRefused},
	} {
		if err := b.PublishAs(t.Context(), b.stranger(t), tt.m); !errors.Is(err, tt.want) {
			t.Errorf("%s: PublishAs(%+v) = %v, want %v", name, tt.m, err, tt.want)
		}
	}
}

// recorded is a Reserved that serves everything and remembers.
type recorded struct{ requests []Request }

func (*recorded) Use(string) Use { return Served }
func (r *recorded) Request(in Request, reply func(string, []byte)) {
	r.requests = append(r.requests, in)
	reply(in.Topic+"/accepted", nil)
}

func TestMQ76ARequestWithoutAConnectionIsServedAndItsReplyGoesNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		served := &recorded{}
		b := newBench(t, Options{Reserved: served})
		c := b.connect(packet.V311, "lamp")
		c.Subscribe(1, "$aws/things/lamp/jobs/get/accepted")
		m := Message{Topic: "$aws/things/lamp/jobs/get", Payload: []byte("{}")}
		if err := b.PublishAs(t.Context(), b.stranger(t), m); err != nil {
			t.Fatalf("PublishAs = %v, want it served", err)
		}
		if len(served.requests) != 1 || served.requests[0].Topic != m.Topic || string(served.requests[0].Payload) != "{}" {
			t.Errorf("the service got %+v, want one request %s {}", served.requests, m.Topic)
		}
		c.ExpectNothing()
	})
}

// stuck is a session store whose writes wait until it is released.
type stuck struct {
	SessionStore
	released chan struct{}
}

func (s stuck) Write(ctx context.Context, changes []Change) error {
	<-s.released
	return s.SessionStore.Write(ctx, changes)
}

func TestPublishAsEndsWithItsContext(t *testing.T) {
	sessions := stuck{NewMemorySessions(), make(chan struct{})}
	b := newBench(t, Options{Sessions: sessions})
	defer close(sessions.released)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := b.PublishAs(ctx, b.stranger(t), Message{Topic: "a", Payload: []byte("x"), Retain: true})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("PublishAs with a context that has ended = %v, want context.Canceled", err)
	}
}

func TestMQ61RetainedMessagesCanBeLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sessions := NewMemorySessions()
		b := newBench(t, Options{Sessions: sessions})
		began := time.Now()
		for i := range 30 {
			m := Message{Topic: fmt.Sprintf("t/%02d", (i*7)%30), Payload: []byte("x"), QoS: 1, Retain: true}
			if i == 5 {
				m.Expiry = time.Minute
			}
			if err := b.PublishAs(t.Context(), b.stranger(t), m); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		b.stop()
		b = newBench(t, Options{Sessions: sessions})

		r, ok := b.Retained("t/03")
		if !ok || r.Topic != "t/03" || string(r.Payload) != "x" || r.QoS != 1 || !r.Modified.Equal(began) {
			t.Errorf("Retained(t/03) = %+v, %v; want x at QoS 1 as of %v", r, ok, began)
		}
		if r, ok := b.Retained("t/05"); ok {
			t.Errorf("Retained(t/05) = %+v, want none: it has expired", r)
		}
		var pages []string
		for after := ""; ; {
			page := b.RetainedAfter(after, 12)
			if len(page) == 0 {
				break
			}
			for _, r := range page {
				pages, after = append(pages, r.Topic[2:]), r.Topic
			}
			pages = append(pages, "|")
		}
		const want = "00 01 02 03 04 06 07 08 09 10 11 12 | 13 14 15 16 17 18 19 20 21 22 23 24 | 25 26 27 28 29 |"
		if got := strings.Join(pages, " "); got != want {
			t.Errorf("the pages are %s, want %s", got, want)
		}
	})
}
