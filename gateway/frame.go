package gateway

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
)

// This file is the wire format between nodes. A datagram is what the bus carries: what its sender has received of the
// other's frames, two clocks, and some of its own frames. A frame is one piece of news. Numbers are varints, texts have their length
// before them.

// datagramVersion is the first byte of a datagram. A node drops those with another one, and so counts as one that nothing was heard of.
const datagramVersion = 1

// datagramSize is how many bytes of frames a datagram takes, unless its first frame alone is larger.
const datagramSize = 64 << 10

// datagram is one message on the bus from a node to another.
type datagram struct {
	from     Node
	received uint64 // number of the last frame of the other that came
	missing  bool   // frames after received are missing, later ones have come
	sent     time.Duration
	echo     time.Duration // what sent was in the last datagram of the other; negative before there was one
	last     uint64        // number of the newest frame there is
	first    uint64        // number of the first of frames
	frames   [][]byte
}

func (d *datagram) append(b []byte) []byte {
	b = append(b, datagramVersion)
	b = binary.AppendVarint(b, int64(d.from))
	b = binary.AppendUvarint(b, d.received)
	b = appendBool(b, d.missing)
	b = binary.AppendVarint(b, int64(d.sent))
	b = binary.AppendVarint(b, int64(d.echo))
	b = binary.AppendUvarint(b, d.last)
	b = binary.AppendUvarint(b, d.first)
	b = binary.AppendUvarint(b, uint64(len(d.frames)))
	for _, f := range d.frames {
		b = appendText(b, f)
	}
	return b
}

var errFrame = errors.New("gateway: malformed message of another node")

// readDatagram is the inverse of append. The frames are parts of b.
func readDatagram(b []byte) (d datagram, err error) {
	r := &reader{b: b}
	if r.octet() != datagramVersion {
		return d, errFrame
	}
	d.from = Node(r.integer())
	d.received, d.missing = r.number(), r.octet() != 0
	d.sent, d.echo = time.Duration(r.integer()), time.Duration(r.integer())
	d.last, d.first = r.number(), r.number()
	n := r.number()
	if n > uint64(len(r.b)) {
		return d, errFrame
	}
	d.frames = make([][]byte, 0, n)
	for range n {
		d.frames = append(d.frames, r.text())
	}
	return d, r.end()
}

// frameKind is the first byte of a frame.
type frameKind byte

const (
	interestFrame frameKind = iota + 1
	messageFrame
	takenFrame
	disconnectFrame
	answerFrame
	retainedFrame
	didFrame
)

// wish is how many subscriptions a node has to a filter. Only for shared ones numbers matter.
type wish struct {
	filter string
	here   int // of connected clients; of a filter that is not shared, of any
	away   int // of clients that are away
}

func (w wish) frame() []byte {
	b := appendText([]byte{byte(interestFrame)}, w.filter)
	b = binary.AppendUvarint(b, uint64(w.here))
	return binary.AppendUvarint(b, uint64(w.away))
}

func readWish(r *reader) (w wish, err error) {
	w.filter = string(r.text())
	w.here, w.away = int(min(r.number(), membersMax)), int(min(r.number(), membersMax))
	return w, r.end()
}

// origin tells messages of QoS 1 apart, wherever they were published.
type origin struct {
	node   Node
	number uint64
}

// carried is a message on its way to another node, and whom it is for there.
type carried struct {
	*message
	qos    byte
	retain bool
	plain  bool     // for all subscriptions that are not shared
	shares []string // shared filters: for one subscription to each; with others, it has been chosen already
	others bool     // for one subscription to each shared filter that is not named
	client string   // not empty: for the session of this client only, wherever it is
	late   bool     // only for sessions that came here since it was born
	born   time.Time
	hops   byte
}

// The flags of a carried message.
const (
	flagQoS1 = 1 << iota
	flagRetain
	flagPlain
	flagLatest
	flagExpires
	flagLate
	flagOthers
)

func (c *carried) frame(now time.Time) []byte {
	var flags byte
	set := func(flag byte, on bool) {
		if on {
			flags |= flag
		}
	}
	set(flagQoS1, c.qos > 0)
	set(flagRetain, c.retain)
	set(flagPlain, c.plain)
	set(flagLatest, c.latest)
	set(flagExpires, !c.expires.IsZero())
	set(flagLate, c.late)
	set(flagOthers, c.others)
	b := make([]byte, 0, len(c.topic)+len(c.payload)+len(c.forward)+64)
	b = append(b, byte(messageFrame), flags, c.hops)
	b = binary.AppendVarint(b, int64(c.origin.node))
	b = binary.AppendUvarint(b, c.origin.number)
	if c.late {
		b = binary.AppendVarint(b, int64(now.Sub(c.born))) // clocks of nodes differ
	}
	if flags&flagExpires != 0 {
		b = binary.AppendVarint(b, int64(c.expires.Sub(now)))
	}
	b = appendText(b, c.client)
	b = appendText(b, c.topic)
	b = appendText(b, c.payload)
	b = appendText(b, c.forward)
	b = binary.AppendUvarint(b, uint64(len(c.shares)))
	for _, s := range c.shares {
		b = appendText(b, s)
	}
	return b
}

