"""Devices with certificates and policies over TLS (identity-and-auth.md parts A and B)."""

import json
import queue
import ssl
import threading
import urllib.error
import urllib.request

import boto3
import paho.mqtt.client as mqtt
import pytest

from conftest import DOCUMENT, refused

# The minimal device policy for jobs of identity-and-auth.md section B.6.
THING = "${iot:Connection.Thing.ThingName}"


def minimal_policy(arn):
    jobs = f"$aws/things/{THING}/jobs/*"
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": arn("client", THING)},
        {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"], "Resource": arn("topic", jobs)},
        {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": arn("topicfilter", jobs)},
        {"Effect": "Allow", "Action": "iotjobsdata:*", "Resource": arn("thing", THING)},
    ]})


@pytest.fixture
def certified(iot, arn, name, tmp_path):
    """Makes a thing with an active certificate and the minimal policy."""
    def make(what, **principal):
        thing = iot.create_thing(thingName=name(what))["thingName"]
        made = iot.create_keys_and_certificate(setAsActive=True)
        policy = name(f"{what}-policy")
        iot.create_policy(policyName=policy, policyDocument=minimal_policy(arn))
        iot.attach_policy(policyName=policy, target=made["certificateArn"])
        iot.attach_thing_principal(thingName=thing, principal=made["certificateArn"], **principal)
        (tmp_path / f"{thing}.pem").write_text(made["certificatePem"])
        (tmp_path / f"{thing}.key").write_text(made["keyPair"]["PrivateKey"])
        return thing, made

    return make


def context(server, folder, thing, alpn=None):
    """The TLS side of a device."""
    tls = ssl.create_default_context(cafile=server["ca_file"])
    if thing:
        tls.load_cert_chain(folder / f"{thing}.pem", folder / f"{thing}.key")
    if alpn:
        tls.set_alpn_protocols([alpn])
    return tls


@pytest.fixture(params=[mqtt.MQTTv311, mqtt.MQTTv5], ids=["3.1.1", "5"])
def connect(request, server, tmp_path):
    """Connects with a thing's certificate as a client; returns what it is told."""
    opened = []

    def dial(thing, client_id, listener="mqtts_addr", alpn=None):
        told, heard = queue.Queue(), queue.Queue()
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id, protocol=request.param)
        client.tls_set_context(context(server, tmp_path, thing, alpn))
        client.on_connect = lambda _c, _u, _f, reason, _p: told.put(reason)
        client.on_disconnect = lambda _c, _u, _f, reason, _p: told.put(reason)
        client.on_message = lambda _c, _u, m: heard.put((m.topic, json.loads(m.payload)))
        host, port = server[listener].rsplit(":", 1)
        client.reconnect_delay_set(60, 120)
        client.connect(host, int(port), keepalive=30)
        client.loop_start()
        opened.append(client)
        return client, told, heard

    yield dial
    for client in opened:
        client.disconnect()
        client.loop_stop()


def test_the_minimal_policy_does_jobs(iot, arn, name, certified, connect):
    thing, _ = certified("pump")
    client, told, heard = connect(thing, thing)
    assert told.get(timeout=10) == "Success"
    prefix = f"$aws/things/{thing}/jobs"
    subscribed = threading.Event()
    client.on_subscribe = lambda *_: subscribed.set()
    client.subscribe(f"{prefix}/notify-next", qos=1)
    assert subscribed.wait(10)
    iot.create_job(jobId=name("job"), targets=[arn("thing", thing)], document=DOCUMENT)
    topic, body = heard.get(timeout=10)
    assert (topic, body["execution"]["jobId"]) == (f"{prefix}/notify-next", name("job"))
    client.publish(f"{prefix}/start-next", "{}", qos=1)
    topic, body = heard.get(timeout=10)
    assert (topic, body["execution"]["status"]) == (f"{prefix}/start-next/accepted", "IN_PROGRESS")


def test_mqtt_on_the_shared_port(certified, connect):
    thing, _ = certified("pump")
    client, told, heard = connect(thing, thing, "alpn_addr", "x-amzn-mqtt-ca")
    assert told.get(timeout=10) == "Success"
    client.publish(f"$aws/things/{thing}/jobs/get", "{}", qos=1)
    assert heard.get(timeout=10)[0] == f"$aws/things/{thing}/jobs/get/accepted"


