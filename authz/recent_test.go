package authz

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/rights"
)

func TestADeviceOverHTTPSIsLookedUpAgainWhenSomethingChanged(t *testing.T) {
	w := newWorld(t)
	der, id := w.device("d", muster.CertificateActive, w.now.Add(time.Hour), nil)
	w.allow("all", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`, rights.PolicyTarget{Certificate: id})
	find := func(addr string) *Device {
		t.Helper()
		d, err := w.a.Device(t.Context(), der, addr)
		if err != nil {
			t.Fatalf("Device() = %v", err)
		}
		return d
	}

	first := find("127.0.0.1:1")
	if find("127.0.0.1:2") != first {
		t.Error("the next request was looked up again, though nothing changed")
	}
	if find("127.0.0.2:1") == first {
		t.Error("a request from elsewhere got the rights of the first address")
	}
	w.now = w.now.Add(2 * recentFor)
	late := find("127.0.0.1:1")
	if late == first {
		t.Error("rights of long ago still count; the certificate may have expired")
	}

	w.ok(w.Rights.DetachPolicy(t.Context(), "all", rights.PolicyTarget{Certificate: id}))
	if err := find("127.0.0.1:1").Act("iotjobsdata:GetPendingJobExecutions", "lamp"); !errors.Is(err, gateway.ErrRefused) {
		t.Errorf("Act() after the policy was detached = %v, want a refusal", err)
	}
	w.ok(w.Rights.UpdateCertificate(t.Context(), id, muster.CertificateInactive))
	if _, err := w.a.Device(t.Context(), der, "127.0.0.1:1"); !errors.Is(err, gateway.ErrRefused) {
		t.Errorf("Device() after the certificate was deactivated = %v, want a refusal", err)
	}
}

func TestTheLifeOfADeviceOverHTTPSEndsWithItsCertificate(t *testing.T) {
	w := newWorld(t)
	der, id := w.device("d", muster.CertificateActive, w.now.Add(time.Hour), nil)
	for _, looked := range []string{"before the change", "only after it"} {
		d, err := w.a.Device(t.Context(), der, "127.0.0.1:1")
		if err != nil {
			t.Fatalf("Device() = %v", err)
		}
		if looked == "before the change" && d.Life().Err() != nil {
			t.Error("the life of an active certificate has ended")
		}
		w.ok(w.Rights.UpdateCertificate(t.Context(), id, muster.CertificateInactive))
		for looked == "only after it" && len(w.a.changes) > 0 {
			time.Sleep(time.Millisecond) // until Run has seen to it, and has not found d
		}
		select {
		case <-d.Life().Done():
		case <-time.After(10 * time.Second):
			t.Errorf("the life of a device that looked at it %s goes on", looked)
		}
		w.ok(w.Rights.UpdateCertificate(t.Context(), id, muster.CertificateActive))
		back, err := w.a.Device(t.Context(), der, "127.0.0.1:1")
		if err != nil || back.Life().Err() != nil {
			t.Errorf("active again: %v, or its life has ended", err)
		}
		runtime.KeepAlive(d)
	}
}

func TestRecentDevicesAreBounded(t *testing.T) {
	r := recentDevices{found: map[visitor]recentDevice{}}
	for i := range recentMax + 1 {
		r.put(visitor{address: time.Duration(i).String()}, &Device{}, 1, 0)
	}
	if len(r.found) != 1 {
		t.Errorf("%d devices are kept after one more than recentMax, want 1", len(r.found))
	}
	r.put(visitor{address: "old"}, &Device{}, 0, 0)
	if r.get(visitor{address: "old"}, 1, 0) != nil {
		t.Error("what was looked up before a change counts after it")
	}
}
