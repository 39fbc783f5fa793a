package pgstore

import (
	"errors"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-iot/muster/store"
)

// view is the session of a View. It takes a connection when it first reads.
type view struct {
	session
	s    *Store
	conn *pgxpool.Conn
}

// takeConn takes a connection and sends the first requests on it. A connection that turns out
// to be broken is replaced, because nothing was read yet.
func (v *view) takeConn(requests []request) error {
	tries := v.s.outage.tries()
	for {
		err := v.try(requests)
		if err == nil {
			v.s.outage.over(v.s.o.Log)
			return nil
		}
		if err = asStore(err); !errors.Is(err, store.ErrUnavailable) || v.ctx.Err() != nil || !tries.again(v.ctx, v.s.o.Log, err) {
			return err
		}
	}
}

func (v *view) try(requests []request) (err error) {
	if v.conn, err = v.s.pool.Acquire(v.ctx); err != nil {
		return err
	}
	v.session.conn, v.begun = v.conn.Conn(), false
	if err = v.exchange(requests); err != nil {
		v.release()
	}
	return err
}

// end ends the transaction. Nobody waits for that.
func (v *view) end() {
	v.tell(v.s.o.OnView)
	if v.conn == nil {
		return
	}
	v.s.calls.Go(v.release)
}

// release gives the connection back, or closes it if its transaction cannot be ended.
func (v *view) release() {
	v.session.end()
	v.conn.Release()
	v.conn = nil
}
