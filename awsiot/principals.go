package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/rights"
)

// Principals keeps which certificates are attached to which things (registry.md
// section 6.3). If exclusive is nil, a list has both kinds of attachments.
type Principals interface {
	AttachPrincipal(ctx context.Context, thing muster.ThingName, id muster.CertificateID, a muster.Attachment) error
	DetachPrincipal(ctx context.Context, thing muster.ThingName, id muster.CertificateID) error
	PrincipalsOfThing(ctx context.Context, thing muster.ThingName, exclusive *bool, page listing.Page) (rights.AttachedList, error)
	ThingsOfPrincipal(ctx context.Context, id muster.CertificateID, exclusive *bool, page listing.Page) (rights.AttachedList, error)
}

// principalOperations are the operations of registry.md section 6.3. A principal
// is a certificate.
type principalOperations struct {
	account    account
	principals Principals
}

func (principalOperations) attachThingPrincipalNeeds(in *wire.AttachThingPrincipalRequest) needs {
	return arns(*in.Principal)
}

func (o principalOperations) attachThingPrincipal(ctx context.Context, in *wire.AttachThingPrincipalRequest) error {
	id, err := o.account.certificateOf(*in.Principal)
	if err != nil {
		return err
	}
	exclusive := exclusiveness(in.ThingPrincipalType)
	return o.principals.AttachPrincipal(ctx, muster.ThingName(*in.ThingName), id, muster.Attachment{Exclusive: wire.Or(exclusive, false)})
}

func (principalOperations) detachThingPrincipalNeeds(in *wire.DetachThingPrincipalRequest) needs {
	return arns(*in.Principal)
}

func (o principalOperations) detachThingPrincipal(ctx context.Context, in *wire.DetachThingPrincipalRequest) error {
	id, err := o.account.certificateOf(*in.Principal)
	if err != nil {
		return err
	}
	return o.principals.DetachPrincipal(ctx, muster.ThingName(*in.ThingName), id)
}

func (o principalOperations) listThingPrincipals(ctx context.Context, in *wire.ListThingPrincipalsRequest) (*wire.ListThingPrincipalsResponse, error) {
	list, err := o.principals.PrincipalsOfThing(ctx, muster.ThingName(*in.ThingName), nil, page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	return &wire.ListThingPrincipalsResponse{
		Principals: each(list.Attached, func(b rights.AttachedTo) string { return *o.account.certificateARN(b.Certificate) }),
		NextToken:  text(list.Next),
	}, nil
}

func (o principalOperations) listThingPrincipalsV2(ctx context.Context, in *wire.ListThingPrincipalsV2Request) (*wire.ListThingPrincipalsV2Response, error) {
	list, err := o.principals.PrincipalsOfThing(ctx, muster.ThingName(*in.ThingName), exclusiveness(in.ThingPrincipalType), page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	return &wire.ListThingPrincipalsV2Response{
		ThingPrincipalObjects: each(list.Attached, func(b rights.AttachedTo) wire.ThingPrincipalObject {
			return wire.ThingPrincipalObject{
				Principal: o.account.certificateARN(b.Certificate), ThingPrincipalType: principalType(b.Attachment),
			}
		}),
		NextToken: text(list.Next),
	}, nil
}

func (principalOperations) listPrincipalThingsNeeds(in *wire.ListPrincipalThingsRequest) needs {
	return arns(*in.Principal)
}

func (o principalOperations) listPrincipalThings(ctx context.Context, in *wire.ListPrincipalThingsRequest) (*wire.ListPrincipalThingsResponse, error) {
	id, err := o.account.certificateOf(*in.Principal)
	if err != nil {
		return nil, err
	}
	list, err := o.principals.ThingsOfPrincipal(ctx, id, nil, page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	return &wire.ListPrincipalThingsResponse{
		Things:    each(list.Attached, func(b rights.AttachedTo) string { return string(b.Thing) }),
		NextToken: text(list.Next),
	}, nil
}

func (principalOperations) listPrincipalThingsV2Needs(in *wire.ListPrincipalThingsV2Request) needs {
	return arns(*in.Principal)
}

func (o principalOperations) listPrincipalThingsV2(ctx context.Context, in *wire.ListPrincipalThingsV2Request) (*wire.ListPrincipalThingsV2Response, error) {
	id, err := o.account.certificateOf(*in.Principal)
	if err != nil {
		return nil, err
	}
	list, err := o.principals.ThingsOfPrincipal(ctx, id, exclusiveness(in.ThingPrincipalType), page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	return &wire.ListPrincipalThingsV2Response{
		PrincipalThingObjects: each(list.Attached, func(b rights.AttachedTo) wire.PrincipalThingObject {
			return wire.PrincipalThingObject{
				ThingName: text(b.Thing), ThingPrincipalType: principalType(b.Attachment),
			}
		}),
		NextToken: text(list.Next),
	}, nil
}

// certificateOf reads the ARN of a certificate.
func (a account) certificateOf(arn string) (muster.CertificateID, error) {
	kind, id, err := a.ParseARN(arn)
	if err == nil && kind != "cert" {
		err = muster.Errorf(muster.Invalid, "%s is not the ARN of a certificate", arn)
	}
	return muster.CertificateIDOf(id), err
}

const exclusiveThing, nonExclusiveThing = "EXCLUSIVE_THING", "NON_EXCLUSIVE_THING"

// exclusiveness reads a thingPrincipalType; nil means both.
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
