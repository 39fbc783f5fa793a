package jobs

import (
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

func TestAChangeOfWhatIsSharedIsFound(t *testing.T) {
	s := memstore.New()
	defer s.Close()
	if err := store.Update(t.Context(), s, func(tx store.Tx) error {
		tables.jobs.Put(tx, "j", muster.Job{ID: "j", Targets: []muster.Target{{Name: "lamp"}}})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	jobs := &Jobs{decoded: newDecodedCache(tables.jobs, 1), documents: newDecodedCache(tables.documents, 1)}
	if err := s.View(t.Context(), func(r store.Reader) error {
		j, err := jobs.decoded.get(r, "j")
		if err != nil {
			return err
		}
		if err := jobs.CheckShared(); err != nil {
			t.Errorf("CheckShared = %v, want nil", err)
		}
		j.Targets[0].Name = "pump"
		if err := jobs.CheckShared(); err == nil {
			t.Error("CheckShared does not find the change")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
