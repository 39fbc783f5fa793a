package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
)

func (o groupOperations) addThingToThingGroupNeeds(in *wire.AddThingToThingGroupRequest) needs {
	return o.account.named("thing", in.ThingName).and(o.account.named("thinggroup", in.ThingGroupName), givenARNs(in.ThingARN, in.ThingGroupARN))
}

func (o groupOperations) addThingToThingGroup(ctx context.Context, in *wire.AddThingToThingGroupRequest) error {
	thing, group, err := o.account.member(in.ThingName, in.ThingARN, in.ThingGroupName, in.ThingGroupARN)
	if err != nil {
		return err
	}
	return o.groups.AddThingToThingGroup(ctx, thing, group)
}

func (o groupOperations) removeThingFromThingGroupNeeds(in *wire.RemoveThingFromThingGroupRequest) needs {
	return o.account.named("thing", in.ThingName).and(o.account.named("thinggroup", in.ThingGroupName), givenARNs(in.ThingARN, in.ThingGroupARN))
}

func (o groupOperations) removeThingFromThingGroup(ctx context.Context, in *wire.RemoveThingFromThingGroupRequest) error {
	thing, group, err := o.account.member(in.ThingName, in.ThingARN, in.ThingGroupName, in.ThingGroupARN)
	if err != nil {
		return err
	}
	return o.groups.RemoveThingFromThingGroup(ctx, thing, group)
}

func (o groupOperations) updateThingGroupsForThingNeeds(in *wire.UpdateThingGroupsForThingRequest) needs {
	return o.account.named("thing", in.ThingName).and(o.account.allNamed("thinggroup", in.ThingGroupsToAdd), o.account.allNamed("thinggroup", in.ThingGroupsToRemove))
}

func (o groupOperations) updateThingGroupsForThing(ctx context.Context, in *wire.UpdateThingGroupsForThingRequest) error {
	thing, err := o.account.nameOrARN("thing", in.ThingName, nil)
	if err != nil {
		return err
	}
	return o.groups.UpdateThingGroupsForThing(ctx, muster.ThingName(thing), names(in.ThingGroupsToAdd), names(in.ThingGroupsToRemove))
}

func (o groupOperations) listThingsInThingGroup(ctx context.Context, in *wire.ListThingsInThingGroupRequest) (*wire.ListThingsInThingGroupResponse, error) {
	list, err := o.groups.ListThingsInThingGroup(ctx, muster.GroupName(*in.ThingGroupName), wire.Or(in.Recursive, false), page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	return &wire.ListThingsInThingGroupResponse{Things: texts(list.Things), NextToken: text(list.Next)}, nil
}

func (o groupOperations) listThingGroupsForThing(ctx context.Context, in *wire.ListThingGroupsForThingRequest) (*wire.ListThingGroupsForThingResponse, error) {
	list, err := o.groups.ListThingGroupsForThing(ctx, muster.ThingName(*in.ThingName), page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	return &wire.ListThingGroupsForThingResponse{ThingGroups: o.account.groupNames(list.Groups), NextToken: text(list.Next)}, nil
}

// member reads the thing and the group that a call names.
func (a account) member(thingName, thingARN, groupName, groupARN *string) (muster.ThingName, muster.GroupName, error) {
	thing, err := a.nameOrARN("thing", thingName, thingARN)
	if err != nil {
		return "", "", err
	}
	group, err := a.nameOrARN("thinggroup", groupName, groupARN)
	return muster.ThingName(thing), muster.GroupName(group), err
}

// nameOrARN reads a resource that a call names by its name, by its ARN, or by both
// if they agree (registry.md REG-48).
func (a account) nameOrARN(kind string, name, arn *string) (string, error) {
	switch {
	case name == nil && arn == nil:
		return "", muster.Errorf(muster.Invalid, "The name or the ARN of the %s is required", kind)
	case arn == nil:
		return *name, nil
	}
	of, found, err := a.ParseARN(*arn)
	switch {
	case err != nil:
		return "", err
	case of != kind:
		return "", muster.Errorf(muster.Invalid, "%s is not the ARN of a %s", *arn, kind)
	case name != nil && *name != found:
		return "", muster.Errorf(muster.Invalid, "The name %s and the ARN %s are not of the same %s", *name, *arn, kind)
	}
	return found, nil
}

func names(given []string) []muster.GroupName {
	return each(given, func(name string) muster.GroupName { return muster.GroupName(name) })
}
