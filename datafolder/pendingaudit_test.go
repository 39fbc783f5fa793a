package datafolder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/muster-iot/muster/audit"
)

// notebook keeps audit records as a store does: what has the same request id and instant is one record.
type notebook struct {
	records []audit.Record
	fail    error // of the next call
}

func (n *notebook) keep(_ context.Context, records []audit.Record) error {
	if err := n.fail; err != nil {
		n.fail = nil
		return err
	}
	n.records = append(n.records, records...)
	return nil
}

func (n *notebook) take(t *testing.T, f Folder) (skipped int) {
	t.Helper()
	skipped, err := TakeAudit(t.Context(), f, n.keep)
	if err != nil {
		t.Fatal(err)
	}
	return skipped
}

func appended(t *testing.T, f Folder, r audit.Record) audit.Record {
	t.Helper()
	if err := AppendAudit(t.Context(), f, r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPendingAuditRecordsAreTakenOnce(t *testing.T) {
	f, kept := Folder(t.TempDir()), &notebook{}
	if kept.take(t, f) != 0 || len(kept.records) != 0 {
		t.Errorf("a folder without the file has %v", kept.records)
	}
	want := []audit.Record{
		appended(t, f, audit.Record{At: 1, RequestID: "a", Operation: "AddKey", Outcome: audit.Begun}),
		appended(t, f, audit.Record{At: 1, RequestID: "a", Operation: "AddKey", Outcome: audit.Done, Changes: []audit.Change{{Field: "rights", New: "full\naccess"}}}),
	}
	if info, err := os.Stat(f.pendingAudit()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v; want it for its owner only", info, err)
	}
	kept.take(t, f)
	kept.take(t, f)
	want = append(want, appended(t, f, audit.Record{At: 2, RequestID: "b", Operation: "RemoveKey", Outcome: audit.Begun}))
	kept.take(t, f)
	if !reflect.DeepEqual(kept.records, want) {
		t.Errorf("taken were %v\nwant %v", kept.records, want)
	}
}

func TestPendingAuditRecordsStayUntilTheyAreKept(t *testing.T) {
	f, kept := Folder(t.TempDir()), &notebook{fail: errors.New("the disk is full")}
	appended(t, f, audit.Record{At: 1, RequestID: "a", Operation: "AddKey"})
	if _, err := TakeAudit(t.Context(), f, kept.keep); err == nil || err.Error() != "the disk is full" {
		t.Errorf("TakeAudit() = %v, want the error of who keeps them", err)
	}
	if kept.take(t, f); len(kept.records) != 1 {
		t.Errorf("taken were %v, want the one record", kept.records)
	}
}

// A process may be killed, or a machine stop, while a record is written. Nothing of that record is believed, and the next
// one is whole.
func TestWhatIsNoRecordIsSkipped(t *testing.T) {
	f, kept := Folder(t.TempDir()), &notebook{}
	rubbish := strings.Join([]string{
		`{"at":1,"requestId":"x","operation":"AddKey"} `, // whole, and then
		`{"at":0,"requestId":"x","operation":"AddKey"}`, `{}`, `null`, "", "\x00\x00", strings.Repeat("y", pendingLineMax+5) + `{"at":1}`, `{"at":2,"requ`,
	}, "\n")
	if err := os.WriteFile(f.pendingAudit(), []byte(rubbish), 0o600); err != nil {
		t.Fatal(err)
	}
	appended(t, f, audit.Record{At: 3, RequestID: "z", Operation: "AddKey"})
	if skipped := kept.take(t, f); skipped != 6 || len(kept.records) != 2 || kept.records[0].RequestID != "x" || kept.records[1].RequestID != "z" {
		t.Errorf("%d lines are skipped and %v taken, want 6, and x and z", skipped, kept.records)
	}
}

func TestRecordsOfSeveralProcessesAreWhole(t *testing.T) {
	f, kept := Folder(t.TempDir()), &notebook{}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 40 {
				if err := AppendAudit(t.Context(), f, audit.Record{At: 1, RequestID: fmt.Sprint(i, j), Operation: "AddKey"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	for more := true; more; {
		select {
		case <-done:
			more = false
		default:
		}
		if skipped := kept.take(t, f); skipped > 0 {
			t.Errorf("%d lines are no records", skipped)
		}
	}
	seen := map[string]bool{}
	for _, r := range kept.records {
		seen[r.RequestID] = true
	}
	if len(seen) != 320 || len(kept.records) != 320 {
		t.Errorf("%d records of %d requests were taken, want 320", len(kept.records), len(seen))
	}
}
