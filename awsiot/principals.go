package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
)

// The operations of registry.md section 6.3. A principal is a certificate.

func (n *needs) attachThingPrincipal(in *wire.AttachThingPrincipalRequest) {
	n.arns(*in.Principal)
}

func (s *Server) attachThingPrincipal(ctx context.Context, in *wire.AttachThingPrincipalRequest) error {
	id, err := s.principal(*in.Principal)
	if err != nil {
		return err
	}
	exclusive := exclusiveness(in.ThingPrincipalType)
	return s.o.Engine.AttachPrincipal(ctx, muster.ThingName(*in.ThingName), id, muster.Attachment{Exclusive: wire.Or(exclusive, false)})
}

func (n *needs) detachThingPrincipal(in *wire.DetachThingPrincipalRequest) {
	n.arns(*in.Principal)
}

func (s *Server) detachThingPrincipal(ctx context.Context, in *wire.DetachThingPrincipalRequest) error {
	id, err := s.principal(*in.Principal)
	if err != nil {
		return err
	}
	return s.o.Engine.DetachPrincipal(ctx, muster.ThingName(*in.ThingName), id)
}

func (s *Server) listThingPrincipals(ctx context.Context, in *wire.ListThingPrincipalsRequest) (*wire.ListThingPrincipalsResponse, error) {
	list, err := s.o.Engine.PrincipalsOfThing(ctx, muster.ThingName(*in.ThingName), nil, page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	out := &wire.ListThingPrincipalsResponse{Principals: make([]string, 0, len(list.Bound)), NextToken: text(list.Next)}
	for _, b := range list.Bound {
		out.Principals = append(out.Principals, *s.certificateARN(b.Certificate))
	}
	return out, nil
}

func (s *Server) listThingPrincipalsV2(ctx context.Context, in *wire.ListThingPrincipalsV2Request) (*wire.ListThingPrincipalsV2Response, error) {
	list, err := s.o.Engine.PrincipalsOfThing(ctx, muster.ThingName(*in.ThingName), exclusiveness(in.ThingPrincipalType), page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	out := &wire.ListThingPrincipalsV2Response{
		ThingPrincipalObjects: make([]wire.ThingPrincipalObject, 0, len(list.Bound)), NextToken: text(list.Next),
	}
	for _, b := range list.Bound {
		out.ThingPrincipalObjects = append(out.ThingPrincipalObjects, wire.ThingPrincipalObject{
			Principal: s.certificateARN(b.Certificate), ThingPrincipalType: principalType(b.Attachment),
		})
	}
	return out, nil
}

func (n *needs) listPrincipalThings(in *wire.ListPrincipalThingsRequest) {
	n.arns(*in.Principal)
}

func (s *Server) listPrincipalThings(ctx context.Context, in *wire.ListPrincipalThingsRequest) (*wire.ListPrincipalThingsResponse, error) {
	id, err := s.principal(*in.Principal)
	if err != nil {
		return nil, err
	}
	list, err := s.o.Engine.ThingsOfPrincipal(ctx, id, nil, page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	out := &wire.ListPrincipalThingsResponse{Things: make([]string, 0, len(list.Bound)), NextToken: text(list.Next)}
	for _, b := range list.Bound {
		out.Things = append(out.Things, string(b.Thing))
	}
	return out, nil
}

func (n *needs) listPrincipalThingsV2(in *wire.ListPrincipalThingsV2Request) {
	n.arns(*in.Principal)
}

func (s *Server) listPrincipalThingsV2(ctx context.Context, in *wire.ListPrincipalThingsV2Request) (*wire.ListPrincipalThingsV2Response, error) {
	id, err := s.principal(*in.Principal)
	if err != nil {
		return nil, err
	}
	list, err := s.o.Engine.ThingsOfPrincipal(ctx, id, exclusiveness(in.ThingPrincipalType), page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	out := &wire.ListPrincipalThingsV2Response{
		PrincipalThingObjects: make([]wire.PrincipalThingObject, 0, len(list.Bound)), NextToken: text(list.Next),
	}
	for _, b := range list.Bound {
		out.PrincipalThingObjects = append(out.PrincipalThingObjects, wire.PrincipalThingObject{
			ThingName: text(b.Thing), ThingPrincipalType: principalType(b.Attachment),
		})
	}
	return out, nil
}

// principal reads the ARN of a certificate.
func (s *Server) principal(arn string) (muster.CertificateID, error) {
	kind, id, err := s.o.Account.ParseARN(arn)
	if err == nil && kind != "cert" {
		err = muster.Errorf(muster.Invalid, "%s is not the ARN of a certificate", arn)
	}
	return muster.CertificateIDOf(id), err
}

const exclusiveThing, nonExclusiveThing = "EXCLUSIVE_THING", "NON_EXCLUSIVE_THING"

// exclusiveness reads a thingPrincipalType; nil is either.
func exclusiveness(word *string) *bool {
	if word == nil {
		return nil
	}
	return new(*word == exclusiveThing)
}

func principalType(a muster.Attachment) *string {
	if a.Exclusive {
		return new(exclusiveThing)
	}
	return new(nonExclusiveThing)
}
