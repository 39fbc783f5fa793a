package cluster_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/cluster"
	"github.com/muster-iot/muster/cluster/clustertest"
	"github.com/muster-iot/muster/store"
)

// listening are nodes, and who is subscribed on each.
type listening struct {
	*clustertest.Network
	nodes   []*cluster.Listeners
	buses   []*clustertest.Bus
	certain atomic.Bool
}

// listen starts nodes, each with subscribers to the queues whose names, "namespace/thing", are given. Incarnations begin at 1. silent
// ones work and understand no questions.
func listen(t *testing.T, silent int, subscribed ...[]string) *listening {
	l := &listening{Network: clustertest.NewNetwork(1)}
	l.certain.Store(true)
	var live []store.Member
	for i := range len(subscribed) + silent {
		live = append(live, store.Member{Incarnation: store.Incarnation(i + 1), Name: fmt.Sprint("n", i+1)})
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, len(subscribed))
	for i, queues := range subscribed {
		bus := l.Join()
		n := cluster.NewListeners(cluster.ListenersOptions{
			Bus: bus, Me: live[i].Incarnation, Live: func() []store.Member { return live }, Certain: l.certain.Load,
			Here: func(q store.QueueKey) bool { return slices.Contains(queues, fmt.Sprint(q.Namespace, "/", q.Thing)) },
		})
		l.nodes, l.buses = append(l.nodes, n), append(l.buses, bus)
		go func() { ended <- n.Run(ctx) }()
	}
	synctest.Wait()
	t.Cleanup(func() {
		stop()
		for range subscribed {
			<-ended
		}
		for _, b := range l.buses {
			b.Close()
		}
	})
	return l
}

// says asks the first node, and returns the things that somebody listens for, and whether that is certain.
func (l *listening) says(namespace muster.Namespace, things ...muster.ThingName) (heard []muster.ThingName, certain bool) {
	anybody, certain := l.nodes[0].Listen(context.Background(), namespace, things)
	for i, yes := range anybody {
		if yes {
			heard = append(heard, things[i])
		}
	}
	return heard, certain
}

func TestListenersOfAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := listen(t, 0, []string{"/a", "x/b"}, []string{"/c"}, []string{"/a", "/d"})
		if heard, certain := l.says("", "a", "b", "c", "d", "e"); !certain || !slices.Equal(heard, []muster.ThingName{"a", "c", "d"}) {
			t.Errorf("heard by %v (%v)", heard, certain)
		}
		if heard, certain := l.says("x", "a", "b", "c"); !certain || !slices.Equal(heard, []muster.ThingName{"b"}) {
			t.Errorf("in a namespace, heard by %v (%v)", heard, certain)
		}
		if heard, certain := l.says("x"); !certain || len(heard) > 0 {
			t.Errorf("of no things, heard by %v (%v)", heard, certain)
		}
		l.certain.Store(false)
		if heard, certain := l.says("", "a", "e"); certain || !slices.Equal(heard, []muster.ThingName{"a"}) {
			t.Errorf("with a session between nodes, heard by %v (%v)", heard, certain)
		}
	})
}

func TestListenersOfManyThings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var things []muster.ThingName
		var odd []string
		var want []muster.ThingName
		for i := range 5000 {
			name := muster.ThingName(fmt.Sprint(strings.Repeat("n", 120), i))
			if things = append(things, name); i%2 == 1 {
				odd, want = append(odd, "/"+string(name)), append(want, name)
			}
		}
		slices.Sort(odd)
		l := listen(t, 0, nil, odd)
		if heard, certain := l.says("", things...); !certain || !slices.Equal(heard, want) {
			t.Errorf("%d of %d are heard (%v)", len(heard), len(things), certain)
		}
	})
}

func TestListenersOfNodesThatDoNotAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		silent int // nodes of a former release
		do     func(l *listening)
		waits  time.Duration
	}{
		"a former release":         {1, func(*listening) {}, 0},
		"a bus that is down":       {0, func(l *listening) { l.buses[0].Cut(true) }, 0},
		"a node that is cut off":   {0, func(l *listening) { l.Part(l.buses[0], l.buses[1], true) }, 0},
		"questions that are lost":  {0, func(l *listening) { l.Silence(func(string) bool { return true }) }, time.Second},
		"a node of another format": {1, func(l *listening) { answerAs(l, 4, []byte{9, 0}) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := listen(t, c.silent, []string{"/a"}, nil, nil)
				c.do(l)
				began := time.Now()
				if heard, certain := l.says("", "a", "b"); certain || !slices.Equal(heard, []muster.ThingName{"a"}) {
					t.Errorf("heard by %v (%v)", heard, certain)
				}
				if took := time.Since(began); took != c.waits {
					t.Errorf("it took %s, want %s", took, c.waits)
				}
			})
		})
	}
}

// answerAs has a node that understands nothing answer everything with the same.
func answerAs(l *listening, node store.Incarnation, said []byte) {
	b := l.Join()
	b.Subscribe(fmt.Sprintf("listeners.%d", node), "", func(m cluster.Delivered) { m.Answer(said) })
	l.buses = append(l.buses, b)
}

func TestListenersAreAskedWhatTheyDoNotUnderstand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := listen(t, 0, []string{"/a"}, nil)
		for _, question := range []string{"", "\x02\x00\x01\x01a", "\x01\x00\x01\x02a", "\x01\x00\x01\x01ab", "\x01\x00\xff\xff\xff\xff\x0f"} {
			if said, err := l.buses[1].Ask(context.Background(), "listeners.1", []byte(question)); err != nil || len(said) > 0 {
				t.Errorf("%q is answered with %q, %v", question, said, err)
			}
		}
		l.buses[1].Publish("listeners.1", nil) // nobody waits for an answer
		synctest.Wait()
	})
}
