package events

import (
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/eventlog"
)

func TestRegistryEvents(t *testing.T) {
	const id = "f5ae9b94-8b8e-4d8e-8c8f-b3266dd89853"
	thing := &muster.Thing{Name: "lamp", ID: "b604f69c", Version: 1, Attributes: map[string]string{"a": "1", "b": "2"}}
	typed := &muster.Thing{Name: "lamp", ID: "b604f69c", Version: 2, Type: "light"}
	house := muster.Group{Name: "house", ID: "0a"}
	floor := muster.Group{Name: "floor", ID: "0b", Parent: "house", Path: []muster.GroupName{"house"}}
	room := &muster.Group{Name: "room", ID: "0c", Parent: "floor", Path: []muster.GroupName{"house", "floor"}, Description: "x", Version: 3}

	for name, test := range map[string]struct {
		happened eventlog.Event
		topic    string
		want     string
	}{
		"a thing, as in registry.md section 6.7": {
			eventlog.Event{Type: muster.EventThing, Operation: eventlog.Created, Thing: thing}, "thing/lamp/created", `
			{"eventType":"THING_EVENT","eventId":"` + id + `","timestamp":1234567890123,"operation":"CREATED","accountId":"111122223333",
			"thingId":"b604f69c","thingName":"lamp","versionNumber":1,"thingTypeName":null,"attributes":{"a":"1","b":"2"}}`,
		},
		"a thing of a type, without attributes": {
			eventlog.Event{Type: muster.EventThing, Operation: eventlog.Updated, Thing: typed}, "thing/lamp/updated", `
			{"eventType":"THING_EVENT","eventId":"` + id + `","timestamp":1234567890123,"operation":"UPDATED","accountId":"111122223333",
			"thingId":"b604f69c","thingName":"lamp","versionNumber":2,"thingTypeName":"light","attributes":{}}`,
		},
		"a thing that got a type": {
			eventlog.Event{Type: muster.EventThingTypeAssociation, Operation: eventlog.Added, Thing: typed}, "thingTypeAssociation/thing/lamp/thingType/light/added", `
			{"eventType":"THING_TYPE_ASSOCIATION_EVENT","eventId":"` + id + `","timestamp":1234567890123,"operation":"ADDED","accountId":"111122223333",
			"thingId":"b604f69c","thingName":"lamp","thingTypeName":"light"}`,
		},
		"a thing type": {
			eventlog.Event{Type: muster.EventThingType, Operation: eventlog.Created, ThingType: &muster.ThingType{Name: "light", ID: "0d"}}, "thingType/light/created", `
			{"eventType":"THING_TYPE_EVENT","eventId":"` + id + `","timestamp":1234567890123,"operation":"CREATED","accountId":"111122223333",
			"thingTypeId":"0d","thingTypeName":"light","isDeprecated":false,"deprecationDate":null,"searchableAttributes":[],"description":""}`,
		},
		"a thing type that is deprecated": {
			eventlog.Event{Type: muster.EventThingType, Operation: eventlog.Updated, ThingType: &muster.ThingType{
				Name: "light", ID: "0d", Description: "x", SearchableAttributes: []string{"a"}, DeprecatedAt: 1234567890000,
			}}, "thingType/light/updated", `
			{"eventType":"THING_TYPE_EVENT","eventId":"` + id + `","timestamp":1234567890123,"operation":"UPDATED","accountId":"111122223333",
			"thingTypeId":"0d","thingTypeName":"light","isDeprecated":true,"deprecationDate":1234567890000,"searchableAttributes":["a"],"description":"x"}`,
		},
		"a root group": {
			eventlog.Event{Type: muster.EventThingGroup, Operation: eventlog.Deleted, Group: &house}, "thingGroup/house/deleted", `
			{"eventType":"THING_GROUP_EVENT","eventId":"` + id + `","timestamp":1234567890123,"operation":"DELETED","accountId":"111122223333",
			"thingGroupId":"0a","thingGroupName":"house","versionNumber":0,"parentGroupName":null,"parentGroupId":null,"description":"",
			"rootToParentThingGroups":[],"attributes":{},"dynamicGroupMappingId":null}`,
		},
		"a group below others": {
			eventlog.Event{Type: muster.EventThingGroup, Operation: eventlog.Updated, Group: room, Above: []muster.Group{house, floor}}, "thingGroup/room/updated", `
			{"eventType":"THING_GROUP_EVENT","eventId":"` + id + `","timestamp":1234567890123,"operation":"UPDATED","accountId":"111122223333",
			"thingGroupId":"0c","thingGroupName":"room","versionNumber":3,"parentGroupName":"floor","parentGroupId":"0b","description":"x",
			"rootToParentThingGroups":[{"groupArn":"arn:aws:iot:eu-west-1:111122223333:thinggroup/house","groupId":"0a"},
			{"groupArn":"arn:aws:iot:eu-west-1:111122223333:thinggroup/floor","groupId":"0b"}],"attributes":{},"dynamicGroupMappingId":null}`,
		},
		"a group under its parent": {
			eventlog.Event{Type: muster.EventThingGroupHierarchy, Operation: eventlog.Added, Group: room, Above: []muster.Group{house, floor}},
			"thingGroupHierarchy/thingGroup/floor/childThingGroup/room/added", `
			{"eventType":"THING_GROUP_HIERARCHY_EVENT","eventId":"` + id + `","timestamp":1234567890123,"operation":"ADDED","accountId":"111122223333",
			"thingGroupId":"0b","thingGroupName":"floor","childGroupId":"0c","childGroupName":"room"}`,
		},
		"a thing in a group": {
			eventlog.Event{Type: muster.EventThingGroupMembership, Operation: eventlog.Removed, Thing: thing, Group: room},
			"thingGroupMembership/thingGroup/room/thing/lamp/removed", `
			{"eventType":"THING_GROUP_MEMBERSHIP_EVENT","eventId":"` + id + `","timestamp":1234567890123,"operation":"REMOVED","accountId":"111122223333",
			"groupArn":"arn:aws:iot:eu-west-1:111122223333:thinggroup/room","groupId":"0c",
			"thingArn":"arn:aws:iot:eu-west-1:111122223333:thing/lamp","thingId":"b604f69c","membershipId":"` + membershipID(*room, *thing) + `"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.happened.ID, test.happened.At = id, 1234567890123
			wantPublished(t, test.happened, "$aws/events/"+test.topic, test.want)
		})
	}
}

func TestAMembershipHasAnIDOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range []muster.Group{{ID: "a"}, {ID: "ab"}} {
		for _, thing := range []muster.Thing{{ID: "b"}, {ID: "c"}} {
			id := membershipID(g, thing)
			if again := membershipID(g, thing); len(id) != 36 || again != id {
				t.Errorf("membershipID(%s, %s) = %s, then %s; want one UUID", g.ID, thing.ID, id, again)
			}
			seen[id] = true
		}
	}
	if len(seen) != 4 {
		t.Errorf("4 memberships have %d ids", len(seen))
	}
}