@pytest.mark.parametrize("listener, alpn", [("https_url", None), ("https_url", "x-amzn-http-ca"), ("alpn_addr", "x-amzn-http-ca")])
def test_a_device_over_https(server, iot, arn, name, certified, tmp_path, listener, alpn):
    """An exclusive thing's variables resolve over HTTPS too (AUTH-42)."""
    thing, made = certified("pump", thingPrincipalType="EXCLUSIVE_THING")
    base = server[listener] if listener == "https_url" else "https://" + server[listener]
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context(server, tmp_path, thing, alpn)))

    def ask(method, path, body=None):
        request = urllib.request.Request(f"{base}/things/{path}", json.dumps(body).encode() if body is not None else None, method=method)
        try:
            with opener.open(request, timeout=10) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    iot.create_job(jobId=name("job"), targets=[arn("thing", thing)], document=DOCUMENT)
    assert ask("GET", f"{thing}/jobs/$next")[0] == 200
    status, body = ask("PUT", f"{thing}/jobs/$next", {})
    assert (status, body["execution"]["jobId"], body["execution"]["jobDocument"]) == (200, name("job"), DOCUMENT)
    assert ask("POST", f"{thing}/jobs/{name('job')}", {"status": "SUCCEEDED"}) == (200, {})
    status, body = ask("GET", "somebody-else/jobs")
    assert (status, body["message"]) == (403, "Forbidden")
    iot.update_certificate(certificateId=made["certificateId"], newStatus="INACTIVE")
    assert ask("GET", f"{thing}/jobs")[0] == 403


def test_the_control_plane_over_tls(server, tmp_path):
    """The shared port without a client certificate is the signed API."""
    tls = boto3.client("iot", endpoint_url="https://" + server["alpn_addr"], region_name=server["region"], verify=server["ca_file"])
    assert tls.list_things(maxResults=1)["things"] is not None


def test_nobody_connects_under_another_name(certified, connect, name):
    thing, _ = certified("pump")
    _, told, _ = connect(thing, name("somebody-else"))
    assert told.get(timeout=10) != "Success"


def test_a_thing_cannot_act_for_another(iot, data, arn, name, certified, connect):
    thing, _ = certified("pump")
    victim = iot.create_thing(thingName=name("victim"))["thingName"]
    iot.create_job(jobId=name("job"), targets=[arn("thing", victim)], document=DOCUMENT)
    client, told, heard = connect(thing, thing)
    assert told.get(timeout=10) == "Success"
    client.publish(f"$aws/things/{victim}/jobs/start-next", "{}", qos=0)
    assert told.get(timeout=10) != "Success", "a denied publish ends the connection"
    assert heard.empty()
    assert data.get_pending_job_executions(thingName=victim)["inProgressJobs"] == []


def test_deactivation_ends_the_connection(iot, certified, connect):
    thing, made = certified("pump")
    _, told, _ = connect(thing, thing)
    assert told.get(timeout=10) == "Success"
    iot.update_certificate(certificateId=made["certificateId"], newStatus="INACTIVE")
    assert told.get(timeout=10) != "Success"
    _, told, _ = connect(thing, thing)
    assert told.get(timeout=10) != "Success"


def test_certificates_and_policies_live_and_die(iot, arn, name):
    made = iot.create_keys_and_certificate(setAsActive=True)
    assert made["certificateArn"] == arn("cert", made["certificateId"])
    seen = iot.describe_certificate(certificateId=made["certificateId"])["certificateDescription"]
    assert (seen["status"], seen["certificatePem"]) == ("ACTIVE", made["certificatePem"])
    iot.create_policy(policyName=name("p"), policyDocument=minimal_policy(arn))
    refused("ResourceAlreadyExistsException", 409, iot.create_policy, policyName=name("p"), policyDocument=minimal_policy(arn))
    refused("MalformedPolicyException", 400, iot.create_policy, policyName=name("q"), policyDocument="{}")
    assert iot.create_policy_version(policyName=name("p"), policyDocument=minimal_policy(arn), setAsDefault=True)["policyVersionId"] == "2"
    iot.attach_policy(policyName=name("p"), target=made["certificateArn"])
    assert [p["policyName"] for p in iot.list_attached_policies(target=made["certificateArn"])["policies"]] == [name("p")]
    refused("DeleteConflictException", 409, iot.delete_policy, policyName=name("p"))
    refused("CertificateStateException", 406, iot.delete_certificate, certificateId=made["certificateId"])
    iot.detach_policy(policyName=name("p"), target=made["certificateArn"])
    iot.delete_policy_version(policyName=name("p"), policyVersionId="1")
    iot.delete_policy(policyName=name("p"))
    iot.update_certificate(certificateId=made["certificateId"], newStatus="REVOKED")
    iot.delete_certificate(certificateId=made["certificateId"])
    refused("ResourceNotFoundException", 404, iot.describe_certificate, certificateId=made["certificateId"])
