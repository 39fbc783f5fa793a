package gateway

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
)

func TestAClientThatAlternatesBetweenNodesHasOneConnection(t *testing.T) {
	for name, test := range map[string]struct {
		bus   func() *lossy
		down  bool
		bound time.Duration
	}{
		"good bus": {func() *lossy { return newLossy(0, 0, 100*time.Microsecond) }, false, 50 * time.Millisecond},
		"bad bus":  {func() *lossy { return newLossy(0.2, 0.2, 20*time.Millisecond) }, false, 2 * time.Second},
		"no bus":   {func() *lossy { return newLossy(0, 0, 0) }, true, epochTime + time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newNodesBench(t, 3, test.bus())
				b.bus.setDown(test.down)
				rnd := rand.New(rand.NewPCG(1, 1))
				var old *mqtttest.Client
				for i := range 1000 {
					n := b.all[rnd.IntN(3)]
					clean := i%3 == 0
					c := n.open(packet.V5)
					hello := lasting("lamp")
					hello.Clean = clean
					if ack := c.Connect(hello); ack.Reason != packet.Success || ack.SessionPresent != (!clean && i > 0) {
						t.Fatalf("connection %d: %v, session present %v", i, ack.Reason, ack.SessionPresent)
					}
					if old != nil {
						began := time.Now()
						old.ExpectDisconnect(packet.SessionTakenOver)
						if took := time.Since(began); took > test.bound {
							t.Fatalf("the connection before was alive for %v", took)
						}
					}
					old = c
				}
			})
		})
	}
}

func TestVersionsOfPresenceRiseOnAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newNodesBench(t, 2, newLossy(0, 0, time.Millisecond))
		var mu sync.Mutex
		var seen []Presence
		for _, n := range b.all {
			n.o.Presence = func(p Presence) {
				mu.Lock()
				defer mu.Unlock()
				seen = append(seen, p)
			}
		}
		for i := range 10 {
			c := b.all[i%2].connect(packet.V5, "lamp")
			if i%3 == 0 {
				b.all[i%2].leave(c)
			}
			time.Sleep(time.Second)
		}
		mu.Lock()
		defer mu.Unlock()
		var last uint64
		of := map[string]uint64{}
		for _, p := range seen {
			if p.Connected {
				if p.Version <= last {
					t.Errorf("version %d after %d", p.Version, last)
				}
				last, of[p.Session] = p.Version, p.Version
			} else if of[p.Session] != p.Version {
				t.Errorf("connected with version %d, gone with %d", of[p.Session], p.Version)
			}
		}
		if len(of) != 10 {
			t.Errorf("%d connections were reported", len(of))
		}
	})
}

func TestACleanSessionLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newNodesBench(t, 2, newLossy(0, 0, time.Millisecond))
		b.all[0].connect(packet.V5, "lamp")
		c := b.all[1].connect(packet.V5, "lamp")
		b.all[1].leave(c)
		kept := b.all[0].resume(packet.V5, "kept", false)
		b.all[0].leave(kept)
		b.all[1].leave(b.all[1].connectWith(packet.V5, packet.Connect{ClientID: "kept", Clean: true})) // ends the session
		time.Sleep(time.Second)
		if err := b.store.EachHold(t.Context(), func(client string, h Hold) error { return fmt.Errorf("%q is held: %+v", client, h) }); err != nil {
			t.Error(err)
		}
		b.all[1].resume(packet.V5, "kept", false)
	})
}

func TestAStoreThatIsAwayIsServerUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newNodesBench(t, 1, newLossy(0, 0, time.Millisecond))
		b.all[0].store.mu.Lock()
		b.all[0].store.dead = true
		b.all[0].store.mu.Unlock()
		if ack := b.all[0].open(packet.V311).Connect(packet.Connect{ClientID: "lamp", Clean: true}); ack.Reason != 3 {
			t.Errorf("CONNACK %d, want 3, server unavailable", ack.Reason)
		}
	})
}

// A node that was cut off finds out by its next write, and nothing that it is given for the client is lost.
func TestWhatANodeCannotStoreGoesToTheNewHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newNodesBench(t, 3, newLossy(0, 0, time.Millisecond))
		old := b.all[0].resume(packet.V5, "lamp", false)
		old.Subscribe(1, "a")
		if _, err := b.store.Claim(t.Context(), 2, []Claim{{Client: "lamp", Version: 5, Principal: "someone"}}); err != nil { // as if the second node did, which is slow
			t.Fatal(err)
		}
		stored := make(chan error, 1)
		b.all[2].Publish(Message{Topic: "a", Payload: []byte("x"), QoS: 1}, func(err error) { stored <- err })
		old.ExpectUnacknowledged("a", "x") // it may get it; nobody knew
		old.ExpectDisconnect(packet.SessionTakenOver)
		if err := <-stored; err != nil {
			t.Fatal(err)
		}
		c := b.all[2].resume(packet.V5, "lamp", true)
		c.ExpectNothing() // the second node had no such session, and so had ended it
	})
}

