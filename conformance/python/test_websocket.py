"""MQTT over WebSocket with SigV4 (identity-and-auth.md section C.4)."""

import json
import queue

import boto3
import paho.mqtt.client as mqtt
import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest


def presigned(server):
    """The path of a presigned URL, made by botocore's own signer."""
    request = AWSRequest("GET", server["api_url"] + "/mqtt")
    credentials = boto3.Session().get_credentials()
    SigV4QueryAuth(credentials, "iotdevicegateway", server["region"], expires=60).add_auth(request)
    return "/mqtt?" + request.prepare().url.split("?", 1)[1]


@pytest.mark.parametrize("version", [mqtt.MQTTv311, mqtt.MQTTv5], ids=["3.1.1", "5"])
def test_a_device_over_websocket(server, thing, version):
    told, heard = queue.Queue(), queue.Queue()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, thing, transport="websockets", protocol=version)
    client.ws_set_options(path=presigned(server))
    client.on_connect = lambda _c, _u, _f, reason, _p: told.put(reason)
    client.on_message = lambda _c, _u, m: heard.put((m.topic, json.loads(m.payload)))
    host, port = server["api_url"].removeprefix("http://").rsplit(":", 1)
    client.connect(host, int(port))
    client.loop_start()
    try:
        assert told.get(timeout=10) == "Success"
        client.publish(f"$aws/things/{thing}/jobs/get", "", qos=1)
        topic, body = heard.get(timeout=10)
        assert (topic, body["queuedJobs"]) == (f"$aws/things/{thing}/jobs/get/accepted", [])
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.mark.parametrize("spoil", [lambda url: "/mqtt", lambda url: url[:-1] + ("0" if url[-1] != "0" else "1")], ids=["unsigned", "tampered"])
def test_nobody_gets_in_without_a_signature(server, thing, spoil):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, thing, transport="websockets")
    client.ws_set_options(path=spoil(presigned(server)))
    host, port = server["api_url"].removeprefix("http://").rsplit(":", 1)
    with pytest.raises(Exception) as refused:
        client.connect(host, int(port))
    assert "WebSocket" in type(refused.value).__name__ or "handshake" in str(refused.value).lower()
