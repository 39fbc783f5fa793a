"""Clients of other AWS services that are pointed at the same endpoint (identity-and-auth.md C.2)."""

import datetime
import json
import urllib.request

import boto3
import pytest

from conftest import client, refused


def test_the_caller_is_told_who_it_is(server, aws):
    said = client(server, "sts").get_caller_identity()
    assert said["Account"] == server["account"]
    assert said["Arn"].startswith(f"arn:aws:iam::{server['account']}:user/")
    assert said["UserId"].startswith("AIDA")
    assert said["ResponseMetadata"]["RequestId"] == said["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    assert aws("sts get-caller-identity") == {name: said[name] for name in ("UserId", "Account", "Arn")}


def test_the_question_can_be_presigned(server):
    url = client(server, "sts").generate_presigned_url("get_caller_identity", HttpMethod="GET")
    with urllib.request.urlopen(url, timeout=10) as response:
        assert response.headers["Content-Type"] == "text/xml"
        assert f"<Account>{server['account']}</Account>".encode() in response.read()


def test_a_wrong_key_is_told_so(server):
    def sts(key, secret):
        return boto3.client("sts", endpoint_url=server["api_url"], region_name=server["region"], aws_access_key_id=key, aws_secret_access_key=secret)

    refused("InvalidClientTokenId", 403, sts("AKIDNOSUCHKEY0000000", "x" * 40).get_caller_identity)
    own = boto3.Session().get_credentials().get_frozen_credentials()
    refused("SignatureDoesNotMatch", 403, sts(own.access_key, "x" * 40).get_caller_identity)


@pytest.mark.parametrize(
    "service,signed,operation,arguments,code,status",
    [
        ("sts", "sts", "get_session_token", {}, "InvalidAction", 400),  # Query
        ("iam", "iam", "list_users", {}, "InvalidAction", 400),
        ("sns", "sns", "list_topics", {}, "InvalidAction", 400),
        ("ec2", "ec2", "describe_instances", {}, "InvalidAction", 400),  # EC2
        ("dynamodb", "dynamodb", "list_tables", {}, "UnknownOperationException", 400),  # JSON 1.0
        ("dynamodb", "dynamodb", "put_item", {"TableName": "table", "Item": {"a": {"S": "x" * 300_000}}}, "UnknownOperationException", 400),
        ("sqs", "sqs", "list_queues", {}, "UnknownOperationException", 400),
        ("cloudtrail", "cloudtrail", "describe_trails", {}, "UnknownOperationException", 400),  # JSON 1.1
        ("secretsmanager", "secretsmanager", "list_secrets", {}, "UnknownOperationException", 400),
        ("lambda", "lambda", "list_functions", {}, "UnknownOperationException", 404),  # rest-json
        ("iotwireless", "iotwireless", "list_wireless_devices", {}, "UnknownOperationException", 404),
        ("cloudwatch", "monitoring", "list_metrics", {}, "UnknownOperationException", 400),  # CBOR, or what this release speaks
        ("route53", "route53", "list_hosted_zones", {}, "InvalidAction", 400),  # rest-xml
    ],
)
def test_other_services_get_an_error_that_names_them(server, service, signed, operation, arguments, code, status):
    error = refused(code, status, getattr(client(server, service), operation), **arguments)
    assert "Muster serves AWS IoT" in error["Error"]["Message"]
    assert signed in error["Error"]["Message"]
    assert error["ResponseMetadata"]["RetryAttempts"] == 0


def test_cloudtrail_tells_who_did_what(server, aws):
    iot, trail = client(server, "iot"), client(server, "cloudtrail")
    before = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=2)
    names = [f"trail-{i}" for i in range(3)]
    for name in names:
        iot.create_thing(thingName=name, attributePayload={"attributes": {"site": "north"}})
    arn = iot.describe_thing(thingName=names[0])["thingArn"]

    def found(key, value, **more):
        return [e for page in trail.get_paginator("lookup_events").paginate(LookupAttributes=[{"AttributeKey": key, "AttributeValue": value}], StartTime=before, **more) for e in page["Events"]]

    [event] = found("ResourceName", arn)
    assert event["EventName"] == "CreateThing" and event["EventSource"] == "iot.amazonaws.com" and event["ReadOnly"] == "false"
    assert event["AccessKeyId"] == boto3.Session().get_credentials().access_key and event["EventTime"] >= before.replace(microsecond=0)
    assert {"ResourceType": "AWS::IoT::Thing", "ResourceName": arn} in event["Resources"]
    record = json.loads(event["CloudTrailEvent"])
    assert record["userIdentity"]["userName"] == event["Username"] and record["recipientAccountId"] == server["account"] and record["eventID"] == event["EventId"]
    assert {e["EventId"] for e in found("EventId", event["EventId"])} == {event["EventId"]}
    assert len(found("EventName", "CreateThing", PaginationConfig={"PageSize": 2})) >= 3
    assert [e["EventName"] for e in found("ResourceName", names[1])] == ["CreateThing"]
    assert found("Username", "nobody") == []
    told = aws(f"cloudtrail lookup-events --lookup-attributes AttributeKey=ResourceName,AttributeValue={arn} --max-results 5")
    assert [e["EventId"] for e in told["Events"]] == [event["EventId"]]
    refused("InvalidMaxResultsException", 400, client(server, "cloudtrail", parameter_validation=False).lookup_events, MaxResults=51)
    refused("InvalidLookupAttributesException", 400, trail.lookup_events, LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "a"}, {"AttributeKey": "EventName", "AttributeValue": "b"}])
    refused("InvalidTimeRangeException", 400, trail.lookup_events, StartTime=2000000000, EndTime=1000000000)
    refused("InvalidNextTokenException", 400, trail.lookup_events, NextToken="AAAA")
    for name in names:
        iot.delete_thing(thingName=name)
