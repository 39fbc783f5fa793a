package authz

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/rights"
)

// inUse returns the bytes in use after a garbage collection.
func inUse() int {
	runtime.GC()
	runtime.GC() // the second frees what finalizers and weak pointers kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestADeviceKeepsLittle bounds what the rights of a connected device take: with a policy as most have, some 300 bytes beyond
// what it shares with the records in this store, and with a parsed certificate 1,900.
func TestADeviceKeepsLittle(t *testing.T) {
	const n, bound = 300, 700
	w := newWorld(t)
	w.must(w.Rights.CreatePolicy(t.Context(), "minimal", minimal, nil))
	certificates, names := make([][]byte, n), make([]string, n)
	for i := range n {
		names[i] = fmt.Sprintf("device-%d", i)
		w.must(w.Registry.CreateThing(t.Context(), muster.Thing{Name: muster.ThingName(names[i])}))
		der, id := w.device(names[i], muster.CertificateActive, w.now.Add(time.Hour), nil)
		certificates[i] = der
		w.ok(w.Rights.AttachPolicy(t.Context(), "minimal", rights.PolicyTarget{Certificate: id}))
		w.ok(w.Rights.AttachPrincipal(t.Context(), muster.ThingName(names[i]), id, muster.Attachment{}))
	}
	grants := make([]gateway.Grant, n)
	kept := 0
	for range 3 { // the first rounds fill caches and end what making the devices began
		for i := range grants {
			var err error
			grants[i], err = w.connect(certificates[i], names[i])
			w.ok(err)
		}
		full := inUse()
		clear(grants)
		kept = (full - inUse()) / n
	}
	t.Logf("%d bytes each", kept)
	if kept > bound {
		t.Errorf("a connected device keeps %d bytes, want at most %d", kept, bound)
	}
}
