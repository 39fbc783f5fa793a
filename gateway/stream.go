package gateway

import "time"

// This file makes a stream of frames, which all come and come in order, of datagrams, which may be lost, repeated, delayed and
// reordered. It is pure: no I/O, no clock.

// How long the sender of a frame waits for word that it came before it sends it again: at first, at most, and when it hears that a
// later one has come.
const (
	resendFirst = 200 * time.Millisecond
	resendMost  = 500 * time.Millisecond
	resendSoon  = 20 * time.Millisecond
)

// outbound is the sending end. The zero outbound is the beginning of a stream.
type outbound struct {
	last     uint64    // number of the newest frame
	sent     uint64    // frames up to this one were sent
	received uint64    // frames up to this one came
	frames   [][]byte  // those after it
	bytes    int       // in frames
	at       time.Time // when the first of them was last sent
	pause    time.Duration
}

// add appends a frame to the stream and returns its number.
func (o *outbound) add(frame []byte) uint64 {
	o.last++
	o.frames = append(o.frames, frame)
	o.bytes += len(frame)
	return o.last
}

// due returns when frames that were sent are sent again; zero if there are none.
func (o *outbound) due() time.Time {
	if o.sent == o.received {
		return time.Time{}
	}
	return o.at.Add(o.pause)
}

// take returns frames to be sent now, at most size bytes of them but at least one if there is one, and the number of the first.
func (o *outbound) take(now time.Time, size int) (first uint64, frames [][]byte) {
	if due := o.due(); !due.IsZero() && !now.Before(due) {
		o.sent = o.received
		o.pause = min(2*o.pause, resendMost)
	}
	if o.sent == o.received {
		o.at, o.pause = now, max(o.pause, resendFirst)
	}
	first = o.sent + 1
	for o.sent < o.last {
		f := o.frames[o.sent-o.received]
		if size -= len(f); size < 0 && len(frames) > 0 {
			break
		}
		frames = append(frames, f)
		o.sent++
	}
	return first, frames
}

// heard takes what the other end says it has received. missing means that a later frame came, too.
func (o *outbound) heard(received uint64, missing bool, now time.Time) {
	received = min(received, o.last)
	switch {
	case received > o.received:
		for _, f := range o.frames[:received-o.received] {
			o.bytes -= len(f)
		}
		if o.frames = o.frames[received-o.received:]; len(o.frames) == 0 {
			o.frames = nil
		}
		o.received, o.sent = received, max(o.sent, received)
		o.at, o.pause = now, resendFirst
	case missing && received == o.received && now.Sub(o.at) >= resendSoon:
		o.sent = received
	}
}

// inbound is the receiving end. The zero inbound is the beginning of a stream.
type inbound struct {
	received uint64 // number of the last frame that came
	missing  bool   // a frame that follows later came, too
}

// take returns those of a datagram's frames that come next in the stream, and the number of the first.
func (in *inbound) take(first uint64, frames [][]byte) (uint64, [][]byte) {
	if len(frames) == 0 {
		return first, nil
	}
	if first > in.received+1 {
		in.missing = true
		return first, nil
	}
	in.missing = false
	old := in.received + 1 - first
	if old >= uint64(len(frames)) {
		return first, nil
	}
	in.received += uint64(len(frames)) - old
	return first + old, frames[old:]
}
