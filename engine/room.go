package engine

import (
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/reserve"
)

// roomWait is how long what waits for room on the disk waits before it looks
// again: a job that rolls out, and all background work on a disk that is full.
const roomWait = 30 * time.Second

// room returns nil when there is room for a small write, and else the refusal.
func (e *Engine) room(u reserve.Use) error {
	if err := e.o.Room(u, 0); err != nil {
		return &muster.Error{Kind: muster.NoRoom, Msg: err.Error()}
	}
	return nil
}

// restrict leaves of the work that is due what may be done when nothing may make
// the data more. Jobs that roll out are left to step, which makes them wait.
func (d *dueWork) restrict(now muster.Instant) {
	d.index.extent, d.index.groups = false, nil
	if again := now.Add(roomWait); d.next == 0 || again < d.next {
		d.next = again
	}
}