func TestSessionsOfADeadNodeAreAdopted(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, b *nodesBench) {
		dead := b.all[0]
		c := dead.resume(packet.V5, "lamp", false)
		c.Subscribe(1, "a", "$aws/things/lamp/jobs/notify")
		dead.leave(c)
		connected := dead.resume(packet.V5, "connected", false)
		connected.Subscribe(1, "a")
		sender := b.all[1].connect(packet.V5, "sender")
		for i := range 10 {
			sender.Publish("a", fmt.Sprint(i))
		}
		b.kill(dead)
		for i := range 10 { // its acknowledgement waits for those who adopt the sessions
			sender.Send(&packet.Publish{Topic: "a", Payload: fmt.Append(nil, 10+i), QoS: 1, ID: uint16(i + 1)})
		}
		time.Sleep(8 * time.Second)
		for i := range 10 {
			sender.Expect(&packet.Puback{ID: uint16(i + 1)})
		}
		if sender.Publish("a", "20"); len(b.all[1].heardAgain())+len(b.all[2].heardAgain()) != 1 {
			t.Error("the subscriber to notify is not told anew")
		}
		time.Sleep(time.Second)
		for _, client := range []string{"lamp", "connected"} {
			c := b.all[2].resume(packet.V5, client, true)
			for i := range 21 {
				c.ExpectMessage("a", fmt.Sprint(i))
			}
			c.ExpectNothing()
		}
	})
}

func TestSessionsOfANodeThatStopsAreAdopted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newNodesBench(t, 2, newLossy(0, 0, time.Millisecond))
		c := b.all[0].resume(packet.V5, "lamp", false)
		c.Subscribe(1, "a")
		b.all[0].stop()
		b.gone(b.all[0])
		c.ExpectDisconnect(packet.ServerShuttingDown)
		time.Sleep(4 * time.Second)
		if got := b.all[1].Stats().Sessions; got != 1 {
			t.Fatalf("%d sessions after the other node has stopped", got)
		}
		b.all[1].connect(packet.V5, "sender").Publish("a", "x")
		time.Sleep(50 * time.Minute)
		c = b.all[1].resume(packet.V5, "lamp", true)
		c.ExpectMessage("a", "x")
		b.all[1].leave(c)
		time.Sleep(time.Hour + 2*time.Second)
		if got := b.all[1].Stats().Sessions; got != 0 {
			t.Errorf("%d sessions after its time", got)
		}
	})
}

// Sessions that a server stored which was alone have no holder, and are adopted when the first node starts.
func TestSessionsOfAServerThatWasAloneAreAdopted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewMemorySessions()
		alone := newBench(t, Options{Sessions: store})
		alone.resume(packet.V5, "lamp", false).Subscribe(1, "a")
		alone.stop()
		b := newNodesBench(t, 0, newLossy(0, 0, time.Millisecond))
		b.store = store
		b.start()
		time.Sleep(5 * time.Second)
		b.all[0].say("a", "x")
		b.all[0].resume(packet.V5, "lamp", true).ExpectMessage("a", "x")
	})
}

func TestOneMemberOfAllNodesGetsAMessage(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, b *nodesBench) {
		got := map[string]int{}
		var mu sync.Mutex
		var members []*mqtttest.Client
		for i, n := range b.all {
			c := n.resume(packet.V5, fmt.Sprint("member", i), false)
			c.Subscribe(1, "$share/g/a/+", "$share/other/b")
			members = append(members, c)
		}
		absent := b.all[0].resume(packet.V5, "absent", false)
		absent.Subscribe(1, "$share/g/a/+")
		b.all[0].leave(absent)
		time.Sleep(time.Second)
		sender := b.all[1].connect(packet.V5, "sender")
		for i := range 60 {
			sender.Publish(fmt.Sprint("a/", i), "x")
		}
		time.Sleep(3 * time.Second)
		per := make([]int, len(members))
		for i, c := range members {
			for c.Heard() {
				p := c.Next().(*packet.Publish)
				c.Send(&packet.Puback{ID: p.ID})
				mu.Lock()
				got[p.Topic]++
				mu.Unlock()
				per[i]++
				time.Sleep(time.Millisecond)
			}
		}
		if len(got) != 60 || slices.Max(per) > 40 || slices.Min(per) < 5 {
			t.Errorf("%d of 60 messages came, %v to the members", len(got), per)
		}
		for topic, n := range got {
			if n != 1 {
				t.Errorf("%s came %d times", topic, n)
			}
		}
		for i, c := range members {
			b.all[i].leave(c)
		}
		time.Sleep(time.Second)
		sender.Publish("a/kept", "x") // nobody is connected: one of those who are away has it
		absent = b.all[1].resume(packet.V5, "absent", true)
		n := 0
		for i := range members {
			c := b.all[2].resume(packet.V5, fmt.Sprint("member", i), true)
			if time.Sleep(time.Second); c.Heard() {
				n++
			}
		}
		if absent.Heard() {
			n++
		}
		if n != 1 {
			t.Errorf("%d members got the message for one that is away", n)
		}
	})
}

