package commit

import (
	"context"
	"errors"
	"runtime"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/turns"
)

// batch is the commands of one transaction on their way to being durable.
type batch struct {
	commands []command
	work     bool         // the commands are background work
	turn     turns.Turn   // of its steps, if they are background work
	outcomes []outcome    // by place in commands; at the end also of commands that were put back
	left     []leftOut    // by place: why the transaction runs again without it
	alone    bool         // no other transaction may run at the same time
	refused  int          // how often the store has refused it, since it was halved
	ends     []func()     // called after all commands are answered
	looks    []secondLook // before that
	looked   looked       // if they have been done
	over     []func()     // called when the transaction is visible
	wait     func() error // returns when the transaction is durable, or an error if it never will be
}

// applyBatch runs commands in the order of their arrival in one transaction, as many as fit,
// and puts the rest back.
//
// The store cannot undo a part of a transaction, so a command that fails after it wrote
// something spoils it: the transaction is given up and runs again without that command,
// whose error is its answer. A command that fails before it wrote anything just fails.
//
// An error that is not a *muster.Error comes from the store, and nothing read along with
// it can be trusted: the batch runs again with only the commands before it. If the
// command is the first, the batch is that command alone, and fails. The exception is
// store.ErrAgain, with which the store refuses the whole transaction (refused.go).
//
// A command that is for the wide lane is left out too, with those of its thing after it.
func (l *lane) applyBatch(commands []command, work bool) batch {
	b := batch{commands: commands, work: work, outcomes: make([]outcome, len(commands)), left: make([]leftOut, len(commands)), turn: l.c.turns.Of()}
	wait, err := l.transact(&b)
	if left := commands[len(b.commands):]; len(left) > 0 {
		l.putBack(left, work)
	}
	if !l.narrow {
		l.c.back(b.commands)
	} else if away := b.parting(); len(away) > 0 {
		l.c.sendAll(away)
	}
	if errors.Is(err, store.ErrAgain) {
		b.outcomes[0], b.wait = outcome{err: errContended, wake: Never}, func() error { return nil }
		return b
	}
	if err != nil {
		if !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrFull) { // which the store logs, and not for each batch
			l.c.log.Error("commit failed", "error", err)
		}
		b.wait = func() error { return err }
		return b
	}
	b.wait = wait
	return b
}

// transact runs the transaction of a batch, again if need be.
func (l *lane) transact(b *batch) (wait func() error, err error) {
	if l.narrow {
		l.c.gate.enter()
		defer l.c.gate.leave()
	}
	now := l.c.now()
	var tx *Tx
	defer func() {
		if b.alone {
			l.c.gate.open()
		}
	}()
	for again := true; again; again = l.again(b, err) {
		wait, err = l.applyFor(b)(context.Background(), func(s store.Tx) error {
			tx.giveUp() // a store may run this twice
			tx = &Tx{Tx: s, Now: now, queues: map[store.QueueKey]muster.Queue{}, removed: l.c.removed.Load(), c: l.c, narrow: l.narrow, alone: b.alone}
			return b.run(tx, l)
		})
		if err != nil {
			tx.giveUp()
		}
	}
	if err != nil {
		return nil, err
	}
	b.ends, b.looks, b.looked, b.over = tx.ends, tx.looks, tx.looked, tx.over
	l.c.removes(tx.removed)
	l.last = tx.Moment
	for _, take := range tx.adopts {
		take()
	}
	return wait, nil
}

// applyFor returns the way in which the store runs the transaction of a batch.
func (l *lane) applyFor(b *batch) func(context.Context, func(store.Tx) error) (func() error, error) {
	if b.alone && l.c.Clustered() {
		return l.c.shared.ApplyAlone // the gate holds for this process only
	}
	return l.apply
}

// again reports whether the transaction of a batch runs again, and prepares it.
func (l *lane) again(b *batch, err error) bool {
	switch {
	case errors.Is(err, errFewer):
		return true
	case errors.Is(err, errAlone):
	case !errors.Is(err, store.ErrAgain):
		return false
	case !l.refused(b):
		return false
	case b.refused < aloneAfter || l.narrow || b.alone || !l.c.Shared():
		return true
	}
	l.c.gate.close()
	b.alone = true
	l.c.alone.Add(1)
	return true
}

// refused counts a refusal of a batch, and reports whether the batch runs again.
func (l *lane) refused(b *batch) bool {
	l.c.refused.Add(1)
	return b.refuse()
}

// giveUp ends a transaction that is not applied. There may be none.
func (t *Tx) giveUp() {
	if t == nil {
		return
	}
	for _, tell := range t.over {
		tell()
	}
	t.over = nil
}

// leftOut is why a transaction runs again without a command.
type leftOut uint8

const (
	notLeft  leftOut = iota
	spoiling         // it failed after it wrote
	forWide          // it is for the wide lane
)

