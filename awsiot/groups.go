package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/registry"
)

// ThingGroups keeps static and dynamic thing groups and their members (registry.md
// sections 4 and 5). If expected is not nil, it must be the version of the group, or
// the call fails with VersionConflict.
type ThingGroups interface {
	AddThingToThingGroup(ctx context.Context, thing muster.ThingName, group muster.GroupName) error
	CreateDynamicThingGroup(ctx context.Context, in muster.Group, tags []muster.Tag) (muster.Group, error)
	CreateThingGroup(ctx context.Context, in muster.Group, tags []muster.Tag) (muster.Group, error)
	DeleteDynamicThingGroup(ctx context.Context, name muster.GroupName, expected *int64) error
	DeleteThingGroup(ctx context.Context, name muster.GroupName, expected *int64) error
	DescribeThingGroup(ctx context.Context, name muster.GroupName) (muster.Group, error)
	ListThingGroups(ctx context.Context, f registry.GroupFilter, p listing.Page) (registry.GroupList, error)
	ListThingGroupsForThing(ctx context.Context, thing muster.ThingName, p listing.Page) (registry.GroupList, error)
	ListThingsInThingGroup(ctx context.Context, group muster.GroupName, recursive bool, p listing.Page) (registry.MemberList, error)
	RemoveThingFromThingGroup(ctx context.Context, thing muster.ThingName, group muster.GroupName) error
	UpdateDynamicThingGroup(ctx context.Context, name muster.GroupName, u muster.GroupUpdate, rule muster.MembershipRule) (muster.Group, error)
	UpdateThingGroup(ctx context.Context, name muster.GroupName, u muster.GroupUpdate) (muster.Group, error)
	UpdateThingGroupsForThing(ctx context.Context, thing muster.ThingName, add, remove []muster.GroupName) error
}

// groupOperations are the operations on thing groups and their members
// (registry.md sections 4 and 5).
type groupOperations struct {
	account account
	groups  ThingGroups
}

func (o groupOperations) createThingGroupNeeds(in *wire.CreateThingGroupRequest) needs {
	return o.account.named("thinggroup", in.ParentGroupName).and(tagged(in.Tags, o.account.ARN("thinggroup", *in.ThingGroupName)))
}

func (o groupOperations) createThingGroup(ctx context.Context, in *wire.CreateThingGroupRequest) (*wire.CreateThingGroupResponse, error) {
	p := wire.Or(in.ThingGroupProperties, wire.ThingGroupProperties{})
	g, err := o.groups.CreateThingGroup(ctx, muster.Group{
		Name:        muster.GroupName(*in.ThingGroupName),
		Parent:      value[muster.GroupName](in.ParentGroupName),
		Description: wire.Or(p.ThingGroupDescription, ""),
		Attributes:  payload(p.AttributePayload).Attributes,
	}, tagsOf(in.Tags))
	if err != nil {
		return nil, err
	}
	return &wire.CreateThingGroupResponse{ThingGroupName: text(g.Name), ThingGroupARN: o.account.groupARN(g.Name), ThingGroupID: &g.ID}, nil
}

func (o groupOperations) describeThingGroup(ctx context.Context, in *wire.DescribeThingGroupRequest) (*wire.DescribeThingGroupResponse, error) {
	g, err := o.groups.DescribeThingGroup(ctx, muster.GroupName(*in.ThingGroupName))
	if err != nil {
		return nil, err
	}
	out := &wire.DescribeThingGroupResponse{
		ThingGroupName:       text(g.Name),
		ThingGroupID:         &g.ID,
		ThingGroupARN:        o.account.groupARN(g.Name),
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
		out.ThingGroupMetadata.RootToParentThingGroups = o.account.groupNames(g.Path)
	}
	return out, nil
}

func (o groupOperations) updateThingGroup(ctx context.Context, in *wire.UpdateThingGroupRequest) (*wire.UpdateThingGroupResponse, error) {
	g, err := o.groups.UpdateThingGroup(ctx, muster.GroupName(*in.ThingGroupName), muster.GroupUpdate{
		ExpectedVersion: in.ExpectedVersion,
		Description:     in.ThingGroupProperties.ThingGroupDescription,
		Attributes:      payload(in.ThingGroupProperties.AttributePayload),
	})
	if err != nil {
		return nil, err
	}
	return &wire.UpdateThingGroupResponse{Version: &g.Version}, nil
}

func (o groupOperations) deleteThingGroup(ctx context.Context, in *wire.DeleteThingGroupRequest) error {
	return o.groups.DeleteThingGroup(ctx, muster.GroupName(*in.ThingGroupName), in.ExpectedVersion)
}

func (o groupOperations) listThingGroupsNeeds(in *wire.ListThingGroupsRequest) needs {
	return o.account.narrowed("thinggroup", in.ParentGroup)
}

// listThingGroups is recursive unless the call says otherwise (REG-52).
func (o groupOperations) listThingGroups(ctx context.Context, in *wire.ListThingGroupsRequest) (*wire.ListThingGroupsResponse, error) {
	list, err := o.groups.ListThingGroups(ctx, registry.GroupFilter{
		Parent: value[muster.GroupName](in.ParentGroup),
		Prefix: wire.Or(in.NamePrefixFilter, ""),
		Direct: !wire.Or(in.Recursive, true),
	}, page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	return &wire.ListThingGroupsResponse{ThingGroups: o.account.groupNames(list.Groups), NextToken: text(list.Next)}, nil
}

func (a account) groupARN(name muster.GroupName) *string {
	return new(a.ARN("thinggroup", string(name)))
}

func (a account) groupNames(names []muster.GroupName) []wire.GroupNameAndArn {
	return each(names, func(name muster.GroupName) wire.GroupNameAndArn {
		return wire.GroupNameAndArn{GroupName: text(name), GroupARN: a.groupARN(name)}
	})
}