func TestDisconnectClientReachesOtherNodes(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, b *nodesBench) {
		here, there := b.all[0], b.all[1]
		watcher := here.connect(packet.V5, "watcher")
		watcher.Subscribe(0, "will")
		c := there.connectWith(packet.V5, packet.Connect{ClientID: "lamp", Clean: true, Will: &packet.Will{Topic: "will", Payload: []byte("x")}})
		if found, err := here.DisconnectClient(t.Context(), "lamp", true, false); !found || err != nil {
			t.Fatalf("DisconnectClient = %v, %v", found, err)
		}
		c.ExpectDisconnect(packet.AdministrativeAction)
		watcher.ExpectMessage("will", "x")
		if found, err := here.DisconnectClient(t.Context(), "nobody", true, false); found || err != nil {
			t.Errorf("DisconnectClient of nobody = %v, %v", found, err)
		}
		there.leave(there.resume(packet.V5, "kept", false))
		if found, err := here.DisconnectClient(t.Context(), "kept", true, true); !found || err != nil {
			t.Errorf("DisconnectClient of a session = %v, %v", found, err)
		}
		here.resume(packet.V5, "kept", false)
	})
}

func TestDisconnectClientSaysThatItDoesNotKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newNodesBench(t, 2, newLossy(0, 0, time.Millisecond))
		b.all[1].connect(packet.V5, "lamp")
		b.bus.setDown(true)
		if found, err := b.all[0].DisconnectClient(t.Context(), "lamp", true, false); found || err == nil {
			t.Errorf("DisconnectClient = %v, %v", found, err)
		}
	})
}

func TestCloseAllSendsClientsElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{})
		var all []*mqtttest.Client
		for i := range 10 {
			all = append(all, b.connect(packet.V5, strconv.Itoa(i)))
		}
		began := time.Now()
		if n := b.CloseAll(context.Background(), "drained", 10*time.Second); n != 10 || time.Since(began) != 9*time.Second {
			t.Errorf("closed %d in %v", n, time.Since(began))
		}
		for _, c := range all {
			c.ExpectDisconnect(packet.UseAnotherServer)
		}
	})
}

func TestKeptIsKnownOfAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const own = "$aws/things/lamp/jobs/notify-next"
		b := newNodesBench(t, 2, newLossy(0, 0, time.Millisecond))
		if b.all[0].Kept(own) {
			t.Error("kept for nobody")
		}
		exact := b.all[1].resume(packet.V5, "lamp", false)
		exact.Subscribe(1, own)
		if b.all[0].Kept(own) || b.all[1].Kept(own) {
			t.Error("kept for an exact filter: its subscriber is told again when it moves")
		}
		wide := b.all[1].resume(packet.V5, "wide", false)
		wide.Subscribe(1, "$aws/things/+/jobs/notify-next")
		if !b.all[0].Kept(own) || !b.all[1].Kept(own) {
			t.Error("not kept for a wide filter")
		}
		b.all[1].leave(wide)
		b.kill(b.all[1])
		for range 20 {
			if time.Sleep(time.Second); !b.all[0].Kept(own) {
				t.Fatal("not kept while, and after, its session is adopted")
			}
		}
		b.all[0].connectWith(packet.V5, packet.Connect{ClientID: "wide", Clean: true})
		if b.all[0].Kept(own) {
			t.Error("kept after the session has ended")
		}
	})
}

