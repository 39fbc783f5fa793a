package model

import (
	"os"
	"strings"
	"testing"
)

func TestLoad(t *testing.T) {
	for service, want := range map[string]int{ControlPlane: 272, JobsData: 5, IoTData: 8} {
		api, err := Load(service)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(api.Operations); got != want {
			t.Errorf("Load(%s) has %d operations, want %d", service, got, want)
		}
		for name, op := range api.Operations {
			for _, ref := range append([]Ref{*op.Input}, op.Errors...) {
				if api.Shapes[ref.Shape] == nil {
					t.Errorf("operation %s of %s refers to shape %s, which is missing", name, service, ref.Shape)
				}
			}
		}
	}
	if _, err := Load("iot-fleet"); err == nil {
		t.Error("Load(iot-fleet) gives no error")
	}
}

func TestModelsHoldNoProse(t *testing.T) {
	for _, service := range []string{ControlPlane, JobsData, IoTData} {
		data, err := os.ReadFile(service + ".json")
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{`"documentation"`, `"deprecatedMessage"`, `"examples"`} {
			if strings.Contains(string(data), key) {
				t.Errorf("%s.json has %s: run it through the strip command", service, key)
			}
		}
	}
}
