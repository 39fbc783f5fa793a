package fleetquery

import (
	"math"
	"slices"
	"testing"
)

func aggregate(t *testing.T, values ...string) *Aggregate {
	t.Helper()
	a := &Aggregate{}
	for _, v := range values {
		if err := a.Add([]string{v}); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

func TestStatistics(t *testing.T) {
	got := aggregate(t, "2", "4", "4", "4", "5", "5", "7", "9", "n/a").Statistics()
	want := Statistics{Count: 8, Sum: 40, SumOfSquares: 232, Minimum: 2, Maximum: 9, Average: 5, Variance: 4, StandardDeviation: 2}
	if math.Abs(got.Variance-want.Variance) > 1e-9 || math.Abs(got.StandardDeviation-want.StandardDeviation) > 1e-9 {
		t.Errorf("Variance and StandardDeviation = %v, %v; want 4 and 2", got.Variance, got.StandardDeviation)
	}
	got.Variance, got.StandardDeviation = want.Variance, want.StandardDeviation
	if got != want {
		t.Errorf("Statistics = %+v, want %+v", got, want)
	}
	if got := aggregate(t, "a").Statistics(); got != (Statistics{}) {
		t.Errorf("Statistics of text = %+v", got)
	}
}

func TestPercentiles(t *testing.T) {
	a := aggregate(t, "10", "20", "30", "40", "50", "x")
	if got, want := a.Percentiles([]float64{0, 25, 50, 90, 100}), []float64{10, 20, 30, 46, 50}; !slices.Equal(got, want) {
		t.Errorf("Percentiles = %v, want %v", got, want)
	}
	if got := aggregate(t, "x").Percentiles([]float64{50}); got != nil {
		t.Errorf("Percentiles of text = %v", got)
	}
}

func TestBuckets(t *testing.T) {
	a := aggregate(t, "b", "a", "b", "c")
	if err := a.Add(nil); err != nil {
		t.Fatal(err)
	}
	if got, want := a.Buckets(2), []Bucket{{"b", 2}, {"a", 1}}; !slices.Equal(got, want) || a.Total() != 4 || a.Cardinality() != 3 {
		t.Errorf("Buckets = %v of %d with %d values, want %v of 4 with 3", got, a.Total(), a.Cardinality(), want)
	}
}

func TestWhatCanBeAggregated(t *testing.T) {
	for field, want := range map[string]bool{RegistryVersion: true, ThingTypeName: true, Attribute("x"): true, JobStatus("j"): true, "shadow.x": false, "nosuch": false} {
		if err := CheckAggregated(field); (err == nil) != want {
			t.Errorf("CheckAggregated(%s) = %v", field, err)
		}
	}
}
