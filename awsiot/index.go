package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/engine"
)

// groupIndex is the name of the index of thing groups.
const groupIndex = "AWS_ThingGroups"

func (n *needs) searchIndex(in *wire.SearchIndexRequest) { n.index(in.IndexName) }

// index adds the index that a call asks.
func (n *needs) index(name *string) {
	n.arns(n.account.ARN("index", wire.Or(name, muster.ThingIndex)))
}

func (s *Server) searchIndex(ctx context.Context, in *wire.SearchIndexRequest) (*wire.SearchIndexResponse, error) {
	index := wire.Or(in.IndexName, muster.ThingIndex)
	found, err := s.o.Engine.SearchIndex(ctx, engine.IndexQuery{
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

func thingDocument(t engine.FoundThing) wire.ThingDocument {
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
	plain := make([]string, 0, len(all))
	for _, s := range all {
		plain = append(plain, string(s))
	}
	return plain
}

func (s *Server) describeIndex(ctx context.Context, in *wire.DescribeIndexRequest) (*wire.DescribeIndexResponse, error) {
	status, err := s.o.Engine.IndexStatus(ctx, *in.IndexName)
	if err != nil {
		return nil, err
	}
	out := &wire.DescribeIndexResponse{IndexName: in.IndexName, IndexStatus: &status}
	if *in.IndexName == groupIndex {
		return out, nil
	}
	c, err := s.o.Engine.IndexingConfiguration(ctx)
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

// listIndices has both names on one page, however small.
func (s *Server) listIndices(ctx context.Context, _ *wire.ListIndicesRequest) (*wire.ListIndicesResponse, error) {
	c, err := s.o.Engine.IndexingConfiguration(ctx)
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
