package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
)

func (o groupOperations) createDynamicThingGroupNeeds(in *wire.CreateDynamicThingGroupRequest) needs {
	return tagged(in.Tags, o.account.ARN("thinggroup", *in.ThingGroupName)).and(o.account.indexNeeds(in.IndexName))
}

func (o groupOperations) createDynamicThingGroup(ctx context.Context, in *wire.CreateDynamicThingGroupRequest) (*wire.CreateDynamicThingGroupResponse, error) {
	p := wire.Or(in.ThingGroupProperties, wire.ThingGroupProperties{})
	g, err := o.groups.CreateDynamicThingGroup(ctx, muster.Group{
		Name:        muster.GroupName(*in.ThingGroupName),
		Description: wire.Or(p.ThingGroupDescription, ""),
		Attributes:  payload(p.AttributePayload).Attributes,
		Dynamic:     &muster.MembershipRule{Query: *in.QueryString, Index: wire.Or(in.IndexName, ""), Version: wire.Or(in.QueryVersion, "")},
	}, tagsOf(in.Tags))
	if err != nil {
		return nil, err
	}
	return &wire.CreateDynamicThingGroupResponse{
		ThingGroupName: text(g.Name), ThingGroupARN: o.account.groupARN(g.Name), ThingGroupID: &g.ID,
		IndexName: &g.Dynamic.Index, QueryString: &g.Dynamic.Query, QueryVersion: &g.Dynamic.Version,
	}, nil
}

func (o groupOperations) updateDynamicThingGroupNeeds(in *wire.UpdateDynamicThingGroupRequest) needs {
	if in.IndexName == nil && in.QueryString == nil {
		return needs{}
	}
	return o.account.indexNeeds(in.IndexName)
}

func (o groupOperations) updateDynamicThingGroup(ctx context.Context, in *wire.UpdateDynamicThingGroupRequest) (*wire.UpdateDynamicThingGroupResponse, error) {
	g, err := o.groups.UpdateDynamicThingGroup(ctx, muster.GroupName(*in.ThingGroupName), muster.GroupUpdate{
		ExpectedVersion: in.ExpectedVersion,
		Description:     in.ThingGroupProperties.ThingGroupDescription,
		Attributes:      payload(in.ThingGroupProperties.AttributePayload),
	}, muster.MembershipRule{Query: wire.Or(in.QueryString, ""), Index: wire.Or(in.IndexName, ""), Version: wire.Or(in.QueryVersion, "")})
	if err != nil {
		return nil, err
	}
	return &wire.UpdateDynamicThingGroupResponse{Version: &g.Version}, nil
}

func (o groupOperations) deleteDynamicThingGroup(ctx context.Context, in *wire.DeleteDynamicThingGroupRequest) error {
	return o.groups.DeleteDynamicThingGroup(ctx, muster.GroupName(*in.ThingGroupName), in.ExpectedVersion)
}
