package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
)

func (n *needs) createDynamicThingGroup(in *wire.CreateDynamicThingGroupRequest) {
	n.tagged(in.Tags, n.account.ARN("thinggroup", *in.ThingGroupName))
	n.index(in.IndexName)
}

func (s *Server) createDynamicThingGroup(ctx context.Context, in *wire.CreateDynamicThingGroupRequest) (*wire.CreateDynamicThingGroupResponse, error) {
	p := wire.Or(in.ThingGroupProperties, wire.ThingGroupProperties{})
	g, err := s.o.Engine.CreateDynamicThingGroup(ctx, muster.Group{
		Name:        muster.GroupName(*in.ThingGroupName),
		Description: wire.Or(p.ThingGroupDescription, ""),
		Attributes:  payload(p.AttributePayload).Attributes,
		Dynamic:     &muster.MembershipRule{Query: *in.QueryString, Index: wire.Or(in.IndexName, ""), Version: wire.Or(in.QueryVersion, "")},
	}, tagsOf(in.Tags))
	if err != nil {
		return nil, err
	}
	return &wire.CreateDynamicThingGroupResponse{
		ThingGroupName: text(g.Name), ThingGroupARN: s.groupARN(g.Name), ThingGroupID: &g.ID,
		IndexName: &g.Dynamic.Index, QueryString: &g.Dynamic.Query, QueryVersion: &g.Dynamic.Version,
	}, nil
}

func (n *needs) updateDynamicThingGroup(in *wire.UpdateDynamicThingGroupRequest) {
	if in.IndexName != nil || in.QueryString != nil {
		n.index(in.IndexName)
	}
}

func (s *Server) updateDynamicThingGroup(ctx context.Context, in *wire.UpdateDynamicThingGroupRequest) (*wire.UpdateDynamicThingGroupResponse, error) {
	g, err := s.o.Engine.UpdateDynamicThingGroup(ctx, muster.GroupName(*in.ThingGroupName), muster.GroupUpdate{
		ExpectedVersion: in.ExpectedVersion,
		Description:     in.ThingGroupProperties.ThingGroupDescription,
		Attributes:      payload(in.ThingGroupProperties.AttributePayload),
	}, muster.MembershipRule{Query: wire.Or(in.QueryString, ""), Index: wire.Or(in.IndexName, ""), Version: wire.Or(in.QueryVersion, "")})
	if err != nil {
		return nil, err
	}
	return &wire.UpdateDynamicThingGroupResponse{Version: &g.Version}, nil
}

func (s *Server) deleteDynamicThingGroup(ctx context.Context, in *wire.DeleteDynamicThingGroupRequest) error {
	return s.o.Engine.DeleteDynamicThingGroup(ctx, muster.GroupName(*in.ThingGroupName), in.ExpectedVersion)
}

// getThingConnectivityData answers in seconds, where SearchIndex has milliseconds.
func (s *Server) getThingConnectivityData(ctx context.Context, in *wire.GetThingConnectivityDataRequest) (*wire.GetThingConnectivityDataResponse, error) {
	c, err := s.o.Engine.Connectivity(ctx, muster.ThingName(*in.ThingName))
	if err != nil {
		return nil, err
	}
	return &wire.GetThingConnectivityDataResponse{
		ThingName: in.ThingName, Connected: &c.Connected, Timestamp: instant(c.At), DisconnectReason: &c.Reason,
	}, nil
}