// A random life of three nodes: clients move, messages are published, nodes die and come. What was acknowledged reaches every subscriber with a
// kept session.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 3))
			b := newNodesBench(t, 3, newLossy(0.1, 0.1, 30*time.Millisecond))
			alive := slices.Clone(b.all)
			var subscribers [4]*mqtttest.Client
			name := func(i int) string { return fmt.Sprint("sub", i) }
			for i := range subscribers {
				subscribers[i] = alive[rnd.IntN(len(alive))].resume(packet.V5, name(i), false)
				subscribers[i].Subscribe(1, "a/+")
			}
			for i := range 2 { // the first two share another filter, besides
				subscribers[i].Subscribe(1, "$share/g/s/+")
			}
			got := make([]map[string]int, len(subscribers))
			drain := func(i int) {
				if got[i] == nil {
					got[i] = map[string]int{}
				}
				for c := subscribers[i]; c != nil && c.Heard(); {
					if p, ok := c.Next().(*packet.Publish); ok {
						got[i][p.Topic+string(p.Payload)]++
						c.Send(&packet.Puback{ID: p.ID})
					}
				}
			}
			var mu sync.Mutex
			acknowledged := map[string]bool{}
			sent := 0
			var killed time.Time
			for range 300 {
				switch x := rnd.IntN(20); {
				case x < 12:
					sent++
					text := fmt.Sprint(sent)
					alive[rnd.IntN(len(alive))].Publish(Message{Topic: []string{"a/b", "s/b"}[sent%2], Payload: []byte(text), QoS: 1}, func(err error) {
						mu.Lock()
						defer mu.Unlock()
						if err == nil {
							acknowledged[text] = true
						}
					})
				case x < 17:
					i := rnd.IntN(len(subscribers))
					drain(i)
					c := alive[rnd.IntN(len(alive))].open(packet.V5)
					if ack := c.Connect(lasting(name(i))); !ack.SessionPresent {
						t.Fatalf("seed %d: the session of %s is gone", seed, name(i))
					}
					subscribers[i] = c
				case x < 19 || len(alive) > 3:
					time.Sleep(time.Duration(rnd.Int64N(int64(2 * time.Second))))
				case len(alive) > 2 && time.Since(killed) > 20*time.Second:
					killed = time.Now()
					n := rnd.IntN(len(alive))
					b.kill(alive[n])
					alive = slices.Delete(alive, n, n+1)
				default:
					alive = append(alive, b.start())
				}
				time.Sleep(time.Duration(rnd.Int64N(int64(20 * time.Millisecond))))
				for i := range subscribers {
					drain(i)
				}
			}
			time.Sleep(30 * time.Second)
			for i := range subscribers {
				drain(i)
				subscribers[i] = alive[0].resume(packet.V5, name(i), true)
				time.Sleep(time.Second)
				drain(i)
			}
			mu.Lock()
			defer mu.Unlock()
			for text := range acknowledged {
				if n, _ := strconv.Atoi(text); n%2 == 1 {
					if got[0]["s/b"+text]+got[1]["s/b"+text] == 0 {
						t.Errorf("seed %d: message %s was acknowledged and never reached one of those who share", seed, text)
					}
					continue
				}
				for i := range subscribers {
					if got[i]["a/b"+text] == 0 {
						t.Errorf("seed %d: message %s was acknowledged and never reached %s", seed, text, name(i))
					}
				}
			}
			if len(acknowledged) < sent*9/10 {
				t.Errorf("seed %d: only %d of %d messages were acknowledged", seed, len(acknowledged), sent)
			}
		})
	}
}

// While it is certain, some node knows every subscription, also of sessions that are away and whose node has died.
func TestNobodyIsCertainWhileASessionHasNoNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const own = "$aws/things/lamp/jobs/notify-next"
		b := newNodesBench(t, 2, newLossy(0, 0, time.Millisecond))
		a, dead := b.all[0], b.all[1]
		time.Sleep(time.Second)
		if !a.Certain() || !dead.Certain() {
			t.Fatal("two nodes at rest are not certain")
		}
		c := dead.resume(packet.V5, "lamp", false)
		c.Subscribe(1, own)
		dead.leave(c)
		b.kill(dead)
		doubted := false
		for range 200 {
			time.Sleep(100 * time.Millisecond)
			switch {
			case !a.Certain():
				doubted = true
			case doubted && !a.Wanted(own):
				t.Fatal("it is certain that nobody is subscribed, and a session that was kept is")
			}
		}
		if !doubted || !a.Certain() || !a.Wanted(own) {
			t.Errorf("uncertain after the death: %v; 20 seconds later certain: %v, subscribed: %v", doubted, a.Certain(), a.Wanted(own))
		}
	})
}

func TestAServerThatIsAloneIsCertain(t *testing.T) {
	if !newBench(t, Options{}).Certain() {
		t.Error("it is not")
	}
}
