package admission

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// crowd takes places and records in which order connections are evicted.
type crowd struct {
	*Pool
	out []string
}

func (c *crowd) enter(name, addr string) *Place {
	return c.Take(addr, func() { c.out = append(c.out, name) })
}

func (c *crowd) expect(t *testing.T, out ...string) {
	t.Helper()
	if !slices.Equal(c.out, out) {
		t.Errorf("put out %v, want %v", c.out, out)
	}
	c.out = nil
}

func TestTheOldestOfTheAddressWithMostMakesRoom(t *testing.T) {
	c := &crowd{Pool: New(5)}
	c.enter("lone", "192.0.2.1:1")
	for i := range 4 {
		c.enter(fmt.Sprint("many", i), fmt.Sprintf("198.51.100.1:%d", i))
	}
	c.expect(t)
	c.enter("new", "203.0.113.1:1")
	c.expect(t, "many0")
	c.enter("newer", "203.0.113.2:1")
	c.expect(t, "many1")
	c.enter("newest", "203.0.113.3:1")
	c.expect(t, "many2")
	c.enter("and one more", "203.0.113.4:1") // all have one now: the longest wait goes
	c.expect(t, "lone")
	if c.Held() != 5 {
		t.Errorf("%d places are held, want 5", c.Held())
	}
}

func TestWorkKeepsAPlace(t *testing.T) {
	c := &crowd{Pool: New(2)}
	a, b := c.enter("a", "192.0.2.1:1"), c.enter("b", "192.0.2.1:2")
	if !a.Work() {
		t.Fatal("a has no place")
	}
	d := c.enter("d", "192.0.2.9:1")
	c.expect(t, "b")
	if b.Work() || !d.Work() {
		t.Error("b, which was put out, can work, or d cannot")
	}
	if c.enter("e", "192.0.2.2:1") != nil {
		t.Error("a third found a place while the server works for two")
	}
	c.expect(t)
	a.Wait()
	if c.enter("e", "192.0.2.2:1") == nil {
		t.Error("there was no place though one waits")
	}
	c.expect(t, "a")
	b.Wait() // which left long ago
	b.Leave()
	d.Leave()
	d.Leave()
	if c.Held() != 1 {
		t.Errorf("%d places are held, want 1", c.Held())
	}
}

func TestAWaitCountsFromItsBeginning(t *testing.T) {
	c := &crowd{Pool: New(2)}
	a := c.enter("a", "192.0.2.1:1")
	c.enter("b", "192.0.2.1:2")
	a.Work()
	a.Wait()
	c.enter("c", "192.0.2.3:1")
	c.expect(t, "b")
}

// TestNothingIsLeftBehind performs random operations on a pool, from many goroutines, and counts afterwards.
func TestNothingIsLeftBehind(t *testing.T) {
	h := New(20)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(worker)))
			var mine []*Place
			for range 2000 {
				if v := h.Take(fmt.Sprintf("192.0.2.%d:1", r.IntN(5)), func() {}); v != nil {
					mine = append(mine, v)
				}
				if len(mine) == 0 { // the server works for all of the others'
					continue
				}
				switch v := mine[r.IntN(len(mine))]; r.IntN(3) {
				case 0:
					v.Wait()
				case 1:
					v.Work()
				default:
					v.Leave()
				}
				if held := h.Held(); held > 20 {
					t.Errorf("%d places are held, of 20", held)
				}
			}
			for _, v := range mine {
				v.Leave()
			}
		})
	}
	all.Wait()
	if h.Held() != 0 || len(h.peers) != 0 || len(h.most) != 0 {
		t.Errorf("left: %d places, %d addresses, %d of them waiting", h.Held(), len(h.peers), len(h.most))
	}
}
