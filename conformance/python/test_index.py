"""Dynamic groups and the fleet index through boto3, the AWS CLI and MQTT (registry.md sections 5 and 6.2)."""

import datetime
import time

import paho.mqtt.client as mqtt
import pytest

from conftest import counters, eventually, refused


@pytest.fixture
def fleet(iot, name):
    """Three things, told apart from those of other tests by an attribute."""
    run = name("run")
    names = [name(f"pump{i}") for i in (1, 2, 3)]
    for i, pump in enumerate(names):
        iot.create_thing(thingName=pump, attributePayload={"attributes": {"run": run, "fw": f"1.{i}"}})
    return run, names


def members(iot, group):
    return sorted(iot.list_things_in_thing_group(thingGroupName=group)["things"])


def active(iot, group):
    eventually(lambda: iot.describe_thing_group(thingGroupName=group)["status"] == "ACTIVE", f"{group} to be ACTIVE")


def found(iot, query, **more):
    return sorted(t["thingName"] for t in iot.search_index(queryString=query, **more)["things"])


def test_a_device_joins_a_continuous_job_by_an_attribute(iot, data, arn, name, fleet):
    run, (one, two, three) = fleet
    group, job = name("old"), name("upgrade")
    made = iot.create_dynamic_thing_group(thingGroupName=group, queryString=f"attributes.run:{run} AND attributes.fw<1.1")
    assert (made["thingGroupArn"], made["indexName"], made["queryVersion"]) == (arn("thinggroup", group), "AWS_Things", "2017-09-30")
    active(iot, group)
    assert members(iot, group) == [one]

    iot.create_job(jobId=job, targets=[made["thingGroupArn"]], targetSelection="CONTINUOUS", document="{}")
    eventually(lambda: counters(iot, job)["Queued"] == 1, "the first member's execution")
    iot.update_thing(thingName=two, attributePayload={"attributes": {"fw": "1.05"}, "merge": True})
    assert [x["jobId"] for x in data.get_pending_job_executions(thingName=two)["queuedJobs"]] == [job]
    iot.update_thing(thingName=one, attributePayload={"attributes": {"fw": "2"}, "merge": True})
    assert data.get_pending_job_executions(thingName=one)["queuedJobs"] == []
    assert counters(iot, job)["Removed"] == 1
    assert members(iot, group) == [two]
    assert [g["groupName"] for g in iot.list_thing_groups_for_thing(thingName=two)["thingGroups"]] == [group]


def test_a_snapshot_of_a_new_dynamic_group(iot, arn, name, fleet):
    run, _ = fleet
    group, job = name("all"), name("job")
    iot.create_dynamic_thing_group(thingGroupName=group, queryString=f"attributes.run:{run}")
    iot.create_job(jobId=job, targets=[arn("thinggroup", group)], document="{}")
    eventually(lambda: counters(iot, job)["Queued"] == 3, "three executions")


def test_dynamic_groups_are_groups(iot, arn, name, fleet):
    run, (one, *_) = fleet
    group, query = name("dyn"), f"attributes.run:{run}"
    properties = {"thingGroupDescription": "all pumps", "attributePayload": {"attributes": {"a": "b"}}}
    made = iot.create_dynamic_thing_group(thingGroupName=group, queryString=query, thingGroupProperties=properties)
    again = iot.create_dynamic_thing_group(thingGroupName=group, queryString=query, thingGroupProperties=properties)
    assert again["thingGroupId"] == made["thingGroupId"]
    refused("ResourceAlreadyExistsException", 409, iot.create_dynamic_thing_group, thingGroupName=group, queryString="*")
    refused("ResourceAlreadyExistsException", 409, iot.create_thing_group, thingGroupName=group)
    refused("InvalidQueryException", 400, iot.create_dynamic_thing_group, thingGroupName=name("x"), queryString="a AND")
    refused("ResourceNotFoundException", 404, iot.create_dynamic_thing_group, thingGroupName=name("x"), queryString="*", indexName="AWS_Nothing")

    seen = iot.describe_thing_group(thingGroupName=group)
    assert (seen["queryString"], seen["indexName"], seen["version"]) == (query, "AWS_Things", 1)
    assert seen["thingGroupProperties"]["thingGroupDescription"] == "all pumps"
    assert group in [g["groupName"] for p in iot.get_paginator("list_thing_groups").paginate() for g in p["thingGroups"]]

    refused("InvalidRequestException", 400, iot.add_thing_to_thing_group, thingGroupName=group, thingName=one)
    refused("InvalidRequestException", 400, iot.remove_thing_from_thing_group, thingGroupName=group, thingName=one)
    refused("InvalidRequestException", 400, iot.create_thing_group, thingGroupName=name("child"), parentGroupName=group)
    refused("InvalidRequestException", 400, iot.update_thing_group, thingGroupName=group, thingGroupProperties={})
    refused("InvalidRequestException", 400, iot.delete_thing_group, thingGroupName=group)

    refused("VersionConflictException", 409, iot.update_dynamic_thing_group, thingGroupName=group, thingGroupProperties={}, expectedVersion=7)
    changed = iot.update_dynamic_thing_group(thingGroupName=group, thingGroupProperties={}, queryString=f"{query} AND thingName:{one}")
    assert changed["version"] == 2
    active(iot, group)
    assert members(iot, group) == [one]
    iot.delete_dynamic_thing_group(thingGroupName=group, expectedVersion=2)
    iot.delete_dynamic_thing_group(thingGroupName=group)
    refused("ResourceNotFoundException", 404, iot.describe_thing_group, thingGroupName=group)
    assert iot.list_thing_groups_for_thing(thingName=one)["thingGroups"] == []

    static = name("static")
    iot.create_thing_group(thingGroupName=static)
    refused("InvalidRequestException", 400, iot.delete_dynamic_thing_group, thingGroupName=static)
    refused("InvalidRequestException", 400, iot.update_dynamic_thing_group, thingGroupName=static, thingGroupProperties={}, queryString="*")


