package limits

import (
	"strings"
	"testing"
)

func TestEveryLimitHasItsRow(t *testing.T) {
	l, seen := Default(), map[*int]string{}
	for _, row := range Table() {
		field := row.field(&l)
		if other, taken := seen[field]; taken {
			t.Errorf("%s and %s are one field", row.Name, other)
		}
		seen[field] = row.Name
		if row.Default < row.Min || row.AWS < row.Min || row.Text == "" {
			t.Errorf("row %+v makes no sense", row)
		}
		if l.Of(row) != row.Default || AWS().Of(row) != row.AWS {
			t.Errorf("%s is %d by default and %d of AWS, want %d and %d", row.Name, l.Of(row), AWS().Of(row), row.Default, row.AWS)
		}
		changed, err := l.With(row.Name + "=7")
		if err != nil || changed.Of(row) != 7 {
			t.Errorf("With(%s=7) gives %d, %v", row.Name, changed.Of(row), err)
		}
	}
}

func TestAnOrderChangesOneLimit(t *testing.T) {
	for _, tt := range []struct {
		name, order string
		want        int    // concurrent-jobs
		err         string // in the error
	}{
		{"a number", "concurrent-jobs=3", 3, ""},
		{"none", "concurrent-jobs=none", 0, ""},
		{"zero is none", "concurrent-jobs=0", 0, ""},
		{"a wrong name is told the right ones", "concurent-jobs=3", 500, "there are active-jobs, concurrent-jobs"},
		{"no value", "concurrent-jobs", 500, "not name=value"},
		{"an empty value", "concurrent-jobs=", 500, "no number"},
		{"a negative value", "concurrent-jobs=-1", 500, "no number"},
		{"a value that fits nothing", "concurrent-jobs=99999999999999999999", 500, "no number"},
		{"what cannot be lifted", "mqtt-in-flight=none", 500, "cannot be lifted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := AWS().With(tt.order)
			if got.ConcurrentJobs != tt.want || (err == nil) != (tt.err == "") {
				t.Fatalf("With(%q) = %d, %v; want %d", tt.order, got.ConcurrentJobs, err, tt.want)
			}
			if err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("With(%q) says %q, want something with %q", tt.order, err, tt.err)
			}
		})
	}
}

func TestAnOperationHasItsRate(t *testing.T) {
	for operation, want := range map[string]int{
		"CreateThing": 15, "DescribeThing": 350, "AddThingToThingGroup": 100, "UpdateThingGroupsForThing": 100, "CreateJob": 10, "ListThings": 10,
	} {
		if got := AWS().Rate(operation); got != want {
			t.Errorf("Rate(%s) = %d, want %d", operation, got, want)
		}
		if got := Default().Rate(operation); got != 0 {
			t.Errorf("by default Rate(%s) = %d, want none", operation, got)
		}
	}
}
