package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/fleetquery"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/registry"
)

// Index answers queries about the fleet (registry.md section 5).
type Index interface {
	// Aggregate collects the values of one field of all things that match a query.
	Aggregate(ctx context.Context, q registry.IndexQuery, field string) (*fleetquery.Aggregate, error)
	// Connectivity returns the last known connection or disconnection of a thing.
	Connectivity(ctx context.Context, name muster.ThingName) (muster.Connectivity, error)
	// IndexStatus returns the status of an index, such as "ACTIVE".
	IndexStatus(ctx context.Context, name string) (string, error)
	IndexingConfiguration(ctx context.Context) (muster.IndexingConfig, error)
	SearchIndex(ctx context.Context, q registry.IndexQuery, p listing.Page) (registry.SearchResult, error)
	// UpdateIndexingConfiguration stores what change returns for the configuration;
	// change may be called more than once.
	UpdateIndexingConfiguration(ctx context.Context, change func(muster.IndexingConfig) muster.IndexingConfig) error
}

// indexOperations are the operations on the fleet index (registry.md section 5).
type indexOperations struct {
	account account
	index   Index
}

// groupIndex is the name of the index of thing groups.
const groupIndex = "AWS_ThingGroups"

func (o indexOperations) searchIndexNeeds(in *wire.SearchIndexRequest) needs {
	return o.account.indexNeeds(in.IndexName)
}

// indexNeeds asks for the index that a call reads; nil means the index of things.
func (a account) indexNeeds(name *string) needs {
	return arns(a.ARN("index", wire.Or(name, muster.ThingIndex)))
}

func (o indexOperations) searchIndex(ctx context.Context, in *wire.SearchIndexRequest) (*wire.SearchIndexResponse, error) {
	index := wire.Or(in.IndexName, muster.ThingIndex)
	found, err := o.index.SearchIndex(ctx, registry.IndexQuery{
		Index: index, Text: *in.QueryString, Version: wire.Or(in.QueryVersion, ""),
	}, page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	out := &wire.SearchIndexResponse{NextToken: text(found.Next)}
	if index == groupIndex {
		out.ThingGroups = []wire.ThingGroupDocument{}
	} else {
		out.Things = []wire.ThingDocument{}
	}
	for _, t := range found.Things {
		out.Things = append(out.Things, thingDocument(t))
	}
	for _, g := range found.Groups {
		out.ThingGroups = append(out.ThingGroups, groupDocument(g))
	}
	return out, nil
}

func thingDocument(t registry.FoundThing) wire.ThingDocument {
	d := wire.ThingDocument{
		ThingName: text(t.Name), ThingID: &t.ID, ThingTypeName: text(t.Type),
		ThingGroupNames: texts(t.Groups), Attributes: attributes(t.Attributes),
	}
	if t.Connectivity != (muster.Connectivity{}) {
		d.Connectivity = &wire.ThingConnectivity{
			Connected: &t.Connectivity.Connected, Timestamp: new(int64(t.Connectivity.At)), DisconnectReason: text(t.Connectivity.Reason),
		}
	}
	return d
}

func groupDocument(g muster.Group) wire.ThingGroupDocument {
	return wire.ThingGroupDocument{
		ThingGroupName: text(g.Name), ThingGroupID: &g.ID, ThingGroupDescription: text(g.Description),
		ParentGroupNames: texts(g.Path), Attributes: attributes(g.Attributes),
	}
}

func texts[S ~string](all []S) []string {
	return each(all, func(s S) string { return string(s) })
}

func (o indexOperations) describeIndex(ctx context.Context, in *wire.DescribeIndexRequest) (*wire.DescribeIndexResponse, error) {
	status, err := o.index.IndexStatus(ctx, *in.IndexName)
	if err != nil {
		return nil, err
	}
	out := &wire.DescribeIndexResponse{IndexName: in.IndexName, IndexStatus: &status}
	if *in.IndexName == groupIndex {
		return out, nil
	}
	c, err := o.index.IndexingConfiguration(ctx)
	if err != nil {
		return nil, err
	}
	schema := c.ThingMode
	if c.Connectivity {
		schema += "_AND_CONNECTIVITY_STATUS"
	}
	out.Schema = &schema
	return out, nil
}

// listIndices answers both names on one page, whatever the page size.
func (o indexOperations) listIndices(ctx context.Context, _ *wire.ListIndicesRequest) (*wire.ListIndicesResponse, error) {
	c, err := o.index.IndexingConfiguration(ctx)
	if err != nil {
		return nil, err
	}
	out := &wire.ListIndicesResponse{IndexNames: []string{}}
	if c.Groups {
		out.IndexNames = append(out.IndexNames, groupIndex)
	}
	if c.Things {
		out.IndexNames = append(out.IndexNames, muster.ThingIndex)
	}
	return out, nil
}

// getThingConnectivityData answers in seconds; SearchIndex has milliseconds.
func (o indexOperations) getThingConnectivityData(ctx context.Context, in *wire.GetThingConnectivityDataRequest) (*wire.GetThingConnectivityDataResponse, error) {
	c, err := o.index.Connectivity(ctx, muster.ThingName(*in.ThingName))
	if err != nil {
		return nil, err
	}
	return &wire.GetThingConnectivityDataResponse{
		ThingName: in.ThingName, Connected: &c.Connected, Timestamp: instant(c.At), DisconnectReason: &c.Reason,
	}, nil
}
