package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/registry"
)

// Things keeps the things of the registry (registry.md section 2). If expected is not
// nil, it must be the version of the thing, or the call fails with VersionConflict.
type Things interface {
	CreateThing(ctx context.Context, in muster.Thing) (muster.Thing, error)
	DeleteThing(ctx context.Context, name muster.ThingName, expected *int64) error
	DescribeThing(ctx context.Context, name muster.ThingName) (muster.Thing, error)
	ListThings(ctx context.Context, f registry.ThingFilter, p listing.Page) (registry.ThingList, error)
	UpdateThing(ctx context.Context, name muster.ThingName, u muster.ThingUpdate) error
}

// thingOperations are the operations on things (registry.md section 2).
type thingOperations struct {
	account account
	things  Things
}

func (o thingOperations) createThingNeeds(in *wire.CreateThingRequest) needs {
	return o.account.named("thingtype", in.ThingTypeName).and(o.account.named("billinggroup", in.BillingGroupName))
}

func (o thingOperations) createThing(ctx context.Context, in *wire.CreateThingRequest) (*wire.CreateThingResponse, error) {
	if in.BillingGroupName != nil { // registry.md section 6.5
		return nil, muster.Errorf(muster.NotFound, "Billing group %s does not exist", *in.BillingGroupName)
	}
	t, err := o.things.CreateThing(ctx, muster.Thing{
		Name:       muster.ThingName(*in.ThingName),
		Type:       value[muster.TypeName](in.ThingTypeName),
		Attributes: payload(in.AttributePayload).Attributes,
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateThingResponse{ThingName: text(t.Name), ThingARN: o.account.thingARN(t.Name), ThingID: &t.ID}, nil
}

func (o thingOperations) describeThing(ctx context.Context, in *wire.DescribeThingRequest) (*wire.DescribeThingResponse, error) {
	t, err := o.things.DescribeThing(ctx, muster.ThingName(*in.ThingName))
	if err != nil {
		return nil, err
	}
	return &wire.DescribeThingResponse{
		DefaultClientID: text(t.Name), // REG-20
		ThingName:       text(t.Name),
		ThingID:         &t.ID,
		ThingARN:        o.account.thingARN(t.Name),
		ThingTypeName:   text(t.Type),
		Attributes:      attributes(t.Attributes),
		Version:         &t.Version,
	}, nil
}

func (o thingOperations) updateThingNeeds(in *wire.UpdateThingRequest) needs {
	return o.account.named("thingtype", in.ThingTypeName)
}

func (o thingOperations) updateThing(ctx context.Context, in *wire.UpdateThingRequest) error {
	return o.things.UpdateThing(ctx, muster.ThingName(*in.ThingName), muster.ThingUpdate{
		ExpectedVersion: in.ExpectedVersion,
		Type:            value[muster.TypeName](in.ThingTypeName),
		RemoveType:      wire.Or(in.RemoveThingType, false),
		Attributes:      payload(in.AttributePayload),
	})
}

func (o thingOperations) deleteThing(ctx context.Context, in *wire.DeleteThingRequest) error {
	return o.things.DeleteThing(ctx, muster.ThingName(*in.ThingName), in.ExpectedVersion)
}

func (o thingOperations) listThingsNeeds(in *wire.ListThingsRequest) needs {
	return o.account.narrowed("thingtype", in.ThingTypeName)
}

func (o thingOperations) listThings(ctx context.Context, in *wire.ListThingsRequest) (*wire.ListThingsResponse, error) {
	list, err := o.things.ListThings(ctx, registry.ThingFilter{
		Attribute: wire.Or(in.AttributeName, ""),
		Value:     in.AttributeValue,
		Prefix:    wire.Or(in.UsePrefixAttributeValue, false),
		Type:      value[muster.TypeName](in.ThingTypeName),
	}, page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	return &wire.ListThingsResponse{
		Things: each(list.Things, func(t muster.Thing) wire.ThingAttribute {
			return wire.ThingAttribute{
				ThingName:     text(t.Name),
				ThingTypeName: text(t.Type),
				ThingARN:      o.account.thingARN(t.Name),
				Attributes:    attributes(t.Attributes),
				Version:       new(t.Version),
			}
		}),
		NextToken: text(list.Next),
	}, nil
}

// payload reads the attributes of a call.
func payload(p *wire.AttributePayload) muster.AttributePayload {
	if p == nil {
		return muster.AttributePayload{}
	}
	return muster.AttributePayload{Attributes: p.Attributes, Merge: wire.Or(p.Merge, false)}
}

// attributes returns m for a member that the wire shows even when it is empty
// (REG-4).
func attributes(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
