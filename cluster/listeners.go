package cluster

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

const (
	// listenersTime bounds how long the other nodes are waited for.
	listenersTime = time.Second
	// askedMax bounds the things of one question, which then has at most 256 KiB.
	askedMax = 2048
)

// listenersSubject is where a node is asked who is subscribed there.
func listenersSubject(node store.Incarnation) string { return fmt.Sprintf("listeners.%d", node) }

// ListenersOptions are the parts of Listeners. All are required.
type ListenersOptions struct {
	Bus  Bus
	Me   store.Incarnation
	Live func() []store.Member // the nodes that work
	// Here reports whether somebody is subscribed here to the notifications of a queue. It must be quick.
	Here func(store.QueueKey) bool
	// Certain reports whether this node knows of no session of a node that is gone and that none has taken over.
	Certain func() bool
}

// Listeners knows who, on all nodes, is subscribed to the notifications of things. Keep Run running.
type Listeners struct{ o ListenersOptions }

// NewListeners returns Listeners on o.
func NewListeners(o ListenersOptions) *Listeners { return &Listeners{o} }

// Run answers the questions of other nodes until ctx ends.
func (l *Listeners) Run(ctx context.Context) error {
	defer l.o.Bus.Subscribe(listenersSubject(l.o.Me), "", l.answer)()
	<-ctx.Done()
	return nil
}

// Listen returns, for each of the things, whether somebody is subscribed to the notifications of its queue in a namespace. certain is
// false if there may be others beside: a node has not answered within a second, be it that it is of a release that does not
// understand, or sessions are between two nodes. True holds in any case.
func (l *Listeners) Listen(ctx context.Context, namespace muster.Namespace, things []muster.ThingName) (anybody []bool, certain bool) {
	ctx, end := context.WithTimeout(ctx, listenersTime)
	defer end()
	certain = l.o.Certain()
	anybody = l.here(namespace, things)
	for from := 0; from < len(things); from += askedMax {
		to := min(len(things), from+askedMax)
		certain = l.ask(ctx, namespace, things[from:to], anybody[from:to]) && certain
	}
	return anybody, certain && l.o.Certain()
}

func (l *Listeners) here(namespace muster.Namespace, things []muster.ThingName) []bool {
	all := make([]bool, len(things))
	for i, thing := range things {
		all[i] = l.o.Here(store.QueueKey{Thing: thing, Namespace: namespace})
	}
	return all
}

// ask adds to anybody what the other nodes say, and reports whether all have.
func (l *Listeners) ask(ctx context.Context, namespace muster.Namespace, things []muster.ThingName, anybody []bool) bool {
	question := appendQuestion(namespace, things)
	var mu sync.Mutex // guards anybody and all
	var asking sync.WaitGroup
	all := true
	for _, node := range l.o.Live() {
		if node.Incarnation == l.o.Me {
			continue
		}
		asking.Go(func() {
			said, err := l.o.Bus.Ask(ctx, listenersSubject(node.Incarnation), question)
			mu.Lock()
			defer mu.Unlock()
			all = err == nil && readAnswer(said, anybody) && all
		})
	}
	asking.Wait()
	return all
}

// answer answers a question. A question of an unknown form gets an empty answer at once, so that its sender does not wait.
func (l *Listeners) answer(m Delivered) {
	if m.Answer == nil {
		return
	}
	namespace, things, err := readQuestion(m.Data)
	if err != nil {
		m.Answer(nil)
		return
	}
	m.Answer(appendAnswer(l.here(namespace, things)))
}

// The format of questions and answers: a version, then a namespace and things, or one bit for each thing.
const listenersVersion = 1

var errQuestion = errors.New("cluster: this is no question for listeners")

func appendQuestion(namespace muster.Namespace, things []muster.ThingName) []byte {
	b := []byte{listenersVersion}
	b = binary.AppendUvarint(b, uint64(len(namespace)))
	b = append(b, namespace...)
	return appendStrings(b, things)
}

func readQuestion(data []byte) (muster.Namespace, []muster.ThingName, error) {
	r := reader{rest: string(data)}
	version := r.byte()
	namespace := muster.Namespace(r.text(r.number()))
	things := readStrings[muster.ThingName](&r)
	if version != listenersVersion || r.failed || len(r.rest) > 0 || len(things) > askedMax {
		return "", nil, errQuestion
	}
	return namespace, things, nil
}

func appendAnswer(anybody []bool) []byte {
	b := make([]byte, 1+(len(anybody)+7)/8)
	b[0] = listenersVersion
	for i, yes := range anybody {
		if yes {
			b[1+i/8] |= 1 << (i % 8)
		}
	}
	return b
}

// readAnswer adds an answer to anybody, and reports whether it is one.
func readAnswer(data []byte, anybody []bool) bool {
	if len(data) != 1+(len(anybody)+7)/8 || data[0] != listenersVersion {
		return false
	}
	for i := range anybody {
		anybody[i] = anybody[i] || data[1+i/8]&(1<<(i%8)) != 0
	}
	return true
}
