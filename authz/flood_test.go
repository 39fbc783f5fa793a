package authz

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/rights"
)

// A principal that is refused again and again gets a bounded number of lines a minute; another principal still gets its own.
func TestRefusedRequestsDoNotFillTheLog(t *testing.T) {
	w := newWorld(t)
	var said bytes.Buffer
	w.a.o.Log = slog.New(slog.NewTextHandler(&said, nil))
	der, id := w.device("d", muster.CertificateActive, w.now.Add(time.Hour), nil)
	w.allow("p", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}}`, rights.PolicyTarget{Certificate: id})
	device, err := w.connect(der, "lamp")
	w.ok(err)
	for range 1000 {
		if device.Publish("a", false) == nil || device.Subscribe("a") == nil {
			t.Fatal("it is permitted")
		}
	}
	if got := strings.Count(said.String(), "device refused"); got != refusedLines {
		t.Errorf("2,000 refusals left %d lines, want %d", got, refusedLines)
	}
	w.a.o.Keys = func(string) (identity.Caller, error) { return identity.Caller{ARN: "arn:aws:iam::1:user/ann"}, nil }
	for range 1000 {
		if _, err := w.a.Connect(t.Context(), gateway.Connect{ClientID: "x", Peer: gateway.Peer{Principal: "AKIA1"}}); err == nil {
			t.Fatal("it is let in")
		}
	}
	if got := strings.Count(said.String(), "caller refused"); got != refusedLines {
		t.Errorf("1,000 refusals of a key left %d lines, want %d", got, refusedLines)
	}
	w.now = w.now.Add(time.Minute)
	_ = device.Publish("a", false)
	if !strings.Contains(said.String(), "left_out=1970") {
		t.Errorf("the next line does not tell what was left out: %s", said.String()[max(0, said.Len()-400):])
	}
}
