package jobs

import (
	"reflect"
	"testing"
)

// A change that gives anything is none of nothing, whatever fields there will be.
func TestEachFieldOfAChangeIsAChange(t *testing.T) {
	fields := reflect.TypeFor[JobChange]()
	for i := range fields.NumField() {
		var change JobChange
		if name := fields.Field(i).Name; name != "Rights" {
			reflect.ValueOf(&change).Elem().Field(i).Set(reflect.New(fields.Field(i).Type.Elem()))
			if change.empty() {
				t.Errorf("a change of %s alone is taken for one of nothing", name)
			}
		}
	}
	if change := (JobChange{Rights: everyRight{}}); !change.empty() {
		t.Error("rights alone are taken for a change")
	}
}

type everyRight struct{}

func (everyRight) Permits(Use) error { return nil }
