package pebblestore

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
)

func fullExecution() muster.Execution {
	return muster.Execution{
		Status: muster.InProgress, Version: 3, Namespace: "factory",
		Details:  map[string]string{"progress": "50 %", "": "", "step": "flash"},
		QueuedAt: 1_700_000_000_001, StartedAt: 1_700_000_000_002, UpdatedAt: math.MaxInt64,
		JobDeadline: math.MinInt64, StepDeadline: -1, Retries: muster.Retries{Failed: 7, TimedOut: 1}, ForceCanceled: true, Windowed: true,
	}
}

func fullQueue() queue {
	return queue{entries: []muster.Entry{
		{Job: "a", Number: 1, Version: 2, Status: muster.InProgress, QueuedAt: 3, StartedAt: 4, UpdatedAt: 5},
		{Job: "b", Number: math.MaxInt64, Version: 1, Status: muster.Queued, QueuedAt: -1, Windowed: true, Hidden: true},
	}, rev: -993, bare: []attempt{{"a", 1}}}
}

// Stored records outlive the release that wrote them, so their bytes are
// written down here: a change needs a new form.
func TestRecordsKeepTheirForm(t *testing.T) {
	e, q := fullExecution(), fullQueue()
	presigned := muster.Execution{Status: muster.Queued, Version: 1, PresignedAt: 1_700_000_000_000}
	for name, c := range map[string]struct{ got, want []byte }{
		"execution": {appendExecution(nil, &e), []byte("\x03\x02;\afactory\x06\x0e\x02\x82\xa0\xab\xfe\xf9b\xfc\xdf\xd4\x81\x86\x9d\xff\xff\xff\x01\x02" +
			"\xfe\xdf\xd4\x81\x86\x9d\xff\xff\xff\x01\x83\xa0\xab\xfe\xf9b\x03\x00\x00\bprogress\x0450 %\x04step\x05flash")},
		"execution of zeros":  {appendExecution(nil, &muster.Execution{Status: muster.Queued, Version: 1}), []byte("\x03\x01\x00\x00\x02\x00\x00\x00\x00\x00")},
		"presigned execution": {appendExecution(nil, &presigned), []byte("\x03\x01@\x00\x02\x00\x00\x00\x00\x80\xa0\xab\xfe\xf9b\x00")},
		"queue": {appendQueue(nil, &q), []byte("\x03\a\x02\x01a\x02\x88\x02\x04\x06\x04\x02" +
			"\x01b\x01\x06\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x01\x02")},
		"counts": {appendCounts(nil, muster.Counts{1, 2, 3, 4, 5, 6, 7, 100}), []byte("\x01\x02\x04\x06\b\n\f\x0e\xc8\x01")},
	} {
		if !bytes.Equal(c.got, c.want) {
			t.Errorf("%s\n got %q\nwant %q", name, c.got, c.want)
		}
	}
}

// A folder of an earlier release is read as it is.
func TestRecordsOfEarlierForms(t *testing.T) {
	full, presigned := fullExecution(), muster.Execution{Status: muster.Queued, Version: 1, PresignedAt: 1_700_000_000_000}
	for form, want := range map[string]muster.Execution{
		"\x01\x02\x03\afactory\x06\x0e\x02\x82\xa0\xab\xfe\xf9b\x84\xa0\xab\xfe\xf9b" +
			"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01\x03\x00\x00\bprogress\x0450 %\x04step\x05flash": full,
		"\x01\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00":                      {Status: muster.Queued, Version: 1},
		"\x02\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x80\xa0\xab\xfe\xf9b": presigned,
	} {
		var e muster.Execution
		if err := decodeExecution([]byte(form), &e); err != nil || !e.Equal(want) {
			t.Errorf("decodeExecution(%q) = %+v, %v, want %+v", form, e, err, want)
		}
	}
	var q queue
	err := decodeQueue([]byte("\x01\x02\x01a\x02\x00\x02\x04\x06\b\n\x01b\x01\x06\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x01\x00\x00"), &q)
	if want := fullQueue(); err != nil || !slices.Equal(q.entries, want.entries) || q.rev != -1000 || len(q.bare) != 0 {
		t.Errorf("decodeQueue of the first form = %+v, %v, want %+v with the lowest revision and none of them bare", q, err, want)
	}
}