func readCarried(r *reader, now time.Time) (*carried, error) {
	m := &message{}
	c := &carried{message: m}
	flags := r.octet()
	c.hops = r.octet()
	c.qos, c.retain, c.plain, m.latest = flags&flagQoS1, flags&flagRetain != 0, flags&flagPlain != 0, flags&flagLatest != 0
	c.others = flags&flagOthers != 0
	m.origin = origin{Node(r.integer()), r.number()}
	c.born = now
	if c.late = flags&flagLate != 0; c.late {
		c.born = now.Add(-time.Duration(r.integer()))
	}
	if flags&flagExpires != 0 {
		m.expires = now.Add(time.Duration(r.integer()))
	}
	c.client = string(r.text())
	m.topic = string(r.text())
	m.payload = append([]byte(nil), r.text()...)
	m.forward = append(packet.Properties(nil), r.text()...)
	n := r.number()
	if n > uint64(len(r.b)) {
		return nil, errFrame
	}
	for range n {
		c.shares = append(c.shares, string(r.text()))
	}
	return c, r.end()
}

// taken says that the sender has the session of a client now, and that all nodes know what it is subscribed to.
type taken struct {
	client string
	epoch  uint64
}

func (t taken) frame() []byte {
	return binary.AppendUvarint(appendText([]byte{byte(takenFrame)}, t.client), t.epoch)
}

func readTaken(r *reader) (t taken, err error) {
	t.client, t.epoch = string(r.text()), r.number()
	return t, r.end()
}

// order asks a node to end the connection of a client, and answer says whether it was there.
type order struct {
	id                    uint64
	client                string
	withWill, dropSession bool
}

func (o order) frame() []byte {
	b := binary.AppendUvarint([]byte{byte(disconnectFrame)}, o.id)
	return appendBool(appendBool(appendText(b, o.client), o.withWill), o.dropSession)
}

func readOrder(r *reader) (o order, err error) {
	o.id, o.client, o.withWill, o.dropSession = r.number(), string(r.text()), r.octet() != 0, r.octet() != 0
	return o, r.end()
}

type answer struct {
	id    uint64
	found bool
}

func (a answer) frame() []byte {
	return appendBool(binary.AppendUvarint([]byte{byte(answerFrame)}, a.id), a.found)
}

func readAnswer(r *reader) (a answer, err error) {
	a.id, a.found = r.number(), r.octet() != 0
	return a, r.end()
}

// did answers some messages of QoS 1, named by the numbers of their frames: all that there is to store of them is stored, or that has failed.
type did struct {
	from, to uint64
	ok       bool
}

func (d did) frame() []byte {
	return appendBool(binary.AppendUvarint(binary.AppendUvarint([]byte{byte(didFrame)}, d.from), d.to), d.ok)
}

func readDid(r *reader) (d did, err error) {
	d.from, d.to, d.ok = r.number(), r.number(), r.octet() != 0
	return d, r.end()
}

// retainedNews is a retained message that was written or, without a record, dropped.
type retainedNews struct {
	Topic    string         `json:"topic"`
	Revision uint64         `json:"rev"`
	Record   *MessageRecord `json:"record,omitempty"`
}

func (n retainedNews) frame() []byte {
	text, _ := json.Marshal(n) // such records always marshal
	return append([]byte{byte(retainedFrame)}, text...)
}

func readRetained(b []byte) (n retainedNews, err error) {
	if json.Unmarshal(b, &n) != nil || n.Topic == "" {
		err = errFrame
	}
	return n, err
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendText[T ~string | ~[]byte](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// reader takes a datagram or a frame apart. What is missing reads as zero, and end tells.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) end() error {
	if r.bad || len(r.b) > 0 {
		return errFrame
	}
	return nil
}

func (r *reader) octet() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) number() uint64 {
	v, n := binary.Uvarint(r.b)
	r.pass(n)
	return v
}

func (r *reader) integer() int64 {
	v, n := binary.Varint(r.b)
	r.pass(n)
	return v
}

// pass skips a number of n bytes. If n is not positive, there was none, and it was read as zero.
func (r *reader) pass(n int) {
	if n <= 0 {
		r.bad, r.b = true, nil
		return
	}
	r.b = r.b[n:]
}

func (r *reader) text() []byte {
	n := r.number()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	text := r.b[:n]
	r.b = r.b[n:]
	return text
}
