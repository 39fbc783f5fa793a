"""paho-mqtt with certificates, as a device that uses MQTT for more than jobs (device-clients.md T8, mqtt-broker.md)."""

import queue
import ssl

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from fleet import rows

VERSIONS = {"3.1.1": mqtt.MQTTv311, "5": mqtt.MQTTv5}


class Client:
    """One connection with a certificate that keeps what it is told."""

    def __init__(self, device, protocol, client_id, clean=True, will=None, user=None):
        self.told, self.heard, self.acked = queue.Queue(), queue.Queue(), queue.Queue()
        modern = protocol == mqtt.MQTTv5
        self.client = c = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id, protocol=protocol, **({} if modern else {"clean_session": clean}))
        c.tls_set(device.ca, device.certificate, device.key, tls_version=ssl.PROTOCOL_TLS_CLIENT)
        c.on_connect = lambda _c, _u, flags, reason, _p: self.told.put((str(reason), flags.session_present))
        c.on_disconnect = lambda _c, _u, _f, reason, _p: self.told.put((str(reason), None))
        c.on_message = lambda _c, _u, m: self.heard.put((m.topic, m.payload.decode(), m.qos, m.retain))
        c.on_subscribe = lambda _c, _u, _m, reasons, _p: self.acked.put([r.value for r in reasons])
        c.on_publish = lambda _c, _u, _m, reason, _p: self.acked.put(reason.value)
        c.reconnect_delay_set(60, 120)
        if will:
            c.will_set(*will)
        if user:
            c.username_pw_set(*user)
        more = {}
        if modern:
            expiry = Properties(PacketTypes.CONNECT)
            expiry.SessionExpiryInterval = 0 if clean else 3600
            more = {"clean_start": clean, "properties": expiry}
        c.connect(*device.at("mqtts_addr"), keepalive=30, **more)
        c.loop_start()
        self.greeting = self.told.get(timeout=10)

    def subscribe(self, topic, qos=1):
        self.client.subscribe(topic, qos)
        return self.acked.get(timeout=10)

    def publish(self, topic, payload, qos=1, retain=False):
        self.client.publish(topic, payload, qos, retain)
        return self.acked.get(timeout=10)

    def lose(self):
        """Ends the connection without saying goodbye."""
        self.client._sock_close()
        self.client.loop_stop()

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture(params=VERSIONS)
def protocol(request):
    return VERSIONS[request.param]


