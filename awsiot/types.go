package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
)

func (n *needs) createThingType(in *wire.CreateThingTypeRequest) {
	n.tagged(in.Tags, n.account.ARN("thingtype", *in.ThingTypeName))
}

func (s *Server) createThingType(ctx context.Context, in *wire.CreateThingTypeRequest) (*wire.CreateThingTypeResponse, error) {
	p := wire.Or(in.ThingTypeProperties, wire.ThingTypeProperties{})
	t, err := s.o.Engine.CreateThingType(ctx, muster.ThingType{
		Name:                 muster.TypeName(*in.ThingTypeName),
		Description:          wire.Or(p.ThingTypeDescription, ""),
		SearchableAttributes: p.SearchableAttributes,
		Propagating:          propagating(p.Mqtt5Configuration),
	}, tagsOf(in.Tags))
	if err != nil {
		return nil, err
	}
	return &wire.CreateThingTypeResponse{ThingTypeName: text(t.Name), ThingTypeARN: s.typeARN(t.Name), ThingTypeID: &t.ID}, nil
}

func (s *Server) describeThingType(ctx context.Context, in *wire.DescribeThingTypeRequest) (*wire.DescribeThingTypeResponse, error) {
	t, err := s.o.Engine.DescribeThingType(ctx, muster.TypeName(*in.ThingTypeName))
	if err != nil {
		return nil, err
	}
	return &wire.DescribeThingTypeResponse{
		ThingTypeName:       text(t.Name),
		ThingTypeID:         &t.ID,
		ThingTypeARN:        s.typeARN(t.Name),
		ThingTypeProperties: typeProperties(t),
		ThingTypeMetadata:   typeMetadata(t),
	}, nil
}

func (s *Server) updateThingType(ctx context.Context, in *wire.UpdateThingTypeRequest) error {
	p := wire.Or(in.ThingTypeProperties, wire.ThingTypeProperties{})
	return s.o.Engine.UpdateThingType(ctx, muster.TypeName(*in.ThingTypeName), muster.TypeUpdate{
		Description:          p.ThingTypeDescription,
		SearchableAttributes: p.SearchableAttributes,
		Propagating:          propagating(p.Mqtt5Configuration),
	})
}

func (s *Server) deprecateThingType(ctx context.Context, in *wire.DeprecateThingTypeRequest) error {
	return s.o.Engine.DeprecateThingType(ctx, muster.TypeName(*in.ThingTypeName), wire.Or(in.UndoDeprecate, false))
}

func (s *Server) deleteThingType(ctx context.Context, in *wire.DeleteThingTypeRequest) error {
	return s.o.Engine.DeleteThingType(ctx, muster.TypeName(*in.ThingTypeName))
}

func (n *needs) listThingTypes(in *wire.ListThingTypesRequest) {
	n.narrowed("thingtype", in.ThingTypeName)
}

func (s *Server) listThingTypes(ctx context.Context, in *wire.ListThingTypesRequest) (*wire.ListThingTypesResponse, error) {
	list, err := s.o.Engine.ListThingTypes(ctx, value[muster.TypeName](in.ThingTypeName), page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	out := &wire.ListThingTypesResponse{ThingTypes: make([]wire.ThingTypeDefinition, 0, len(list.Types)), NextToken: text(list.Next)}
	for _, t := range list.Types {
		out.ThingTypes = append(out.ThingTypes, wire.ThingTypeDefinition{
			ThingTypeName:       text(t.Name),
			ThingTypeARN:        s.typeARN(t.Name),
			ThingTypeProperties: typeProperties(t),
			ThingTypeMetadata:   typeMetadata(t),
		})
	}
	return out, nil
}

func (s *Server) typeARN(name muster.TypeName) *string {
	return new(s.o.Account.ARN("thingtype", string(name)))
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

// propagating reads an mqtt5Configuration; one that is absent is nil.
func propagating(c *wire.Mqtt5Configuration) []muster.PropagatingAttribute {
	if c == nil {
		return nil
	}
	all := make([]muster.PropagatingAttribute, 0, len(c.PropagatingAttributes))
	for _, a := range c.PropagatingAttributes {
		all = append(all, muster.PropagatingAttribute{
			UserPropertyKey:     wire.Or(a.UserPropertyKey, ""),
			ThingAttribute:      wire.Or(a.ThingAttribute, ""),
			ConnectionAttribute: wire.Or(a.ConnectionAttribute, ""),
		})
	}
	return all
}

func typeMetadata(t muster.ThingType) *wire.ThingTypeMetadata {
	return &wire.ThingTypeMetadata{
		Deprecated:      new(t.DeprecatedAt != 0),
		DeprecationDate: instant(t.DeprecatedAt),
		CreationDate:    instant(t.CreatedAt),
	}
}
