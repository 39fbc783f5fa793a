package pgstore

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/muster-iot/muster"
)

var errForm = errors.New("pgstore: the database has sent a value of another type than its column has")

// row reads the values of a row in their order, in the binary form of the protocol. No
// column that is read so may be null. The first error stays in err.
type row struct {
	rest [][]byte
	err  error
}

func (r *row) next(size int) []byte {
	if len(r.rest) == 0 || r.rest[0] == nil || size > 0 && len(r.rest[0]) != size {
		if r.err == nil {
			r.err = errForm
		}
		return make([]byte, size)
	}
	value := r.rest[0]
	r.rest = r.rest[1:]
	return value
}

// none reports whether the next value is null.
func (r *row) none() bool { return len(r.rest) > 0 && r.rest[0] == nil }

// place is where the database has the row.
func (r *row) place() pgtype.TID {
	value := r.next(6)
	return pgtype.TID{BlockNumber: binary.BigEndian.Uint32(value), OffsetNumber: binary.BigEndian.Uint16(value[4:]), Valid: true}
}

func (r *row) small() int16 { return int16(binary.BigEndian.Uint16(r.next(2))) }

func (r *row) big() int64 { return int64(binary.BigEndian.Uint64(r.next(8))) }

func (r *row) flag() bool { return r.next(1)[0] != 0 }

func (r *row) float() float64 { return math.Float64frombits(binary.BigEndian.Uint64(r.next(8))) }

func (r *row) instant() muster.Instant { return muster.Instant(r.big()) }

func (r *row) text() string { return string(r.next(0)) }

// bytes returns a copy, which is never nil.
func (r *row) bytes() []byte { return append([]byte{}, r.next(0)...) }

// shared is bytes without the copy: it is valid until the next row.
func (r *row) shared() []byte { return r.next(0) }

// fail keeps an error of what a value holds.
func (r *row) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}
