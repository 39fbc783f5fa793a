package gateway

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"
)

// Whatever becomes of datagrams, all frames come, once and in order.
func TestAStreamOverALossyBus(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var out outbound
		var in inbound
		now := time.Unix(0, 0)
		type sent struct {
			first  uint64
			frames [][]byte
		}
		var flying []sent
		var got []string
		const all = 200
		for round := 0; len(got) < all; round++ {
			if round > 20_000 {
				t.Fatalf("seed %d: only %d frames came", seed, len(got))
			}
			now = now.Add(time.Duration(rnd.IntN(30)) * time.Millisecond)
			for range rnd.IntN(4) {
				if out.last < all {
					out.add(strconv.AppendUint(nil, out.last+1, 10))
				}
			}
			if first, frames := out.take(now, 1+rnd.IntN(10)); len(frames) > 0 {
				flying = append(flying, sent{first, frames})
			}
			if len(flying) > 0 {
				i := rnd.IntN(len(flying))
				d := flying[i]
				if rnd.IntN(4) > 0 { // else it comes again
					flying = slices.Delete(flying, i, i+1)
				}
				if rnd.IntN(3) > 0 { // else it is lost
					_, frames := in.take(d.first, d.frames)
					for _, f := range frames {
						got = append(got, string(f))
					}
				}
			}
			if rnd.IntN(3) == 0 {
				out.heard(in.received, in.missing, now)
			}
		}
		for i, text := range got {
			if text != strconv.Itoa(i+1) {
				t.Fatalf("seed %d: frame %d is %s", seed, i+1, text)
			}
		}
		if out.heard(in.received, false, now); len(out.frames) > 0 || out.bytes != 0 || !out.due().IsZero() {
			t.Errorf("seed %d: after all has come %d frames are kept, %d bytes", seed, len(out.frames), out.bytes)
		}
	}
}

func TestFramesAreSentAgainAfterAPause(t *testing.T) {
	var out outbound
	now := time.Unix(0, 0)
	out.add([]byte("a"))
	out.take(now, 10)
	for _, pause := range []time.Duration{resendFirst, 2 * resendFirst, resendMost, resendMost} {
		if due := out.due(); due != now.Add(pause) {
			t.Fatalf("due after %v, want %v", due.Sub(now), pause)
		}
		if _, frames := out.take(now.Add(pause-1), 10); len(frames) != 0 {
			t.Error("sent again too soon")
		}
		now = now.Add(pause)
		if first, frames := out.take(now, 10); first != 1 || len(frames) != 1 {
			t.Errorf("sent %d frames from %d", len(frames), first)
		}
	}
	out.add([]byte("b"))
	out.take(now, 10)
	out.heard(0, true, now.Add(resendSoon))
	if first, frames := out.take(now.Add(resendSoon), 10); first != 1 || len(frames) != 2 {
		t.Errorf("after word of a gap %d frames were sent from %d", len(frames), first)
	}
	out.heard(9, false, now) // more than there was
	if out.received != 2 {
		t.Errorf("%d frames have come, of 2", out.received)
	}
}

func someCarried() *carried {
	m := &message{topic: "a/é", payload: []byte("x\x00"), forward: []byte{1, 1}, expires: time.Unix(100, 0), latest: true, origin: origin{7, 8}}
	return &carried{message: m, qos: 1, retain: true, plain: true, others: true, late: true, born: time.Unix(60, 0), shares: []string{"$share/g/a/#", ""}, client: "lamp", hops: 3}
}

func TestFramesAreReadAsTheyWereWritten(t *testing.T) {
	now := time.Unix(64, 0)
	for name, test := range map[string]struct {
		frame []byte
		read  func(r *reader) (any, error)
		want  any
	}{
		"interest":   {wish{"a/+", 2, 1}.frame(), func(r *reader) (any, error) { return readWish(r) }, wish{"a/+", 2, 1}},
		"message":    {someCarried().frame(now), func(r *reader) (any, error) { return readCarried(r, now) }, someCarried()},
		"taken":      {taken{"lamp", 9}.frame(), func(r *reader) (any, error) { return readTaken(r) }, taken{"lamp", 9}},
		"disconnect": {order{1, "lamp", true, false}.frame(), func(r *reader) (any, error) { return readOrder(r) }, order{1, "lamp", true, false}},
		"answer":     {answer{1, true}.frame(), func(r *reader) (any, error) { return readAnswer(r) }, answer{1, true}},
		"did":        {did{1, 5, true}.frame(), func(r *reader) (any, error) { return readDid(r) }, did{1, 5, true}},
	} {
		got, err := test.read(&reader{b: test.frame[1:]})
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, test.want)
		}
		if _, err := test.read(&reader{b: test.frame[1 : len(test.frame)-1]}); err == nil {
			t.Errorf("%s: read although its end is missing", name)
		}
		if _, err := test.read(&reader{b: append(test.frame[1:len(test.frame):len(test.frame)], 0)}); err == nil {
			t.Errorf("%s: read although there is more", name)
		}
	}
	news := retainedNews{"a", 3, &MessageRecord{Topic: "a", Payload: []byte("x")}}
	if got, err := readRetained(news.frame()[1:]); err != nil || !reflect.DeepEqual(got, news) {
		t.Errorf("retained: %+v, %v", got, err)
	}
	d := datagram{from: 5, received: 1, missing: true, sent: time.Second, echo: -1, last: 9, first: 8, frames: [][]byte{[]byte("a"), {}}}
	if got, err := readDatagram(d.append(nil)); err != nil || !reflect.DeepEqual(got, d) {
		t.Errorf("datagram: %+v, %v, want %+v", got, err, d)
	}
	if _, err := readDatagram([]byte{datagramVersion + 1}); err == nil {
		t.Error("a datagram of another version was read")
	}
}

func FuzzDatagram(f *testing.F) {
	d := datagram{from: 5, received: 1, echo: -1, last: 9, first: 8, frames: [][]byte{someCarried().frame(time.Now()), wish{"a", 1, 0}.frame(), did{1, 2, true}.frame()}}
	f.Add(d.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := readDatagram(b)
		if err != nil {
			return
		}
		for _, frame := range d.frames {
			if len(frame) == 0 {
				continue
			}
			readWish(&reader{b: frame[1:]})
			readCarried(&reader{b: frame[1:]}, time.Now())
			readOrder(&reader{b: frame[1:]})
			readDid(&reader{b: frame[1:]})
			readRetained(frame[1:])
		}
	})
}