@pytest.fixture
def boiler(enroll, arn, name):
    """A thing that may also use topics of its plant, from any number of connections."""
    plant = name("plant")
    device = enroll("boiler",
                    {"Effect": "Allow", "Action": "iot:Connect", "Resource": arn("client", "boiler-*")},
                    {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive", "iot:RetainPublish"], "Resource": arn("topic", f"{plant}/*")},
                    {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": arn("topicfilter", f"{plant}/*")})
    device.plant = plant
    return device


@pytest.fixture
def connect(dial, protocol, boiler):
    return lambda suffix="", **more: dial(Client, boiler, protocol, boiler.thing + suffix, **more)


@rows(20)
def test_user_name_and_password_are_ignored(connect):
    assert connect(user=("?SDK=PythonV2&Version=1.31.0&Platform=Linux", "not a password")).greeting[0] == "Success"


def test_both_qualities_of_service_cross_between_versions(dial, boiler):
    old = dial(Client, boiler, mqtt.MQTTv311, boiler.thing + "-old")
    new = dial(Client, boiler, mqtt.MQTTv5, boiler.thing + "-new")
    for listener, speaker in ((old, new), (new, old)):
        assert listener.subscribe(f"{boiler.plant}/+/level", 1) == [1]
        for qos in (0, 1):
            speaker.publish(f"{boiler.plant}/tank/level", f"{qos}", qos)
            assert listener.heard.get(timeout=10) == (f"{boiler.plant}/tank/level", f"{qos}", qos, False)
        listener.client.unsubscribe(f"{boiler.plant}/+/level")


def test_a_subscription_with_quality_2_is_granted_1(connect, boiler):
    assert connect().subscribe(f"{boiler.plant}/x", 2) == [1]


def test_a_publish_with_quality_2_ends_the_connection(connect, boiler):
    client = connect()
    client.client.publish(f"{boiler.plant}/x", "x", 2)
    assert client.told.get(timeout=10)[0] != "Success"


def test_a_will_is_published_when_a_connection_is_lost_and_not_when_it_is_ended(connect, boiler):
    witness = connect("-witness")
    witness.subscribe(f"{boiler.plant}/gone")
    connect("-a", will=(f"{boiler.plant}/gone", "a", 1)).client.disconnect()
    connect("-b", will=(f"{boiler.plant}/gone", "b", 1)).lose()
    assert witness.heard.get(timeout=10)[:2] == (f"{boiler.plant}/gone", "b")
    assert witness.heard.empty()


def test_a_will_outside_the_policy_is_refused(connect):
    assert connect(will=("elsewhere/gone", "x", 1)).greeting[0] != "Success"


def test_a_retained_message_waits_for_an_exact_subscription(connect, boiler):
    topic = f"{boiler.plant}/state"
    client = connect()
    client.publish(topic, "on", retain=True)
    client.subscribe(f"{boiler.plant}/#")
    client.subscribe(topic)
    assert client.heard.get(timeout=10) == (topic, "on", 1, True)
    client.publish(topic, "", retain=True)
    assert client.heard.get(timeout=10) == (topic, "", 1, False)
    other = connect("-other")
    other.subscribe(topic)
    client.publish(topic, "live")
    assert other.heard.get(timeout=10) == (topic, "live", 1, False)


def test_a_second_connection_of_one_client_id_takes_over(connect, boiler):
    first = connect("-x", clean=False)
    first.subscribe(f"{boiler.plant}/x")
    second = connect("-x", clean=False)
    assert first.told.get(timeout=10)[0] != "Success"
    assert second.greeting == ("Success", True)
    second.publish(f"{boiler.plant}/x", "still there")
    assert second.heard.get(timeout=10)[1] == "still there"


def test_a_session_keeps_what_came_with_quality_1(connect, boiler):
    sleeper = connect("-sleeper", clean=False)
    sleeper.subscribe(f"{boiler.plant}/n")
    sleeper.close()
    speaker = connect("-speaker")
    for n in range(30):
        speaker.publish(f"{boiler.plant}/n", str(n))
    sleeper = connect("-sleeper", clean=False)
    assert sleeper.greeting == ("Success", True)
    assert [sleeper.heard.get(timeout=10)[1] for _ in range(30)] == [str(n) for n in range(30)]


def test_shared_subscriptions_give_each_message_to_one(connect, boiler):
    workers, done = [connect(f"-{n}") for n in range(2)], queue.Queue()
    for w in workers:
        w.heard = done
        assert w.subscribe(f"$share/workers/{boiler.plant}/work") == [1]
    speaker = connect("-speaker")
    for n in range(20):
        speaker.publish(f"{boiler.plant}/work", str(n))
    assert sorted(int(done.get(timeout=10)[1]) for _ in range(20)) == list(range(20))
    workers[0].subscribe(f"{boiler.plant}/end")  # its answer comes after all that was sent before
    assert done.empty()


def test_reserved_topics_are_nobodys(dial, protocol, enroll, arn):
    """Whatever a policy says (mqtt-broker.md MQ-70)."""
    root = enroll("root", {"Effect": "Allow", "Action": "iot:*", "Resource": "*"})
    client = dial(Client, root, protocol, root.thing)
    assert client.subscribe("$SYS/#")[0] >= 0x80
    client.client.publish("$aws/events/presence/connected/x", "{}", 1)
    if protocol == mqtt.MQTTv5:
        assert client.acked.get(timeout=10) == 0x87
    else:
        assert client.told.get(timeout=10)[0] != "Success"