// run is the function of one transaction: it runs the commands that are not left out, and
// shortens b.commands to those that were run. It returns errFewer to start again.
func (b *batch) run(tx *Tx, l *lane) error {
	if b.work {
		b.turn.Take()
		defer b.turn.GiveBack() // before the transaction is applied: that may wait for a table being written
	}
	began := l.c.now()
	tx.prefetch(b.commands)
	if err := tx.takeTime(l); err != nil {
		return err
	}
	ready := l.c.now()
	for i, cmd := range b.commands {
		if b.left[i] != notLeft {
			continue
		}
		if b.work && i > 0 && b.enough(tx, l, ready, ready-began) {
			b.commands = b.commands[:i]
			break
		}
		b.outcomes[i] = tx.run(cmd)
		err := b.outcomes[i].err
		switch _, answer := errors.AsType[*muster.Error](err); {
		case err == nil:
		case errors.Is(err, store.ErrAgain):
			return err
		case errors.Is(err, errWide):
			if b.part(i); tx.wrote {
				return errFewer
			}
		case !answer && i > 0:
			b.commands = b.commands[:i]
			return errFewer
		case !answer:
			b.commands = b.commands[:1]
			return err
		case tx.wrote:
			b.left[i] = spoiling
			return errFewer
		}
	}
	return tx.end()
}

// part leaves out a command for the wide lane, and those of its thing after it.
func (b *batch) part(first int) {
	for i := first; i < len(b.commands); i++ {
		if b.commands[i].thing == b.commands[first].thing {
			b.left[i] = forWide
		}
	}
}

// parting removes the commands for the wide lane from the batch and returns them.
func (b *batch) parting() (away []command) {
	n := 0
	for i, cmd := range b.commands {
		if b.left[i] == forWide {
			away = append(away, cmd)
			continue
		}
		b.commands[n], b.outcomes[n] = cmd, b.outcomes[i]
		n++
	}
	b.commands = b.commands[:n]
	return away
}

// tripsOfWork is how many trips to the store the steps of a batch of background work may take while callers
// wait: about as many as a transaction takes besides.
const tripsOfWork = 4

// enough reports whether a batch of background work must end before its next step. If callers wait that is so
// when the steps, which began at ready, have taken long. Where a trip to the store is, as the one before them
// was, a transaction for each step would take for ever.
func (b *batch) enough(tx *Tx, l *lane, ready, trip muster.Instant) bool {
	b.turn.GiveBack()
	runtime.Gosched() // steps keep a core busy; this lets callers submit between two of them
	most := workMax
	if l.c.turns.Asking() {
		most /= 2
	}
	hurries := func() bool { return l.c.now()-ready >= tripsOfWork*trip && l.callersWait() }
	if len(tx.queues) >= most || hurries() {
		return true
	}
	b.turn.Take()
	return hurries() // those who came during the wait
}

// answer waits until b is durable and finishes it. If b could not be stored it answers all
// of its commands with notStored and returns the error.
func (c *Committer) answer(b batch) error {
	err := b.wait()
	for _, tell := range b.over {
		tell()
	}
	if err != nil {
		for _, cmd := range b.commands {
			cmd.answer(nil, notStored(err))
		}
		return err
	}
	if len(b.looks) == 0 {
		c.finish(b)
		return nil
	}
	c.tell(b, true)
	if !c.lookAgain(b) {
		c.finish(b)
	}
	return nil
}

// finish answers the commands of b and calls their notifications, command by command.
func (c *Committer) finish(b batch) { c.tell(b, false) }

// tell finishes b in one call or, if there are second looks, in two, since these can take long. The early call
// is before them: it calls the notifications of the commands that concern no single thing. The other one answers
// these commands and does everything for the rest: a thing gets the answer to what it did before it is told
// what follows from that.
func (c *Committer) tell(b batch, early bool) {
	c.telling.Lock()
	defer c.telling.Unlock()
	// This must come after the writes are visible to views. If Work looks at its sources
	// from now on, it finds the new work; if it looked before, asked is the result of that.
	asked, wake, told := c.asked.Load(), Never, false
	for i, cmd := range b.commands {
		o := b.outcomes[i]
		if isEarly := len(b.looks) > 0 && cmd.thing == ""; isEarly != early {
			if isEarly {
				cmd.answer(o.value, o.err)
			}
			continue
		}
		told = true
		wake = min(wake, o.wake)
		if fault, ok := errors.AsType[*faultError](o.err); ok {
			c.log.Error("command panicked", "panic", fault.value, "stack", fault.stack)
		}
		for _, tell := range o.ahead {
			tell()
		}
		if !early {
			cmd.answer(o.value, o.err)
		}
		for _, tell := range o.after {
			tell()
		}
	}
	if early && !told {
		return
	}
	if !early {
		for _, tell := range b.ends {
			tell()
		}
	}
	if int64(wake) < asked {
		c.watch.Due()
	}
	c.watch.Told(wake)
	if !early {
		c.watch.Committed(len(b.commands))
	}
}

// notStored returns the error of a command whose transaction the store has not applied.
func notStored(err error) error {
	switch {
	case errors.Is(err, store.ErrUnavailable):
		return &muster.Error{Kind: muster.Unavailable, Msg: "the database cannot be reached", Err: err}
	case errors.Is(err, store.ErrFull):
		return &muster.Error{Kind: muster.NoRoom, Msg: "the database has no room on its disk", Err: err}
	}
	return &muster.Error{Kind: muster.Internal, Msg: "the change could not be stored", Err: err}
}
