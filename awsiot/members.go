package awsiot

import (
	"context"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
)

func (n *needs) addThingToThingGroup(in *wire.AddThingToThingGroupRequest) {
	n.named("thing", in.ThingName)
	n.named("thinggroup", in.ThingGroupName)
	n.given(in.ThingARN, in.ThingGroupARN)
}

func (s *Server) addThingToThingGroup(ctx context.Context, in *wire.AddThingToThingGroupRequest) error {
	thing, group, err := s.member(in.ThingName, in.ThingARN, in.ThingGroupName, in.ThingGroupARN)
	if err != nil {
		return err
	}
	return s.o.Engine.AddThingToThingGroup(ctx, thing, group)
}

func (n *needs) removeThingFromThingGroup(in *wire.RemoveThingFromThingGroupRequest) {
	n.named("thing", in.ThingName)
	n.named("thinggroup", in.ThingGroupName)
	n.given(in.ThingARN, in.ThingGroupARN)
}

func (s *Server) removeThingFromThingGroup(ctx context.Context, in *wire.RemoveThingFromThingGroupRequest) error {
	thing, group, err := s.member(in.ThingName, in.ThingARN, in.ThingGroupName, in.ThingGroupARN)
	if err != nil {
		return err
	}
	return s.o.Engine.RemoveThingFromThingGroup(ctx, thing, group)
}

func (n *needs) updateThingGroupsForThing(in *wire.UpdateThingGroupsForThingRequest) {
	n.named("thing", in.ThingName)
	for _, group := range slices.Concat(in.ThingGroupsToAdd, in.ThingGroupsToRemove) {
		n.named("thinggroup", &group)
	}
}

func (s *Server) updateThingGroupsForThing(ctx context.Context, in *wire.UpdateThingGroupsForThingRequest) error {
	thing, err := s.either("thing", in.ThingName, nil)
	if err != nil {
		return err
	}
	return s.o.Engine.UpdateThingGroupsForThing(ctx, muster.ThingName(thing), names(in.ThingGroupsToAdd), names(in.ThingGroupsToRemove))
}

func (s *Server) listThingsInThingGroup(ctx context.Context, in *wire.ListThingsInThingGroupRequest) (*wire.ListThingsInThingGroupResponse, error) {
	list, err := s.o.Engine.ListThingsInThingGroup(ctx, muster.GroupName(*in.ThingGroupName), wire.Or(in.Recursive, false), page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	out := &wire.ListThingsInThingGroupResponse{Things: make([]string, 0, len(list.Things)), NextToken: text(list.Next)}
	for _, name := range list.Things {
		out.Things = append(out.Things, string(name))
	}
	return out, nil
}

func (s *Server) listThingGroupsForThing(ctx context.Context, in *wire.ListThingGroupsForThingRequest) (*wire.ListThingGroupsForThingResponse, error) {
	list, err := s.o.Engine.ListThingGroupsForThing(ctx, muster.ThingName(*in.ThingName), page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	return &wire.ListThingGroupsForThingResponse{ThingGroups: s.groupNames(list.Groups), NextToken: text(list.Next)}, nil
}

// member reads the thing and the group that a call names.
func (s *Server) member(thingName, thingARN, groupName, groupARN *string) (muster.ThingName, muster.GroupName, error) {
	thing, err := s.either("thing", thingName, thingARN)
	if err != nil {
		return "", "", err
	}
	group, err := s.either("thinggroup", groupName, groupARN)
	return muster.ThingName(thing), muster.GroupName(group), err
}

// either reads a resource that a call names by its name, by its ARN, or by both
// if they agree (registry.md REG-48).
func (s *Server) either(kind string, name, arn *string) (string, error) {
	switch {
	case name == nil && arn == nil:
		return "", muster.Errorf(muster.Invalid, "The name or the ARN of the %s is required", kind)
	case arn == nil:
		return *name, nil
	}
	of, found, err := s.o.Account.ParseARN(*arn)
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
	all := make([]muster.GroupName, 0, len(given))
	for _, name := range given {
		all = append(all, muster.GroupName(name))
	}
	return all
}
