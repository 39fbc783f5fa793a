package service

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/storetest"
)

// A process that may have missed the news of another one finds in the store whose rights have changed.
func TestRightsThatAnotherProcessHasChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := storetest.NewSite(memstore.New(), time.Now, 1, 1, time.Millisecond)
		here, there := newEnvOnJust(t, site.Join(), Options{}), newEnvOnJust(t, site.Join(), Options{})
		var since store.Moment
		look := func(all bool, certificates ...muster.CertificateID) {
			t.Helper()
			c, next, err := here.Rights.ChangesSince(t.Context(), since)
			if err != nil || c.All != all || !slices.Equal(c.Certificates, certificates) || next < since {
				t.Errorf("ChangesSince = %+v, %v; want %v of all: %v", c, err, certificates, all)
			}
			since = next
		}
		there.certificate("lamp", muster.CertificateActive)
		look(true) // it has not looked yet
		time.Sleep(time.Second)
		look(false)
		there.certificate("pump", muster.CertificateActive)
		here.certificate("fan", muster.CertificateActive)
		time.Sleep(time.Second)
		look(false, "pump", "fan")
		look(false)
		if err := there.Rights.ForgetChanges(t.Context()); err != nil {
			t.Fatal(err)
		}
		there.certificate("bulb", muster.CertificateActive)
		time.Sleep(time.Second)
		look(false, "bulb")
		time.Sleep(11 * time.Minute)
		look(true) // that was too long ago
		there.certificate("tap", muster.CertificateActive)
		if err := there.Rights.ForgetChanges(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		look(false, "tap")
		n := 0
		noErr(t, "View", here.store.View(t.Context(), func(r store.Reader) error {
			for _, err := range r.Scan("rightschange", "", "") {
				if n++; err != nil {
					return err
				}
			}
			return nil
		}))
		if n != 1 {
			t.Errorf("%d records are kept, want that of the last minutes", n)
		}
	})
}