def test_search(iot, name, fleet):
    run, (one, two, three) = fleet
    of = f"attributes.run:{run}"
    assert found(iot, f"{of} AND attributes.fw:[1.1 TO 1.2]") == [two, three]
    assert found(iot, f"{of} -thingName:{one.upper()}") == [two, three]
    assert found(iot, f"{of} AND (thingName:{one} OR thingName:{three})") == [one, three]
    assert found(iot, run) == [one, two, three], "a term without a field"

    pages, token = [], {}
    while True:
        page = iot.search_index(queryString=of, maxResults=2, **token)
        pages.append([t["thingName"] for t in page["things"]])
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert sum(pages, []) == [one, two, three] and len(pages) == 2
    refused("InvalidRequestException", 400, iot.search_index, queryString="thingName:other", maxResults=2, nextToken=page.get("nextToken", "nonsense"))
    refused("InvalidRequestException", 400, iot.search_index, queryString="*", maxResults=101)
    refused("InvalidQueryException", 400, iot.search_index, queryString="shadow.reported.x:1")
    refused("ResourceNotFoundException", 404, iot.search_index, queryString="*", indexName="AWS_Nothing")

    group = name("hall")
    iot.create_thing_group(thingGroupName=group, thingGroupProperties={"thingGroupDescription": f"robots {run}"})
    iot.add_thing_to_thing_group(thingGroupName=group, thingName=one)
    assert found(iot, f"thingGroupNames:{group}") == [one]
    (document,) = iot.search_index(queryString=f"thingGroupNames:{group}")["things"]
    assert (document["thingName"], document["attributes"], document["thingGroupNames"]) == (one, {"run": run, "fw": "1.0"}, [group])
    assert document["thingId"] == iot.describe_thing(thingName=one)["thingId"]
    (document,) = iot.search_index(indexName="AWS_ThingGroups", queryString=f"thingGroupDescription:{run}")["thingGroups"]
    assert document["thingGroupName"] == group


def test_search_by_the_outcome_of_a_job(iot, data, arn, name, fleet):
    run, (one, two, three) = fleet
    job, again = name("job"), name("again")
    iot.create_job(jobId=job, targets=[arn("thing", n) for n in (one, two, three)], document="{}")
    eventually(lambda: counters(iot, job)["Queued"] == 3, "three executions")
    iot.create_dynamic_thing_group(thingGroupName=again, queryString=f"jobs.{job}.status:(FAILED OR TIMED_OUT)")
    active(iot, again)
    data.update_job_execution(jobId=job, thingName=two, status="FAILED")
    data.update_job_execution(jobId=job, thingName=three, status="SUCCEEDED")
    assert found(iot, f"jobs.{job}.status:FAILED") == [two]
    assert found(iot, f"jobs.{job}.status:* AND NOT jobs.{job}.status:QUEUED") == [two, three]
    assert members(iot, again) == [two]


def test_the_outcome_of_a_job_cannot_feed_the_job(iot, arn, name):
    group, job = name("failed"), name("job")
    iot.create_dynamic_thing_group(thingGroupName=group, queryString=f"thingName:{group} AND NOT jobs.{job}.status:*")
    refused("InvalidRequestException", 400, iot.create_job, jobId=job, targetSelection="CONTINUOUS", targets=[arn("thinggroup", group)], document="{}")