func TestDamagedRecordsAreErrors(t *testing.T) {
	e, q := fullExecution(), fullQueue()
	presigned := e
	presigned.PresignedAt = 1
	decodeAny := func(b []byte) error { return decodeExecution(b, new(muster.Execution)) }
	decoders := map[string]struct {
		record []byte
		decode func([]byte) error
		newer  byte // a form that does not exist yet
	}{
		"execution":           {appendExecution(nil, &e), decodeAny, 4},
		"presigned execution": {appendExecution(nil, &presigned), decodeAny, 4},
		"queue":               {appendQueue(nil, &q), func(b []byte) error { return decodeQueue(b, new(queue)) }, 4},
		"counts":              {appendCounts(nil, muster.Counts{5, 1 << 40}), func(b []byte) error { _, err := decodeCounts(b); return err }, 2},
	}
	for name, d := range decoders {
		if err := d.decode(d.record); err != nil {
			t.Errorf("%s: decode of its own record = %v", name, err)
		}
		for n := range d.record {
			if err := d.decode(d.record[:n]); err == nil {
				t.Errorf("%s: decode of the first %d of %d bytes = nil, want an error", name, n, len(d.record))
			}
		}
		if err := d.decode(append(bytes.Clone(d.record), 0)); err == nil {
			t.Errorf("%s: decode of a record and one more byte = nil, want an error", name)
		}
		newer := append([]byte{d.newer}, d.record[1:]...)
		if err := d.decode(newer); err == nil || !strings.Contains(err.Error(), "form "+strconv.Itoa(int(d.newer))) {
			t.Errorf("%s: decode of a newer form = %v, want an error that names it", name, err)
		}
	}
	for name, b := range map[string]string{
		"status 0":               "\x01\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00",
		"status 9":               "\x01\x09\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00",
		"an unknown flag":        "\x01\x01\x80\x00\x02\x00\x00\x00\x00\x00\x00\x00",
		"a number with padding":  "\x01\x01\x00\x00\x82\x00\x00\x00\x00\x00\x00\x00\x00",
		"details out of order":   "\x01\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00\x02\x01b\x00\x01a\x00",
		"URLs of no instant":     "\x02\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		"details for the galaxy": "\x01\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
	} {
		if err := decoders["execution"].decode([]byte(b)); err == nil {
			t.Errorf("decode of an execution with %s = nil, want an error", name)
		}
	}
}

// Whatever is accepted prints back the same, so nothing is read past or twice.
func FuzzDecodeExecution(f *testing.F) {
	e := fullExecution()
	f.Add(appendExecution(nil, &e))
	f.Add(appendExecution(nil, &muster.Execution{Status: muster.Queued}))
	f.Add(appendExecution(nil, &muster.Execution{Status: muster.Queued, PresignedAt: 1}))
	f.Add([]byte{spanForm + 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var e muster.Execution
		if decodeExecution(b, &e) != nil || b[0] != spanForm {
			return
		}
		if again := appendExecution(nil, &e); !bytes.Equal(again, b) {
			t.Fatalf("%q decodes to %+v, which is %q", b, e, again)
		}
	})
}

func FuzzDecodeQueue(f *testing.F) {
	q := fullQueue()
	f.Add(appendQueue(nil, &q))
	f.Add([]byte{firstForm, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var q queue
		if decodeQueue(b, &q) != nil || b[0] != spanForm {
			return
		}
		if again := appendQueue(nil, &q); !bytes.Equal(again, b) {
			t.Fatalf("%q decodes to %+v, which is %q", b, q, again)
		}
	})
}

func FuzzParseKeys(f *testing.F) {
	f.Add([]byte("tpump\x00xjob\x00\x80\x00\x00\x00\x00\x00\x00\x01"))
	f.Add([]byte("d\x80\x00\x00\x00\x00\x00\x00\x01pump\x00job\x00\x80\x00\x00\x00\x00\x00\x00\x01"))
	f.Add([]byte("\x02\x80\x00\x00\x00\x00\x00\x00\x01pump\x00\x80\x00\x00\x00\x00\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, key []byte) {
		if len(key) == 0 {
			return
		}
		if key[0] == ofThing {
			_, _, _ = decodeOfThing(key, nil)
		}
		if timer, err := parseTimerKey(key); err == nil && key[0] == ofTimer {
			if again := appendTimerKey(nil, timer); !bytes.Equal(again, key) {
				t.Fatalf("timer %q is %+v, which is %q", key, timer, again)
			}
		}
		if status, at, err := parsePlace(key); err == nil && !strings.Contains(string(at.Thing), "\x00") {
			again := appendPlaceKey(nil, "j", status, at)[len("jj\x00"):]
			if !bytes.Equal(again, key) {
				t.Fatalf("place %q is %d %+v, which is %q", key, status, at, again)
			}
		}
	})
}
