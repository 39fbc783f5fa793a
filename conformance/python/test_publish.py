"""Publish over HTTPS, retained messages and DeleteConnection with boto3 and the CLI (mqtt-broker.md section 11)."""

import json
import queue
import threading
import time

import paho.mqtt.client as mqtt
import pytest

from conftest import client, eventually, refused


@pytest.fixture(scope="session")
def messages(server):
    return client(server, "iot-data")


@pytest.fixture
def listen(server, name):
    """Opens a connection that hears a topic; closes it after the test."""
    opened = []

    def connect(topic):
        heard, ready, gone = queue.Queue(), threading.Event(), queue.Queue()
        c = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, name("listener"), protocol=mqtt.MQTTv5)
        c.on_connect = lambda c, *_: c.subscribe(topic, qos=1)
        c.on_subscribe = lambda *_: ready.set()
        c.on_message = lambda _c, _u, m: heard.put(m)
        c.on_disconnect = lambda _c, _u, _f, reason, _p: gone.put(reason)
        c.reconnect_delay_set(60, 120)
        host, port = server["mqtt_addr"].rsplit(":", 1)
        c.connect(host, int(port), keepalive=30)
        c.loop_start()
        opened.append(c)
        assert ready.wait(10), "no SUBACK"
        c.heard, c.gone = heard, gone
        return c

    yield connect
    for c in opened:
        c.disconnect()
        c.loop_stop()


def test_publish_reaches_a_subscriber_with_all_it_says(messages, listen, name):
    topic = name("room") + "/a b/ä"
    listener = listen(topic)
    messages.publish(
        topic=topic, qos=1, payload=b'{"on":true}', contentType="application/json", responseTopic="re/ply", correlationData="aWQ=",
        payloadFormatIndicator="UTF8_DATA", userProperties=json.dumps([{"k": "v"}, {"k": "w"}]), messageExpiry=60,
    )
    m = listener.heard.get(timeout=10)
    assert (m.topic, m.payload, m.qos, m.retain) == (topic, b'{"on":true}', 1, False)
    p = m.properties
    assert (p.ContentType, p.ResponseTopic, p.CorrelationData, p.PayloadFormatIndicator) == ("application/json", "re/ply", b"id", 1)
    assert p.UserProperty == [("k", "v"), ("k", "w")] and 50 <= p.MessageExpiryInterval <= 60


def test_cli_publishes(server, listen, name, aws):
    topic = name("cli")
    listener = listen(topic)
    aws(f"iot-data publish --topic {topic} --qos 0 --payload hello")
    assert listener.heard.get(timeout=10).payload == b"hello"


def test_retained_messages(messages, listen, name):
    topic, before = name("kept"), int(time.time() * 1000)
    messages.publish(topic=topic, qos=1, retain=True, payload=b"on", userProperties=json.dumps([{"k": "v"}]))
    got = messages.get_retained_message(topic=topic)
    assert (got["topic"], got["payload"], got["qos"]) == (topic, b"on", 1)
    assert json.loads(got["userProperties"]) == [{"k": "v"}]
    assert before <= got["lastModifiedTime"] <= before + 60_000
    summaries = [s for page in messages.get_paginator("list_retained_messages").paginate(PaginationConfig={"PageSize": 1}) for s in page["retainedTopics"]]
    assert {"topic": topic, "payloadSize": 2, "qos": 1, "lastModifiedTime": got["lastModifiedTime"]} in summaries
    assert [s["topic"] for s in summaries] == sorted({s["topic"] for s in summaries})
    assert listen(topic).heard.get(timeout=10).retain
    messages.publish(topic=topic, retain=True, payload=b"")
    refused("ResourceNotFoundException", 404, messages.get_retained_message, topic=topic)


def test_what_is_refused(messages):
    refused("InvalidRequestException", 400, messages.publish, topic="a/+", payload=b"")
    refused("InvalidRequestException", 400, messages.publish, topic="a", qos=2, payload=b"")
    refused("RequestEntityTooLargeException", 413, messages.publish, topic="a", payload=b"x" * (128 * 1024 + 1))
    refused("ForbiddenException", 403, messages.publish, topic="$aws/events/job/x/completed", payload=b"{}")
    refused("ForbiddenException", 403, messages.publish, topic="$aws/things/t/jobs/notify-next", payload=b"{}")


def test_a_jobs_request_over_https_publish_is_done_and_not_answered(messages, iot, server, job, thing, listen):
    """MQ-76."""
    messages.publish(topic=f"$aws/things/{thing}/jobs/start-next", payload=b"{}", qos=1)
    eventually(lambda: iot.describe_job_execution(jobId=job, thingName=thing)["execution"]["status"] == "IN_PROGRESS", "the job to start")


def test_delete_connection(messages, listen, name):
    listener = listen(name("topic"))
    client_id = listener._client_id.decode()
    messages.delete_connection(clientId=client_id)
    assert listener.gone.get(timeout=10).value == 0x98
    refused("InvalidRequestException", 400, messages.delete_connection, clientId="$x")
    refused("ResourceNotFoundException", 404, messages.delete_connection, clientId=name("nobody"))