@pytest.mark.parametrize("version", [mqtt.MQTTv311, mqtt.MQTTv5])
def test_connectivity(iot, server, name, thing, version):
    group = name("online")
    refused("ResourceNotFoundException", 404, iot.get_thing_connectivity_data, thingName=thing)
    iot.create_dynamic_thing_group(thingGroupName=group, queryString=f"connectivity.connected:true AND thingName:{thing}")
    active(iot, group)
    assert members(iot, group) == []

    began = datetime.datetime.now(datetime.timezone.utc)
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, thing, protocol=version)
    host, port = server["mqtt_addr"].rsplit(":", 1)
    client.connect(host, int(port))
    client.loop_start()
    eventually(lambda: members(iot, group) == [thing], "the connected thing in its group")
    seen = iot.get_thing_connectivity_data(thingName=thing)
    assert (seen["connected"], seen["disconnectReason"], seen["thingName"]) == (True, "NONE", thing)
    assert abs((seen["timestamp"] - began).total_seconds()) < 10
    (document,) = iot.search_index(queryString=f"connectivity.timestamp>{int(time.time() - 60)}000 AND thingName:{thing}")["things"]
    assert document["connectivity"]["connected"] is True
    assert document["connectivity"]["timestamp"] == int(seen["timestamp"].timestamp() * 1000)

    client.disconnect()
    client.loop_stop()
    eventually(lambda: members(iot, group) == [], "the thing to leave its group")
    seen = iot.get_thing_connectivity_data(thingName=thing)
    assert (seen["connected"], seen["disconnectReason"]) == (False, "CLIENT_INITIATED_DISCONNECT")
    assert found(iot, f"connectivity.disconnectReason:client_initiated* AND thingName:{thing}") == [thing]


def test_the_indexes_and_their_configuration(iot, aws, name, fleet):
    run, names = fleet
    assert aws("iot list-indices") == {"indexNames": ["AWS_ThingGroups", "AWS_Things"]}
    assert aws("iot describe-index --index-name AWS_Things")["schema"] == "REGISTRY_AND_CONNECTIVITY_STATUS"
    aws("iot describe-index --index-name AWS_Nothing", fails="ResourceNotFoundException")
    before = iot.get_indexing_configuration()
    assert before["thingIndexingConfiguration"]["thingIndexingMode"] == "REGISTRY"
    assert before["thingGroupIndexingConfiguration"]["thingGroupIndexingMode"] == "ON"
    try:
        aws("iot update-indexing-configuration --thing-indexing-configuration thingIndexingMode=OFF")
        refused("ResourceNotFoundException", 404, iot.search_index, queryString="*")
        refused("InvalidRequestException", 400, iot.create_dynamic_thing_group, thingGroupName=name("x"), queryString="*")
    finally:
        aws("iot update-indexing-configuration --thing-indexing-configuration thingIndexingMode=REGISTRY,thingConnectivityIndexingMode=STATUS")
    eventually(lambda: aws("iot describe-index --index-name AWS_Things")["indexStatus"] == "ACTIVE", "the index to be built")
    assert [t["thingName"] for t in aws("iot search-index", "--query-string", f"attributes.run:{run}")["things"]] == names
    for asked in ("thingIndexingMode=REGISTRY,namedShadowIndexingMode=ON", "thingIndexingMode=REGISTRY_AND_SHADOW"):
        said = aws(f"iot update-indexing-configuration --thing-indexing-configuration {asked}", fails="InvalidRequestException")
        assert "shadows are not served" in said


def test_aggregations(iot, fleet):
    run, _ = fleet
    of = {"queryString": f"attributes.run:{run}"}
    found = iot.get_statistics(aggregationField="attributes.fw", **of)["statistics"]
    assert (found["count"], found["minimum"], found["maximum"]) == (3, 1.0, 1.2)
    assert iot.get_cardinality(aggregationField="attributes.run", **of)["cardinality"] == 1
    assert iot.get_percentiles(aggregationField="attributes.fw", percents=[50], **of)["percentiles"] == [{"percent": 50.0, "value": 1.1}]
    found = iot.get_buckets_aggregation(aggregationField="attributes.run", bucketsAggregationType={"termsAggregation": {"maxBuckets": 5}}, **of)
    assert (found["totalCount"], found["buckets"]) == (3, [{"keyValue": run, "count": 3}])
