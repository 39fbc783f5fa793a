package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster/cluster"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/storetest"
)

var someLeases = []string{"work/0", "work/1", "work/2", "work/3", "work/4", "work/5"}

// process is a node in a test, and what its watcher was told.
type process struct {
	*cluster.Node
	roster *link
	kill   context.CancelFunc
	ended  chan error

	*book
}

// book is a watcher that writes down what it is told.
type book struct {
	mu   sync.Mutex
	told []string
}

// link is the way of a node to the list, which may be cut.
type link struct {
	store.Roster
	mu   sync.Mutex
	cut  bool
	last time.Time // when a Beat was sent that succeeded
}

// since returns how long ago that is.
func (l *link) since() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.last)
}

func (l *link) Cut(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
}

func (l *link) Beat(ctx context.Context, b store.Beat) (store.Roll, error) {
	l.mu.Lock()
	cut := l.cut
	if !cut {
		l.last = time.Now()
	}
	l.mu.Unlock()
	if cut {
		<-ctx.Done()
		return store.Roll{}, store.ErrUnavailable
	}
	return l.Roster.Beat(ctx, b)
}

func (b *book) tell(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told = append(b.told, what)
}

// heard returns what the watcher was told since the last call.
func (b *book) heard() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	told := b.told
	b.told = nil
	return told
}

type watcher struct{ book *book }

func (b watcher) Heard(roll store.Roll) {
	if len(roll.Nodes) == 0 {
		b.book.tell("nothing")
	}
}

func (b watcher) Serving(serving bool)        { b.book.tell(fmt.Sprint("serving ", serving)) }
func (b watcher) Gone(node store.Incarnation) { b.book.tell(fmt.Sprint("gone ", node)) }
func (b watcher) Draining(draining bool)      { b.book.tell(fmt.Sprint("draining ", draining)) }
func (b watcher) Leases(gained []string)      { b.book.tell(fmt.Sprint("leases ", len(gained))) }

func (b watcher) Members(live []store.Member) {
	var names []string
	for _, m := range live {
		names = append(names, m.Name)
	}
	b.book.tell("members " + strings.Join(names, ","))
}

// held returns how many leases a node may act on.
func (p *process) held() (n int) {
	for _, lease := range someLeases {
		if p.Holds(lease) {
			n++
		}
	}
	return n
}

func start(t *testing.T, r *storetest.Roster, name string, now func() time.Time) *process {
	t.Helper()
	p := &process{roster: &link{Roster: r.Join(name, nil)}, ended: make(chan error, 1), book: &book{}}
	p.Node = cluster.New(cluster.Options{Roster: p.roster, Now: now, Leases: someLeases, Watcher: watcher{p.book}})
	var ctx context.Context
	ctx, p.kill = context.WithCancel(t.Context())
	go func() { p.ended <- p.Run(ctx) }()
	t.Cleanup(p.kill)
	return p
}

// later lets d pass, and a little more, so that what happens then has happened.
func later(d time.Duration) {
	time.Sleep(d + time.Millisecond)
	synctest.Wait()
}

func TestNodesShareLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := storetest.NewRoster(time.Now)
		a := start(t, r, "a", time.Now)
		<-a.Joined()
		later(2 * time.Second)
		if a.held() != 6 || !a.Serving() {
			t.Errorf("alone a node holds %d of 6 leases, and serves: %v", a.held(), a.Serving())
		}
		if told := a.heard(); !slices.Equal(told, []string{"members a", "serving true", "leases 6"}) {
			t.Errorf("its watcher was told %v", told)
		}
		b := start(t, r, "b", time.Now)
		later(4 * time.Second)
		if a.held() != 3 || b.held() != 3 || a.Sharing() != 2 {
			t.Errorf("two nodes hold %d and %d of 6 leases", a.held(), b.held())
		}
		b.kill()
		<-b.ended
		later(store.TermTime + 200*time.Millisecond)
		if a.held() != 6 || b.held() != 0 || !a.Gone(b.Me()) || a.Gone(a.Me()) || a.Gone(b.Me()+1) {
			t.Errorf("after the death of the other one a node holds %d of 6 leases", a.held())
		}
		if told := a.heard(); !slices.Equal(told, []string{"members a,b", "members a", "gone 2", "leases 3"}) {
			t.Errorf("its watcher was told %v", told)
		}
		if f := a.Figures(); f.Fenced != 1 || f.Nodes != 1 || f.Leases != 6 {
			t.Errorf("figures %+v", f)
		}
	})
}

