package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/engine"
)

func (n *needs) createThingGroup(in *wire.CreateThingGroupRequest) {
	n.named("thinggroup", in.ParentGroupName)
	n.tagged(in.Tags, n.account.ARN("thinggroup", *in.ThingGroupName))
}

func (s *Server) createThingGroup(ctx context.Context, in *wire.CreateThingGroupRequest) (*wire.CreateThingGroupResponse, error) {
	p := wire.Or(in.ThingGroupProperties, wire.ThingGroupProperties{})
	g, err := s.o.Engine.CreateThingGroup(ctx, muster.Group{
		Name:        muster.GroupName(*in.ThingGroupName),
		Parent:      value[muster.GroupName](in.ParentGroupName),
		Description: wire.Or(p.ThingGroupDescription, ""),
		Attributes:  payload(p.AttributePayload).Attributes,
	}, tagsOf(in.Tags))
	if err != nil {
		return nil, err
	}
	return &wire.CreateThingGroupResponse{ThingGroupName: text(g.Name), ThingGroupARN: s.groupARN(g.Name), ThingGroupID: &g.ID}, nil
}

func (s *Server) describeThingGroup(ctx context.Context, in *wire.DescribeThingGroupRequest) (*wire.DescribeThingGroupResponse, error) {
	g, err := s.o.Engine.DescribeThingGroup(ctx, muster.GroupName(*in.ThingGroupName))
	if err != nil {
		return nil, err
	}
	out := &wire.DescribeThingGroupResponse{
		ThingGroupName:       text(g.Name),
		ThingGroupID:         &g.ID,
		ThingGroupARN:        s.groupARN(g.Name),
		Version:              &g.Version,
		ThingGroupProperties: &wire.ThingGroupProperties{ThingGroupDescription: text(g.Description)},
		ThingGroupMetadata:   &wire.ThingGroupMetadata{ParentGroupName: text(g.Parent), CreationDate: instant(g.CreatedAt)},
	}
	if g.IsDynamic() {
		out.IndexName, out.QueryString, out.QueryVersion = &g.Dynamic.Index, &g.Dynamic.Query, &g.Dynamic.Version
		out.Status = text(g.Dynamic.Status())
	}
	if len(g.Attributes) > 0 {
		out.ThingGroupProperties.AttributePayload = &wire.AttributePayload{Attributes: g.Attributes}
	}
	if g.Parent != "" { // REG-42
		out.ThingGroupMetadata.RootToParentThingGroups = s.groupNames(g.Path)
	}
	return out, nil
}

func (s *Server) updateThingGroup(ctx context.Context, in *wire.UpdateThingGroupRequest) (*wire.UpdateThingGroupResponse, error) {
	g, err := s.o.Engine.UpdateThingGroup(ctx, muster.GroupName(*in.ThingGroupName), muster.GroupUpdate{
		ExpectedVersion: in.ExpectedVersion,
		Description:     in.ThingGroupProperties.ThingGroupDescription,
		Attributes:      payload(in.ThingGroupProperties.AttributePayload),
	})
	if err != nil {
		return nil, err
	}
	return &wire.UpdateThingGroupResponse{Version: &g.Version}, nil
}

func (s *Server) deleteThingGroup(ctx context.Context, in *wire.DeleteThingGroupRequest) error {
	return s.o.Engine.DeleteThingGroup(ctx, muster.GroupName(*in.ThingGroupName), in.ExpectedVersion)
}

func (n *needs) listThingGroups(in *wire.ListThingGroupsRequest) {
	n.narrowed("thinggroup", in.ParentGroup)
}

// listThingGroups takes an absent recursive for true (REG-52).
func (s *Server) listThingGroups(ctx context.Context, in *wire.ListThingGroupsRequest) (*wire.ListThingGroupsResponse, error) {
	list, err := s.o.Engine.ListThingGroups(ctx, engine.GroupFilter{
		Parent: value[muster.GroupName](in.ParentGroup),
		Prefix: wire.Or(in.NamePrefixFilter, ""),
		Direct: !wire.Or(in.Recursive, true),
	}, page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	return &wire.ListThingGroupsResponse{ThingGroups: s.groupNames(list.Groups), NextToken: text(list.Next)}, nil
}

func (s *Server) groupARN(name muster.GroupName) *string {
	return new(s.o.Account.ARN("thinggroup", string(name)))
}

func (s *Server) groupNames(names []muster.GroupName) []wire.GroupNameAndArn {
	all := make([]wire.GroupNameAndArn, 0, len(names))
	for _, name := range names {
		all = append(all, wire.GroupNameAndArn{GroupName: text(name), GroupARN: s.groupARN(name)})
	}
	return all
}
