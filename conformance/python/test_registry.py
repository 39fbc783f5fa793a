"""Things, types and static groups through boto3 (registry.md sections 2 to 4)."""

import datetime

from conftest import refused


def test_a_thing_lives_and_dies(iot, arn, name):
    lamp = name("lamp")
    made = iot.create_thing(thingName=lamp, attributePayload={"attributes": {"room": "hall"}})
    assert made["thingArn"] == arn("thing", lamp)
    again = iot.create_thing(thingName=lamp, attributePayload={"attributes": {"room": "hall"}})
    assert again["thingId"] == made["thingId"]

    seen = iot.describe_thing(thingName=lamp)
    assert (seen["defaultClientId"], seen["attributes"], seen["version"]) == (lamp, {"room": "hall"}, 1)

    iot.update_thing(thingName=lamp, attributePayload={"attributes": {"floor": "2"}, "merge": True}, expectedVersion=1)
    assert iot.describe_thing(thingName=lamp)["attributes"] == {"room": "hall", "floor": "2"}
    iot.update_thing(thingName=lamp, attributePayload={"attributes": {"room": ""}, "merge": True})
    assert iot.describe_thing(thingName=lamp)["attributes"] == {"floor": "2"}
    refused("VersionConflictException", 409, iot.update_thing, thingName=lamp, expectedVersion=1)

    other = refused("ResourceAlreadyExistsException", 409, iot.create_thing, thingName=lamp)
    assert other["resourceArn"] == arn("thing", lamp)

    iot.delete_thing(thingName=lamp)
    refused("ResourceNotFoundException", 404, iot.describe_thing, thingName=lamp)


def test_lists_page_and_filter(iot, name):
    made = {name(f"cam{i}") for i in range(5)}
    for thing in made:
        iot.create_thing(thingName=thing, attributePayload={"attributes": {"batch": name("b")}})
    pages = iot.get_paginator("list_things").paginate(
        attributeName="batch", attributeValue=name("b"), PaginationConfig={"PageSize": 2}
    )
    sizes, found = [], []
    for page in pages:
        sizes.append(len(page["things"]))
        found += [t["thingName"] for t in page["things"]]
    assert sorted(found) == sorted(made), found
    assert max(sizes) <= 2
    refused("InvalidRequestException", 400, iot.list_things, nextToken="nonsense")


def test_types(iot, arn, name):
    kind, lamp = name("lamps"), name("lamp")
    iot.create_thing_type(thingTypeName=kind, thingTypeProperties={"thingTypeDescription": "a lamp", "searchableAttributes": ["room"]})
    seen = iot.describe_thing_type(thingTypeName=kind)
    assert seen["thingTypeArn"] == arn("thingtype", kind)
    assert seen["thingTypeProperties"]["thingTypeDescription"] == "a lamp"
    assert isinstance(seen["thingTypeMetadata"]["creationDate"], datetime.datetime)
    assert [t["thingTypeName"] for t in iot.list_thing_types(thingTypeName=kind)["thingTypes"]] == [kind]

    iot.create_thing(thingName=lamp, thingTypeName=kind)
    assert iot.describe_thing(thingName=lamp)["thingTypeName"] == kind
    refused("ResourceNotFoundException", 404, iot.create_thing, thingName=name("x"), thingTypeName=name("nosuch"))

    iot.deprecate_thing_type(thingTypeName=kind)
    refused("InvalidRequestException", 400, iot.create_thing, thingName=name("y"), thingTypeName=kind)
    refused("InvalidRequestException", 400, iot.delete_thing_type, thingTypeName=kind)
    iot.delete_thing(thingName=lamp)
    iot.delete_thing_type(thingTypeName=kind)
    refused("ResourceNotFoundException", 404, iot.describe_thing_type, thingTypeName=kind)


def test_groups_form_a_hierarchy(iot, arn, name):
    site, hall, lamp = name("site"), name("hall"), name("lamp")
    iot.create_thing_group(thingGroupName=site)
    iot.create_thing_group(
        thingGroupName=hall, parentGroupName=site,
        thingGroupProperties={"thingGroupDescription": "the hall", "attributePayload": {"attributes": {"floor": "1"}}},
    )
    seen = iot.describe_thing_group(thingGroupName=hall)
    assert seen["thingGroupMetadata"]["parentGroupName"] == site
    assert seen["thingGroupMetadata"]["rootToParentThingGroups"] == [{"groupName": site, "groupArn": arn("thinggroup", site)}]
    assert seen["thingGroupProperties"]["attributePayload"]["attributes"] == {"floor": "1"}

    iot.create_thing(thingName=lamp)
    iot.add_thing_to_thing_group(thingGroupName=hall, thingName=lamp)
    iot.add_thing_to_thing_group(thingGroupName=hall, thingName=lamp)
    assert iot.list_things_in_thing_group(thingGroupName=hall)["things"] == [lamp]
    assert iot.list_things_in_thing_group(thingGroupName=site)["things"] == []
    assert iot.list_things_in_thing_group(thingGroupName=site, recursive=True)["things"] == [lamp]
    assert iot.list_thing_groups_for_thing(thingName=lamp)["thingGroups"] == [{"groupName": hall, "groupArn": arn("thinggroup", hall)}]
    refused("InvalidRequestException", 400, iot.add_thing_to_thing_group, thingGroupName=site, thingName=lamp)
    iot.update_thing_groups_for_thing(thingName=lamp, thingGroupsToRemove=[hall], thingGroupsToAdd=[site])
    assert [g["groupName"] for g in iot.list_thing_groups_for_thing(thingName=lamp)["thingGroups"]] == [site]

    assert [g["groupName"] for g in iot.list_thing_groups(parentGroup=site)["thingGroups"]] == [hall]
    refused("InvalidRequestException", 400, iot.delete_thing_group, thingGroupName=site)
    version = iot.update_thing_group(thingGroupName=hall, thingGroupProperties={"thingGroupDescription": "bigger"}, expectedVersion=1)["version"]
    assert version == 2
    refused("VersionConflictException", 409, iot.update_thing_group, thingGroupName=hall, thingGroupProperties={}, expectedVersion=1)

    iot.remove_thing_from_thing_group(thingGroupName=site, thingName=lamp)
    iot.delete_thing_group(thingGroupName=hall)
    iot.delete_thing_group(thingGroupName=site)
    refused("ResourceNotFoundException", 404, iot.describe_thing_group, thingGroupName=hall)


def test_bad_names_are_refused_by_name(iot):
    error = refused("InvalidRequestException", 400, iot.create_thing, thingName="no spaces")
    assert "thingName" in error["Error"]["Message"]
    refused("InvalidRequestException", 400, iot.create_thing, thingName="x" * 129)


def test_endpoint(iot):
    assert iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
