package fleetquery

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/muster-iot/muster"
)

// RegistryVersion is the version of a thing: a field that can be aggregated but not
// searched. It is aggregated when a request names no field.
const RegistryVersion = "registry.version"

// distinctMax bounds the distinct values of one aggregate.
const distinctMax = 1_000_000

// Aggregate summarizes the values of one field over the documents that match a query.
// The zero Aggregate is empty and ready to use.
type Aggregate struct {
	total  int            // documents that have the field
	counts map[string]int // documents by value
}

// Add adds the values of one document. It fails with LimitExceeded when there are more
// than distinctMax distinct values.
func (a *Aggregate) Add(values []string) error {
	if len(values) == 0 {
		return nil
	}
	if a.counts == nil {
		a.counts = map[string]int{}
	}
	a.total++
	for _, value := range values {
		a.counts[value]++
	}
	if len(a.counts) > distinctMax {
		return muster.Errorf(muster.LimitExceeded, "The field has more than %d different values; ask for fewer things", distinctMax)
	}
	return nil
}

// Cardinality returns the number of distinct values.
func (a *Aggregate) Cardinality() int { return len(a.counts) }

// Total returns the number of documents that have the field.
func (a *Aggregate) Total() int { return a.total }

// Bucket is a value and the number of documents that have it.
type Bucket struct {
	Value string
	Count int
}

// Buckets returns up to limit values, the most frequent first, and by value among
// equally frequent ones.
func (a *Aggregate) Buckets(limit int) []Bucket {
	all := make([]Bucket, 0, len(a.counts))
	for value, count := range a.counts {
		all = append(all, Bucket{value, count})
	}
	slices.SortFunc(all, func(a, b Bucket) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})
	return all[:min(limit, len(all))]
}

// Statistics are the statistics of the values that are numbers.
type Statistics struct {
	Count                                int // of numbers; if it is 0, the other fields are undefined
	Sum, SumOfSquares, Minimum, Maximum  float64
	Average, Variance, StandardDeviation float64
}

// Statistics returns the statistics of the values that are numbers.
func (a *Aggregate) Statistics() Statistics {
	s := Statistics{Minimum: math.Inf(1), Maximum: math.Inf(-1)}
	for _, value := range slices.Sorted(maps.Keys(a.counts)) {
		n, ok := number(value)
		if !ok {
			continue
		}
		count := a.counts[value]
		s.Count += count
		s.Sum += n * float64(count)
		s.SumOfSquares += n * n * float64(count)
		s.Minimum, s.Maximum = min(s.Minimum, n), max(s.Maximum, n)
	}
	if s.Count == 0 {
		return Statistics{}
	}
	s.Average = s.Sum / float64(s.Count)
	for _, value := range slices.Sorted(maps.Keys(a.counts)) { // in a fixed order, as floating-point sums depend on it
		if n, ok := number(value); ok {
			count := a.counts[value]
			s.Variance += (n - s.Average) * (n - s.Average) * float64(count) / float64(s.Count)
		}
	}
	s.StandardDeviation = math.Sqrt(s.Variance)
	return s
}

// Percentiles returns the percentile of the numeric values for each of percents (0 to
// 100), with linear interpolation between two values. It returns nil when no value is
// a number.
func (a *Aggregate) Percentiles(percents []float64) []float64 {
	byNumber := map[float64]int{}
	total := 0
	for value, count := range a.counts {
		if n, ok := number(value); ok {
			byNumber[n] += count
			total += count
		}
	}
	if total == 0 {
		return nil
	}
	sorted := slices.Sorted(maps.Keys(byNumber))
	at := func(rank int) float64 { // returns the number with that rank, from 0
		for _, n := range sorted {
			if rank -= byNumber[n]; rank < 0 {
				return n
			}
		}
		return sorted[len(sorted)-1]
	}
	found := make([]float64, len(percents))
	for i, percent := range percents {
		rank := percent / 100 * float64(total-1)
		low, high := at(int(math.Floor(rank))), at(int(math.Ceil(rank)))
		found[i] = low + (high-low)*(rank-math.Floor(rank))
	}
	return found
}

// CheckAggregated returns an Invalid error unless field is a field of the index of
// things that can be aggregated.
func CheckAggregated(field string) error {
	if field == RegistryVersion {
		return nil
	}
	if fault := Things.check(field); fault != "" {
		return muster.Errorf(muster.Invalid, "aggregationField: %s", fault)
	}
	return nil
}
