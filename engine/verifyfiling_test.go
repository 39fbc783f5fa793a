package engine

import (
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

func TestVerifySeesWhatIsFiledWrongly(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(tx store.Tx)
		want   store.Invariant // empty: nothing is wrong
	}{
		{"nothing", func(store.Tx) {}, ""},
		{"a job that rolls out is not filed", func(tx store.Tx) { concurrent.Delete(tx, "slow") }, JobsAreFiled},
		{"one that does not is filed", func(tx store.Tx) { concurrent.Put(tx, "done", link{}) }, JobsAreFiled},
		{"one waits that does not exist", func(tx store.Tx) { line.Put(tx, alarmKey(1, "none"), link{}) }, JobsAreFiled},
		{"one that ended is not filed", func(tx store.Tx) {
			for row := range ended.Scan(tx, "", "") {
				ended.Delete(tx, row.Key)
			}
		}, JobsAreFiled},
		{"active jobs are miscounted", func(tx store.Tx) { tallies.Put(tx, activeJobs, 3) }, JobsAreFiled},
		{"an event is missing in the middle", func(tx store.Tx) { eventLog.Delete(tx, placeKey(2)) }, LogIsComplete},
		{"the newest event is missing", func(tx store.Tx) { eventLog.Delete(tx, placeKey(3)) }, LogIsComplete},
		{"an event was not removed", func(tx store.Tx) { eventMarks.Put(tx, theMarks, marks{Last: 3, Removed: 1}) }, LogIsComplete},
		{"dead letters are miscounted", func(tx store.Tx) { tallies.Put(tx, deadLetterTally, 1) }, LogIsComplete},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := memstore.New()
			env := newEnvOn(t, s, Options{Sinks: Sinks{Webhook: map[muster.EventType]bool{muster.EventThing: true}}})
			for _, name := range []muster.ThingName{"a", "b", "c"} {
				env.createThing(muster.Thing{Name: name})
			}
			env.group("all", "a", "b", "c")
			env.job("done", "a")
			env.mustReport("a", "done", muster.Succeeded)
			noErr(t, "CreateJob", env.create("slow", muster.Snapshot, 1))
			env.settleDown()
			env.write(tt.damage)
			problems, err := Verify(t.Context(), s)
			noErr(t, "Verify", err)
			if tt.want == "" && len(problems) == 0 {
				return
			}
			if len(problems) != 1 || problems[0].Invariant != tt.want {
				t.Errorf("Verify finds %v, want one of %q", problems, tt.want)
			}
		})
	}
}
