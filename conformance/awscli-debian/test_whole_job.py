"""A fleet's operator with Debian's AWS CLI 2.9.19, which signs the control plane as execute-api: each step as a person types it."""

import base64
import queue

import paho.mqtt.client as mqtt

from conftest import eventually

DOCUMENT = '{"do":"flash"}'
POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}'


def test_a_whole_job(aws, arn, name):
    lamp, pump, hall, fw = name("lamp"), name("pump"), name("hall"), name("fw")
    assert aws(f"iot create-thing --thing-name {lamp} --attribute-payload attributes={{site=north}}")["thingArn"] == arn("thing", lamp)
    aws(f"iot create-thing --thing-name {pump}")
    assert aws(f"iot create-thing-group --thing-group-name {hall}")["thingGroupArn"] == arn("thinggroup", hall)
    for thing in (lamp, pump):
        aws(f"iot add-thing-to-thing-group --thing-group-name {hall} --thing-name {thing}")

    made = aws(
        f"iot create-job --job-id {fw} --targets {arn('thinggroup', hall)} --description release --document", DOCUMENT,
        "--job-executions-rollout-config", "maximumPerMinute=600,exponentialRate={baseRatePerMinute=600,incrementFactor=2,rateIncreaseCriteria={numberOfSucceededThings=10}}",
        "--abort-config", "criteriaList=[{failureType=FAILED,action=CANCEL,thresholdPercentage=50,minNumberOfExecutedThings=2}]",
        "--timeout-config", "inProgressTimeoutInMinutes=60",
        "--job-executions-retry-config", "criteriaList=[{failureType=TIMED_OUT,numberOfRetries=2}]",
        "--presigned-url-config", "roleArn=arn:aws:iam::123456789012:role/files,expiresInSec=600",
        "--tags", "Key=team,Value=blue")
    assert made == {"jobArn": arn("job", fw), "jobId": fw, "description": "release"}
    described = aws(f"iot describe-job --job-id {fw}")["job"]
    assert described["jobExecutionsRolloutConfig"]["exponentialRate"]["incrementFactor"] == 2
    assert described["abortConfig"]["criteriaList"][0]["thresholdPercentage"] == 50
    assert (described["timeoutConfig"], described["presignedUrlConfig"]["expiresInSec"]) == ({"inProgressTimeoutInMinutes": 60}, 600)
    assert described["jobExecutionsRetryConfig"] == {"criteriaList": [{"failureType": "TIMED_OUT", "numberOfRetries": 2}]}

    def listed():
        return aws(f"iot list-job-executions-for-job --job-id {fw} --max-items 10")["executionSummaries"]

    eventually(lambda: sorted(e["thingArn"] for e in listed()) == sorted([arn("thing", lamp), arn("thing", pump)]), "two executions", 30)
    started = aws(f"iot-jobs-data start-next-pending-job-execution --thing-name {lamp} --status-details step=1")["execution"]
    assert (started["jobId"], started["jobDocument"], started["status"]) == (fw, DOCUMENT, "IN_PROGRESS")
    aws(f"iot-jobs-data update-job-execution --thing-name {lamp} --job-id {fw} --status SUCCEEDED --expected-version 2")
    assert aws(f"iot cancel-job --job-id {fw} --reason-code OOPS --comment sorry")["jobId"] == fw
    eventually(lambda: aws(f"iot describe-job-execution --job-id {fw} --thing-name {pump}")["execution"]["status"] == "CANCELED", "the cancellation", 30)


def test_a_certificate_and_its_policy(aws, name, thing, tmp_path):
    policy = name("jobs")
    aws(f"iot create-policy --policy-name {policy} --policy-document", POLICY)
    made = aws(f"iot create-keys-and-certificate --set-as-active --certificate-pem-outfile {tmp_path / 'lamp.pem'} --private-key-outfile {tmp_path / 'lamp.key'}")
    assert (tmp_path / "lamp.pem").read_text() == made["certificatePem"]
    aws(f"iot attach-policy --policy-name {policy} --target {made['certificateArn']}")
    aws(f"iot attach-thing-principal --thing-name {thing} --principal {made['certificateArn']}")
    assert aws(f"iot list-thing-principals --thing-name {thing}")["principals"] == [made["certificateArn"]]


def test_who_asks(aws, server):
    who = aws("sts get-caller-identity")
    assert (who["Account"], who["Arn"]) == (server["account"], f"arn:aws:iam::{server['account']}:user/admin")
    assert who["UserId"]


def test_a_message_is_published(aws, server, name):
    told, heard = queue.Queue(), queue.Queue()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, name("listener"))
    client.on_connect = lambda *_: client.subscribe(name("news"), qos=1)
    client.on_subscribe = lambda *_: told.put(True)
    client.on_message = lambda _c, _u, message: heard.put(message.payload)
    host, port = server["mqtt_addr"].rsplit(":", 1)
    client.connect(host, int(port))
    client.loop_start()
    try:
        assert told.get(timeout=10)
        aws(f"iot-data publish --topic {name('news')} --qos 1 --payload", base64.b64encode(b"hello").decode())
        assert heard.get(timeout=10) == b"hello"
    finally:
        client.disconnect()
        client.loop_stop()


def test_errors_reach_the_terminal(aws):
    aws("iot describe-job --job-id nosuch", fails="ResourceNotFoundException")