// A node that does not reach the database stops acting before anybody takes its leases, and
// goes on when it is not too late.
func TestANodeWithoutItsDatabaseStopsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := storetest.NewRoster(time.Now)
		a := start(t, r, "a", time.Now)
		later(2 * time.Second)
		a.heard()
		a.roster.Cut(true)
		later(cluster.ServeTime - a.roster.since() - 10*time.Millisecond)
		if !a.Serving() || a.held() != 6 {
			t.Errorf("the node stops too early: it serves: %v, and holds %d leases", a.Serving(), a.held())
		}
		later(10 * time.Millisecond)
		if told := a.heard(); a.Serving() || a.held() != 0 || !slices.Equal(told, []string{"serving false"}) {
			t.Errorf("without a database the node serves: %v, holds %d leases, and was told %v", a.Serving(), a.held(), told)
		}
		a.roster.Cut(false)
		later(4 * time.Second)
		if told := a.heard(); !a.Serving() || a.held() != 6 || !slices.Equal(told, []string{"leases 6", "serving true"}) {
			t.Errorf("with the database again the node serves: %v, holds %d leases, and was told %v", a.Serving(), a.held(), told)
		}
	})
}

func TestANodeThatWasFencedEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := storetest.NewRoster(time.Now)
		a, b := start(t, r, "a", time.Now), start(t, r, "b", time.Now)
		later(2 * time.Second)
		a.roster.Cut(true)
		later(10 * time.Second)
		if b.held() != 6 {
			t.Errorf("the other node holds %d of 6 leases", b.held())
		}
		a.roster.Cut(false)
		if err := <-a.ended; !errors.Is(err, store.ErrFenced) || !strings.Contains(err.Error(), "start it again") {
			t.Errorf("Run = %v, want ErrFenced", err)
		}
	})
}

// The clock of the machine may be wrong by less than a minute, and then the time is that of the
// store; a node whose clock is further off does not go on.
func TestClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := storetest.NewRoster(time.Now)
		ahead := func() time.Time { return time.Now().Add(40 * time.Second) }
		a := start(t, r, "a", ahead)
		later(time.Second)
		if off := time.Until(a.Now()); off.Abs() > 10*time.Millisecond {
			t.Errorf("the time of the node is %v off that of the store", off)
		}
		behind := func() time.Time { return time.Now().Add(-2 * time.Minute) }
		b := start(t, r, "b", behind)
		if err := <-b.ended; err == nil || !strings.Contains(err.Error(), "2m0s behind that of the database") {
			t.Errorf("Run of a node whose clock is two minutes behind = %v", err)
		}
	})
}

func TestDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := storetest.NewRoster(time.Now)
		a, b := start(t, r, "a", time.Now), start(t, r, "b", time.Now)
		later(4 * time.Second)
		a.heard()
		b.heard()
		if a.Order("c", false) {
			t.Error("there is no node c to be drained")
		}
		if !a.Order("b", false) {
			t.Error("there is a node b to be drained")
		}
		later(5 * time.Second)
		if told := b.heard(); !b.Draining() || b.held() != 0 || a.held() != 6 || a.Sharing() != 1 || !slices.Contains(told, "draining true") {
			t.Errorf("b drains: %v, holds %d leases, and was told %v; a holds %d", b.Draining(), b.held(), told, a.held())
		}
		b.Order("b", true)
		later(8 * time.Second)
		if told := b.heard(); b.Draining() || b.held() != 3 || !slices.Contains(told, "draining false") {
			t.Errorf("b drains: %v, holds %d leases, and was told %v", b.Draining(), b.held(), told)
		}
	})
}

// What runs while a lease is held has ended before another node begins it, unless this one has
// died.
func TestWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := storetest.NewRoster(time.Now)
		var mu sync.Mutex
		running, most, runs := 0, 0, 0
		work := func(ctx context.Context) error {
			mu.Lock()
			running, runs = running+1, runs+1
			most = max(most, running)
			mu.Unlock()
			<-ctx.Done()
			time.Sleep(1500 * time.Millisecond) // it takes a while to stop
			mu.Lock()
			running--
			mu.Unlock()
			return nil
		}
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		nodes := make([]*process, 4)
		for i := range nodes {
			nodes[i] = start(t, r, fmt.Sprint("node-", i), time.Now)
			for _, lease := range someLeases[:1] {
				all.Go(func() {
					if err := nodes[i].While(ctx, lease, work); err != nil {
						t.Errorf("While = %v", err)
					}
				})
			}
			later(5 * time.Second)
		}
		for _, p := range nodes[:3] { // one after the other drains
			p.Order(p.Roll().Nodes[0].Name, false)
			later(10 * time.Second)
			p.Order(p.Roll().Nodes[0].Name, true)
			later(10 * time.Second)
		}
		stop()
		all.Wait()
		if most != 1 || runs < 2 {
			t.Errorf("%d ran at the same time, of %d runs", most, runs)
		}
		failed := errors.New("failed")
		later(5 * time.Second)
		for _, p := range nodes {
			if p.Holds("work/0") {
				if err := p.While(t.Context(), "work/0", func(context.Context) error { return failed }); !errors.Is(err, failed) {
					t.Errorf("While = %v, want the error of what it runs", err)
				}
			}
		}
	})
}
