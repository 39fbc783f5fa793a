package diary

import (
	"fmt"
	"testing"

	"github.com/muster-iot/muster"
)

// BenchmarkWork is what a recorder costs a device that is told of a job, starts it and reports its end, and the same of a
// device that is not told, with a write each 50,000.
func BenchmarkWork(b *testing.B) {
	for name, told := range map[string]bool{"told": true, "not told": false} {
		b.Run(name, func(b *testing.B) {
			g := newRig(b)
			things := make([]muster.ThingName, 10_000)
			for i := range things {
				things[i] = muster.ThingName(fmt.Sprint("lamp-", i))
			}
			start, end := muster.Request{Operation: start}, muster.Request{Operation: update, Job: "fw"}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				thing := things[i%len(things)]
				if told {
					g.Told(thing, "fw")
					g.Acknowledged(thing)
				}
				g.Asked(thing, start, true)
				g.Asked(thing, end, true)
				if i%50_000 == 49_999 {
					g.flush(g.Recorder)
				}
			}
		})
	}
}
