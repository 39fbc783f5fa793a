package pgstore

import (
	"context"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// A queue without entries keeps its row if the store is shared, since other nodes may remember its
// revision. It may go when that is old: revisions begin with the time, so the next one of the queue
// is higher all the same, unless the clock is set back by as much. One node looks for such rows,
// a page at a time.
const (
	forgetAfter = 24 * time.Hour
	forgetEvery = 10 * time.Second
	forgetPage  = 1000

	pageOfKeys   = `SELECT q.thing, q.ns, octet_length(q.body) = 1 AND q.rev < $3 FROM muster.queue q WHERE (q.thing, q.ns) > ($1, $2) ORDER BY q.thing, q.ns LIMIT $4`
	forgetQueues = deleteQueuesOfShard + ` AND octet_length(q.body) = 1 AND q.rev < $4`
)

// forgetting is how far a node has come.
type forgetting struct {
	next time.Time // by the clock of the database
	last store.QueueKey
}

// forget removes rows of queues that have had no entries for long, if that is due and for this
// node to do. What fails is done another time.
func (n *node) forget(ctx context.Context, roll store.Roll) {
	for _, m := range roll.Nodes {
		if !m.Fenced && int64(m.Incarnation) < n.incarnation {
			return // it is for that one
		}
	}
	if roll.Now.Before(n.forgetting.next) {
		return
	}
	n.forgetting.next = roll.Now.Add(forgetEvery)
	before := roll.Now.Add(-forgetAfter).UnixMilli() * 1000
	if err := n.forgetFrom(ctx, before); err != nil {
		n.drop()
		n.s.o.Log.Warn("revisions of queues without entries are not forgotten now", "error", err)
	}
}

// forgetFrom goes through the next page of queues.
func (n *node) forgetFrom(ctx context.Context, before int64) error {
	from := n.forgetting.last
	old, read := parts[queueKeys]{shards: n.s.shards}, 0
	learn := func(r *row) {
		read++
		n.forgetting.last = store.QueueKey{Thing: muster.ThingName(r.text()), Namespace: muster.Namespace(r.text())}
		if r.flag() {
			old.of(n.forgetting.last.Thing).add(n.forgetting.last)
		}
	}
	err := n.transact(ctx, "BEGIN", ask(learn, pageOfKeys, string(from.Thing), string(from.Namespace), before, forgetPage), order(-1, "COMMIT"))
	if read < forgetPage {
		n.forgetting.last = store.QueueKey{}
	}
	for k := range old.each() {
		if err == nil {
			err = n.transact(ctx, "BEGIN", order(-1, forgetQueues, k.thing, k.ns, k.bucket, before), order(-1, "COMMIT"))
		}
	}
	return err
}
