package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/registry"
)

// ThingTypes keeps the types of things (registry.md section 3).
type ThingTypes interface {
	CreateThingType(ctx context.Context, in muster.ThingType, tags []muster.Tag) (muster.ThingType, error)
	DeleteThingType(ctx context.Context, name muster.TypeName) error
	DeprecateThingType(ctx context.Context, name muster.TypeName, undo bool) error
	DescribeThingType(ctx context.Context, name muster.TypeName) (muster.ThingType, error)
	// ListThingTypes lists the type with the name only; "" lists all.
	ListThingTypes(ctx context.Context, only muster.TypeName, p listing.Page) (registry.TypeList, error)
	UpdateThingType(ctx context.Context, name muster.TypeName, u muster.TypeUpdate) error
}

// typeOperations are the operations on thing types (registry.md section 3).
type typeOperations struct {
	account account
	types   ThingTypes
}

func (o typeOperations) createThingTypeNeeds(in *wire.CreateThingTypeRequest) needs {
	return tagged(in.Tags, o.account.ARN("thingtype", *in.ThingTypeName))
}

func (o typeOperations) createThingType(ctx context.Context, in *wire.CreateThingTypeRequest) (*wire.CreateThingTypeResponse, error) {
	p := wire.Or(in.ThingTypeProperties, wire.ThingTypeProperties{})
	t, err := o.types.CreateThingType(ctx, muster.ThingType{
		Name:                 muster.TypeName(*in.ThingTypeName),
		Description:          wire.Or(p.ThingTypeDescription, ""),
		SearchableAttributes: p.SearchableAttributes,
		Propagating:          propagating(p.Mqtt5Configuration),
	}, tagsOf(in.Tags))
	if err != nil {
		return nil, err
	}
	return &wire.CreateThingTypeResponse{ThingTypeName: text(t.Name), ThingTypeARN: o.account.typeARN(t.Name), ThingTypeID: &t.ID}, nil
}

func (o typeOperations) describeThingType(ctx context.Context, in *wire.DescribeThingTypeRequest) (*wire.DescribeThingTypeResponse, error) {
	t, err := o.types.DescribeThingType(ctx, muster.TypeName(*in.ThingTypeName))
	if err != nil {
		return nil, err
	}
	return &wire.DescribeThingTypeResponse{
		ThingTypeName:       text(t.Name),
		ThingTypeID:         &t.ID,
		ThingTypeARN:        o.account.typeARN(t.Name),
		ThingTypeProperties: typeProperties(t),
		ThingTypeMetadata:   typeMetadata(t),
	}, nil
}

func (o typeOperations) updateThingType(ctx context.Context, in *wire.UpdateThingTypeRequest) error {
	p := wire.Or(in.ThingTypeProperties, wire.ThingTypeProperties{})
	return o.types.UpdateThingType(ctx, muster.TypeName(*in.ThingTypeName), muster.TypeUpdate{
		Description:          p.ThingTypeDescription,
		SearchableAttributes: p.SearchableAttributes,
		Propagating:          propagating(p.Mqtt5Configuration),
	})
}

func (o typeOperations) deprecateThingType(ctx context.Context, in *wire.DeprecateThingTypeRequest) error {
	return o.types.DeprecateThingType(ctx, muster.TypeName(*in.ThingTypeName), wire.Or(in.UndoDeprecate, false))
}

func (o typeOperations) deleteThingType(ctx context.Context, in *wire.DeleteThingTypeRequest) error {
	return o.types.DeleteThingType(ctx, muster.TypeName(*in.ThingTypeName))
}

func (o typeOperations) listThingTypesNeeds(in *wire.ListThingTypesRequest) needs {
	return o.account.narrowed("thingtype", in.ThingTypeName)
}

func (o typeOperations) listThingTypes(ctx context.Context, in *wire.ListThingTypesRequest) (*wire.ListThingTypesResponse, error) {
	list, err := o.types.ListThingTypes(ctx, value[muster.TypeName](in.ThingTypeName), page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	return &wire.ListThingTypesResponse{
		ThingTypes: each(list.Types, func(t muster.ThingType) wire.ThingTypeDefinition {
			return wire.ThingTypeDefinition{
				ThingTypeName:       text(t.Name),
				ThingTypeARN:        o.account.typeARN(t.Name),
				ThingTypeProperties: typeProperties(t),
				ThingTypeMetadata:   typeMetadata(t),
			}
		}),
		NextToken: text(list.Next),
	}, nil
}

func (a account) typeARN(name muster.TypeName) *string {
	return new(a.ARN("thingtype", string(name)))
}

func typeProperties(t muster.ThingType) *wire.ThingTypeProperties {
	p := &wire.ThingTypeProperties{ThingTypeDescription: text(t.Description), SearchableAttributes: t.SearchableAttributes}
	if p.SearchableAttributes == nil {
		p.SearchableAttributes = []string{}
	}
	if len(t.Propagating) == 0 {
		return p
	}
	p.Mqtt5Configuration = &wire.Mqtt5Configuration{}
	for _, a := range t.Propagating {
		p.Mqtt5Configuration.PropagatingAttributes = append(p.Mqtt5Configuration.PropagatingAttributes, wire.PropagatingAttribute{
			UserPropertyKey:     text(a.UserPropertyKey),
			ThingAttribute:      text(a.ThingAttribute),
			ConnectionAttribute: text(a.ConnectionAttribute),
		})
	}
	return p
}

// propagating reads an mqtt5Configuration; it is nil if that is absent.
func propagating(c *wire.Mqtt5Configuration) []muster.PropagatingAttribute {
	if c == nil {
		return nil
	}
	return each(c.PropagatingAttributes, func(a wire.PropagatingAttribute) muster.PropagatingAttribute {
		return muster.PropagatingAttribute{
			UserPropertyKey:     wire.Or(a.UserPropertyKey, ""),
			ThingAttribute:      wire.Or(a.ThingAttribute, ""),
			ConnectionAttribute: wire.Or(a.ConnectionAttribute, ""),
		}
	})
}

func typeMetadata(t muster.ThingType) *wire.ThingTypeMetadata {
	return &wire.ThingTypeMetadata{
		Deprecated:      new(t.DeprecatedAt != 0),
		DeprecationDate: instant(t.DeprecatedAt),
		CreationDate:    instant(t.CreatedAt),
	}
}
