package cluster

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

func someDigests() []Digest {
	return []Digest{
		{From: 1, Wake: Never},
		{From: 7, Sequence: 300, Wake: 0, Recorded: true},
		{From: 1 << 40, Sequence: 1 << 63, Wake: 1_800_000_000_000, Rights: RightsNews{All: true}},
		{
			From: 2, Sequence: 5, Wake: Never,
			Rights: RightsNews{Certificates: []muster.CertificateID{"c1", "c2"}, Things: []muster.ThingName{"lamp"}},
			Queues: []QueueNews{
				{QueueKey: store.QueueKey{Thing: "lamp"}, Change: muster.Change{List: true, Next: true}, Rev: 1_800_000_000_000_001, HeadRev: 1_800_000_000_000_000},
				{QueueKey: store.QueueKey{Thing: "pump", Namespace: "s"}, Change: muster.Change{List: true}, Rev: 3},
				{QueueKey: store.QueueKey{Thing: "", Namespace: ""}, Change: muster.Change{Next: true}, HeadRev: -4},
				{QueueKey: store.QueueKey{Thing: "quiet"}},
			},
		},
	}
}

func TestDigestsAreReadAsTheyWereWritten(t *testing.T) {
	into := Digest{Queues: make([]QueueNews, 9)}
	for _, d := range someDigests() {
		data := d.append(nil)
		if err := into.decode(data); err != nil {
			t.Fatalf("%v: %v", d, err)
		}
		if len(into.Queues) == 0 {
			into.Queues = nil
		}
		if !reflect.DeepEqual(into, d) {
			t.Errorf("wrote %+v\nread  %+v", d, into)
		}
		for n := range data {
			if err := into.decode(data[:n]); err == nil {
				t.Errorf("a digest without its last %d bytes is read", len(data)-n)
			}
		}
		if err := into.decode(append(data, 0)); err == nil {
			t.Error("a digest with something after it is read")
		}
		data[0]++
		if err := into.decode(data); err == nil {
			t.Error("a digest of another version is read")
		}
	}
}

// Whatever comes is read or refused, and what is read can be written again.
func FuzzDigest(f *testing.F) {
	for _, d := range someDigests() {
		f.Add(d.append(nil))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var d, again Digest
		if d.decode(data) != nil {
			return
		}
		written := d.append(nil)
		if err := again.decode(written); err != nil || !bytes.Equal(again.append(nil), written) {
			t.Errorf("%x is read as %+v, which is written as %x and read as %+v, %v", data, d, written, again, err)
		}
	})
}

func BenchmarkDigest(b *testing.B) {
	d := Digest{From: 3, Sequence: 1 << 20, Wake: Never}
	for i := range 512 {
		d.Queues = append(d.Queues, QueueNews{
			QueueKey: store.QueueKey{Thing: muster.ThingName(fmt.Sprintf("thing-%06d", i))}, Change: muster.Change{List: true, Next: true}, Rev: 1_800_000_000_000_000, HeadRev: 1_800_000_000_000_000,
		})
	}
	var data []byte
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			data = d.append(data[:0])
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(d.Queues)), "ns/thing")
	})
	b.Run("decode", func(b *testing.B) {
		var into Digest
		for b.Loop() {
			if err := into.decode(data); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(d.Queues)), "ns/thing")
		b.ReportMetric(float64(len(data))/float64(len(d.Queues)), "B/thing")
	})
}
