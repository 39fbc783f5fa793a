"""A small device: MQTT packets as bytes over TLS 1.2, and a receive buffer of 1 KiB.

A pytest plugin, loaded with -p beside the fixtures of ../python/conftest.py and
../devices/fleet.py.
"""

import re
import socket
import ssl

import pytest

BUFFER = 1024  # bytes that the demos of coreMQTT keep for one packet
LIMIT = 20  # seconds that an answer may take
# What a test leaves open in the bytes that it expects, and the pattern of each.
OPEN = {b"<time>": rb"\d{10}", b"<id>": rb"(?:[^\x00].|.[^\x00])"}

CONNACK, RESUMED = b"\x20\x02\x00\x00", b"\x20\x02\x01\x00"
PINGREQ, PINGRESP, DISCONNECT = b"\xc0\x00", b"\xd0\x00", b"\xe0\x00"


def string(value):
    return len(value).to_bytes(2) + value


def length(n):
    """A remaining length."""
    digits = b""
    while True:
        n, digit = n >> 7, n & 0x7F
        if not n:
            return digits + bytes([digit])
        digits += bytes([digit | 0x80])


def packet(first, *parts):
    body = b"".join(parts)
    return bytes([first]) + length(len(body)) + body


def connect(client_id, flags, keep_alive, *more, version=4, properties=b""):
    """CONNECT; what the flags announce follows the client id in more. MQTT 5 has properties, the length in front."""
    return packet(0x10, string(b"MQTT"), bytes([version, flags]), keep_alive.to_bytes(2), properties, string(client_id), *map(string, more))


def subscribe(packet_id, *filters, properties=b""):
    return packet(0x82, packet_id.to_bytes(2), properties, *(string(f) + bytes([qos]) for f, qos in filters))


def unsubscribe(packet_id, *filters):
    return packet(0xA2, packet_id.to_bytes(2), *map(string, filters))


def publish(topic, payload, packet_id=b"", dup=False, properties=b""):
    """PUBLISH with QoS 0, or 1 when it has a packet id: a number, or bytes that stand for one."""
    if isinstance(packet_id, int):
        packet_id = packet_id.to_bytes(2)
    return packet(0x30 | (2 if packet_id else 0) | (8 if dup else 0), string(topic), packet_id, properties, payload)


def puback(packet_id):
    return packet(0x40, packet_id)


def answer(topic, payload, qos=0, dup=False, properties=b""):
    """The PUBLISH that must come back; <time> and <id> stand for what only the server knows."""
    stand_in = payload.replace(b"<time>", b"0" * 10)  # as long as what comes
    sent = publish(topic, stand_in, 1 if qos else b"", dup, properties)
    head = sent[: len(sent) - len(stand_in) - len(properties) - (2 if qos else 0)]
    return head + (b"<id>" if qos else b"") + properties + payload


def pattern(template):
    escaped = re.escape(template)
    for name, open_ in OPEN.items():
        escaped = escaped.replace(re.escape(name), open_)
    return re.compile(escaped, re.DOTALL)


class Board:
    """One connection. Its packets go out as its library writes them: piece by piece."""

    def __init__(self, credentials, listener="mqtts_addr", alpn=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(credentials.ca)
        context.load_cert_chain(credentials.certificate, credentials.key)
        if alpn:
            context.set_alpn_protocols([alpn])
        host, port = credentials.at(listener)
        self.socket = context.wrap_socket(socket.create_connection((host, port), LIMIT), server_hostname=host)
        self.early = []

    def send(self, *packets, pieces=7):
        """Each piece is a record of TLS, as from a transport without writev."""
        for data in packets:
            for at in range(0, len(data), -(-len(data) // pieces)):
                self.socket.sendall(data[at : at + -(-len(data) // pieces)])

    def _read(self, n):
        data = b""
        while len(data) < n:
            part = self.socket.recv(n - len(data))
            assert part, "the server closed the connection"
            data += part
        return data

    def receive(self):
        """The next packet, which must fit into the buffer."""
        data = self._read(2)
        while data[-1] & 0x80:
            data += self._read(1)
        size, shift = 0, 0
        for digit in data[1:]:
            size, shift = size | (digit & 0x7F) << shift, shift + 7
        data += self._read(size)
        assert len(data) <= BUFFER, f"{len(data)} bytes do not fit: {data}"
        return data

    def expect(self, *templates):
        """Each of these packets arrives, in any order, and nothing else before the last of them. Returns them in the order of the templates."""
        found, seen = {}, []
        while len(found) < len(templates):
            seen.append(self.receive())
            for i, template in enumerate(templates):
                if i not in found and pattern(template).fullmatch(seen[-1]):
                    found[i] = seen[-1]
                    break
            else:
                raise AssertionError(f"got {seen[-1]}\nwant one of {[t for i, t in enumerate(templates) if i not in found]}")
        return [found[i] for i in range(len(templates))]

    def acknowledge(self, received):
        """PUBACK for a PUBLISH with QoS 1 that was received."""
        at = 2 if not received[1] & 0x80 else 3
        topic = int.from_bytes(received[at : at + 2])
        packet_id = received[at + 2 + topic : at + 4 + topic]
        self.send(puback(packet_id))
        return packet_id

    def quiet(self):
        """Nothing is on its way but the answer to a ping."""
        self.send(PINGREQ)
        self.expect(PINGRESP)

    def close(self):
        """The end of the connection without DISCONNECT, as when the power fails."""
        self.socket.close()


@pytest.fixture
def board(dial, lamp):
    """Connects boards of the test's thing."""
    return lambda **more: dial(Board, lamp, **more)


@pytest.fixture
def jobs(lamp):
    """Topics of the test's thing."""
    return lambda below: f"$aws/things/{lamp.thing}/jobs/{below}".encode()
