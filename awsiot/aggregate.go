package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/fleetquery"
	"github.com/muster-iot/muster/registry"
)

// bucketsDefault is how many buckets an answer has unless the call gives maxBuckets.
const bucketsDefault = 10

// aggregated runs the query that the four aggregations have in common.
func (o indexOperations) aggregated(ctx context.Context, index, query, version, field *string) (*fleetquery.Aggregate, error) {
	q := registry.IndexQuery{Index: wire.Or(index, ""), Text: wire.Or(query, ""), Version: wire.Or(version, "")}
	return o.index.Aggregate(ctx, q, wire.Or(field, ""))
}

func (o indexOperations) getStatisticsNeeds(in *wire.GetStatisticsRequest) needs {
	return o.account.indexNeeds(in.IndexName)
}
func (o indexOperations) getCardinalityNeeds(in *wire.GetCardinalityRequest) needs {
	return o.account.indexNeeds(in.IndexName)
}
func (o indexOperations) getPercentilesNeeds(in *wire.GetPercentilesRequest) needs {
	return o.account.indexNeeds(in.IndexName)
}
func (o indexOperations) getBucketsAggregationNeeds(in *wire.GetBucketsAggregationRequest) needs {
	return o.account.indexNeeds(in.IndexName)
}

// getStatistics counts the things that have the field. A field that holds no
// numbers has a count and nothing else.
func (o indexOperations) getStatistics(ctx context.Context, in *wire.GetStatisticsRequest) (*wire.GetStatisticsResponse, error) {
	a, err := o.aggregated(ctx, in.IndexName, in.QueryString, in.QueryVersion, in.AggregationField)
	if err != nil {
		return nil, err
	}
	out := &wire.Statistics{Count: new(a.Total())}
	if f := a.Statistics(); f.Count > 0 {
		out.Count = &f.Count
		out.Average, out.Sum, out.Minimum, out.Maximum = &f.Average, &f.Sum, &f.Minimum, &f.Maximum
		out.SumOfSquares, out.Variance, out.StdDeviation = &f.SumOfSquares, &f.Variance, &f.StandardDeviation
	}
	return &wire.GetStatisticsResponse{Statistics: out}, nil
}

// getCardinality is exact, where AWS's is approximate.
func (o indexOperations) getCardinality(ctx context.Context, in *wire.GetCardinalityRequest) (*wire.GetCardinalityResponse, error) {
	a, err := o.aggregated(ctx, in.IndexName, in.QueryString, in.QueryVersion, in.AggregationField)
	if err != nil {
		return nil, err
	}
	return &wire.GetCardinalityResponse{Cardinality: new(a.Cardinality())}, nil
}

func (o indexOperations) getPercentiles(ctx context.Context, in *wire.GetPercentilesRequest) (*wire.GetPercentilesResponse, error) {
	percents := in.Percents
	if len(percents) == 0 {
		percents = []float64{1, 5, 25, 50, 75, 95, 99}
	}
	a, err := o.aggregated(ctx, in.IndexName, in.QueryString, in.QueryVersion, in.AggregationField)
	if err != nil {
		return nil, err
	}
	values := a.Percentiles(percents)
	if values == nil && a.Total() > 0 {
		return nil, muster.Errorf(muster.Invalid, "No value of the aggregationField is a number")
	}
	out := &wire.GetPercentilesResponse{Percentiles: []wire.PercentPair{}}
	for i, value := range values {
		out.Percentiles = append(out.Percentiles, wire.PercentPair{Percent: &percents[i], Value: &value})
	}
	return out, nil
}

func (o indexOperations) getBucketsAggregation(ctx context.Context, in *wire.GetBucketsAggregationRequest) (*wire.GetBucketsAggregationResponse, error) {
	limit := bucketsDefault
	if terms := in.BucketsAggregationType.TermsAggregation; terms != nil {
		limit = wire.Or(terms.MaxBuckets, bucketsDefault)
	}
	a, err := o.aggregated(ctx, in.IndexName, in.QueryString, in.QueryVersion, in.AggregationField)
	if err != nil {
		return nil, err
	}
	return &wire.GetBucketsAggregationResponse{
		TotalCount: new(a.Total()),
		Buckets: each(a.Buckets(limit), func(b fleetquery.Bucket) wire.Bucket {
			return wire.Bucket{KeyValue: &b.Value, Count: &b.Count}
		}),
	}, nil
}
