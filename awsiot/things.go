package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/engine"
)

func (n *needs) createThing(in *wire.CreateThingRequest) {
	n.named("thingtype", in.ThingTypeName)
	n.named("billinggroup", in.BillingGroupName)
}

func (s *Server) createThing(ctx context.Context, in *wire.CreateThingRequest) (*wire.CreateThingResponse, error) {
	if in.BillingGroupName != nil { // registry.md section 6.5
		return nil, muster.Errorf(muster.NotFound, "Billing group %s does not exist", *in.BillingGroupName)
	}
	t, err := s.o.Engine.CreateThing(ctx, muster.Thing{
		Name:       muster.ThingName(*in.ThingName),
		Type:       value[muster.TypeName](in.ThingTypeName),
		Attributes: payload(in.AttributePayload).Attributes,
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateThingResponse{ThingName: text(t.Name), ThingARN: s.thingARN(t.Name), ThingID: &t.ID}, nil
}

func (s *Server) describeThing(ctx context.Context, in *wire.DescribeThingRequest) (*wire.DescribeThingResponse, error) {
	t, err := s.o.Engine.DescribeThing(ctx, muster.ThingName(*in.ThingName))
	if err != nil {
		return nil, err
	}
	return &wire.DescribeThingResponse{
		DefaultClientID: text(t.Name), // REG-20
		ThingName:       text(t.Name),
		ThingID:         &t.ID,
		ThingARN:        s.thingARN(t.Name),
		ThingTypeName:   text(t.Type),
		Attributes:      attributes(t.Attributes),
		Version:         &t.Version,
	}, nil
}

func (n *needs) updateThing(in *wire.UpdateThingRequest) { n.named("thingtype", in.ThingTypeName) }

func (s *Server) updateThing(ctx context.Context, in *wire.UpdateThingRequest) error {
	return s.o.Engine.UpdateThing(ctx, muster.ThingName(*in.ThingName), muster.ThingUpdate{
		ExpectedVersion: in.ExpectedVersion,
		Type:            value[muster.TypeName](in.ThingTypeName),
		RemoveType:      wire.Or(in.RemoveThingType, false),
		Attributes:      payload(in.AttributePayload),
	})
}

func (s *Server) deleteThing(ctx context.Context, in *wire.DeleteThingRequest) error {
	return s.o.Engine.DeleteThing(ctx, muster.ThingName(*in.ThingName), in.ExpectedVersion)
}

func (n *needs) listThings(in *wire.ListThingsRequest) { n.narrowed("thingtype", in.ThingTypeName) }

func (s *Server) listThings(ctx context.Context, in *wire.ListThingsRequest) (*wire.ListThingsResponse, error) {
	list, err := s.o.Engine.ListThings(ctx, engine.ThingFilter{
		Attribute: wire.Or(in.AttributeName, ""),
		Value:     in.AttributeValue,
		Prefix:    wire.Or(in.UsePrefixAttributeValue, false),
		Type:      value[muster.TypeName](in.ThingTypeName),
	}, page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	out := &wire.ListThingsResponse{Things: make([]wire.ThingAttribute, 0, len(list.Things)), NextToken: text(list.Next)}
	for _, t := range list.Things {
		out.Things = append(out.Things, wire.ThingAttribute{
			ThingName:     text(t.Name),
			ThingTypeName: text(t.Type),
			ThingARN:      s.thingARN(t.Name),
			Attributes:    attributes(t.Attributes),
			Version:       new(t.Version),
		})
	}
	return out, nil
}

// payload reads the attributes that a call gives.
func payload(p *wire.AttributePayload) muster.AttributePayload {
	if p == nil {
		return muster.AttributePayload{}
	}
	return muster.AttributePayload{Attributes: p.Attributes, Merge: wire.Or(p.Merge, false)}
}

// attributes returns m for a member that is there even when empty (REG-4).
func attributes(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
