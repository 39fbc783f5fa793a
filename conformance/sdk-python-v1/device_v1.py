"""A device on AWSIoTPythonSDK: its jobs client over MQTT with a certificate, and over WebSocket with an access key.

A pytest plugin, loaded with -p beside ../devices/fleet.py.
"""

import json
import queue
import socket

import boto3
import pytest
from AWSIoTPythonSDK.core.jobs.thingJobManager import jobExecutionStatus as status
from AWSIoTPythonSDK.core.jobs.thingJobManager import jobExecutionTopicReplyType as reply
from AWSIoTPythonSDK.core.jobs.thingJobManager import jobExecutionTopicType as topic
from AWSIoTPythonSDK.MQTTLib import AWSIoTMQTTShadowClient, AWSIoTMQTTThingJobsClient

LIMIT = 10  # seconds that anything may take

# Over WebSocket the SDK takes the region from the endpoint's name, and no name
# of another form. conformance/run has the server's certificate say this one.
ENDPOINT = "muster.iot.us-east-1.amazonaws.internal"


def certificate(client, device):
    host, port = device.at("mqtts_addr")
    client.configureEndpoint(host, port)
    client.configureCredentials(device.ca, device.key, device.certificate)


def websocket(client, device):
    host, port = device.at("alpn_addr")
    client.configureEndpoint(ENDPOINT, port)
    client.configureSocketFactory(lambda: socket.create_connection((host, port)))  # in place of a name server
    client.configureCredentials(device.ca)
    keys = boto3.Session().get_credentials()
    client.configureIAMCredentials(keys.access_key, keys.secret_key)


TRANSPORTS = {"certificate": (certificate, False), "websocket": (websocket, True)}


def connect(client, configure, device):
    configure(client, device)
    client.configureConnectDisconnectTimeout(LIMIT)
    client.configureMQTTOperationTimeout(LIMIT)
    assert client.connect()
    return client


class Jobs:
    """A jobs client, and what it hears: accepted and rejected answers, both notifications."""

    def __init__(self, client):
        self.client = client
        self.answers, self.lists, self.nexts = queue.Queue(), queue.Queue(), queue.Queue()
        self.subscribe(self.lists, topic.JOB_NOTIFY_TOPIC)
        self.subscribe(self.nexts, topic.JOB_NOTIFY_NEXT_TOPIC)
        for kind in (reply.JOB_ACCEPTED_REPLY_TYPE, reply.JOB_REJECTED_REPLY_TYPE):
            self.subscribe(self.answers, topic.JOB_GET_PENDING_TOPIC, kind)
            self.subscribe(self.answers, topic.JOB_START_NEXT_TOPIC, kind)
            self.subscribe(self.answers, topic.JOB_DESCRIBE_TOPIC, kind, "+")
            self.subscribe(self.answers, topic.JOB_UPDATE_TOPIC, kind, "+")

    def subscribe(self, into, what, kind=reply.JOB_REQUEST_TYPE, job=None):
        assert self.client.createJobSubscription(lambda _c, _u, message: into.put((message.topic, json.loads(message.payload))), what, kind, job)

    def answer(self, want="accepted"):
        on, body = self.answers.get(timeout=LIMIT)
        assert on.endswith("/" + want), (on, body)
        return body

    def pending(self):
        assert self.client.sendJobsQuery(topic.JOB_GET_PENDING_TOPIC)
        return self.answer()

    def start_next(self, **more):
        assert self.client.sendJobsStartNext(**more)
        return self.answer()

    def describe(self, job, want="accepted", **more):
        assert self.client.sendJobsDescribe(job, **more)
        return self.answer(want)

    def update(self, job, to, want="accepted", **more):
        assert self.client.sendJobsUpdate(job, getattr(status, f"JOB_EXECUTION_{to}"), **more)
        return self.answer(want)

    def silent(self):
        """Nothing is on its way: a round trip brings its own answer alone."""
        self.pending()
        assert self.answers.empty() and self.lists.empty() and self.nexts.empty()

    def close(self):
        self.client.disconnect()


@pytest.fixture(params=TRANSPORTS)
def transport(request):
    return TRANSPORTS[request.param]


@pytest.fixture(params=[0, 1], ids=["QoS 0", "QoS 1"])
def jobs(request, dial, transport, lamp):
    """A jobs client of the test's thing. Its client id, the thing's name, is also the token of its requests."""
    configure, web = transport
    client = AWSIoTMQTTThingJobsClient(lamp.thing, lamp.thing, QoS=request.param, useWebsocket=web)
    return dial(Jobs, connect(client, configure, lamp))


def shadow_client(device, transport):
    configure, web = transport
    return connect(AWSIoTMQTTShadowClient(device.thing, useWebsocket=web), configure, device)


def jobs_beside(shadow, device):
    """A jobs client on the connection of a shadow client."""
    return Jobs(AWSIoTMQTTThingJobsClient(device.thing, device.thing, QoS=1, awsIoTMQTTClient=shadow.getMQTTConnection()))
