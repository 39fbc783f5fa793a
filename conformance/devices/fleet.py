"""Things with certificates, and the table of the rows of device-clients.md that were tried.

A pytest plugin, loaded with -p beside the fixtures of ../python/conftest.py.
"""

import collections
import json

import pytest

from conftest import DOCUMENT

THING = "${iot:Connection.Thing.ThingName}"
JOBS = f"$aws/things/{THING}/jobs/*"


def rows(*numbers):
    """Marks what a test tries: the requirements DC-n of device-clients.md."""
    return pytest.mark.rows(*numbers)


class Credentials:
    """What a device is given: its name, files, and where the server is."""

    def __init__(self, server, thing, folder):
        self.server, self.thing, self.ca = server, thing, server["ca_file"]
        self.certificate, self.key = str(folder / f"{thing}.pem"), str(folder / f"{thing}.key")

    def at(self, listener):
        """Host and port of a listener, by its name in the ready file."""
        host, port = self.server[listener].rsplit(":", 1)
        return host, int(port)


@pytest.fixture
def policy(arn):
    """The minimal policy of identity-and-auth.md section B.6, with more statements."""
    def document(*more):
        return json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "iot:Connect", "Resource": arn("client", THING)},
            {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"], "Resource": arn("topic", JOBS)},
            {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": arn("topicfilter", JOBS)},
            *more]})

    return document


@pytest.fixture
def enroll(server, iot, name, policy, tmp_path):
    """Makes a thing with an active certificate under the minimal policy and more statements."""
    def make(what, *more):
        thing = iot.create_thing(thingName=name(what))["thingName"]
        made = iot.create_keys_and_certificate(setAsActive=True)
        iot.create_policy(policyName=thing, policyDocument=policy(*more))
        iot.attach_policy(policyName=thing, target=made["certificateArn"])
        iot.attach_thing_principal(thingName=thing, principal=made["certificateArn"])
        (tmp_path / f"{thing}.pem").write_text(made["certificatePem"])
        (tmp_path / f"{thing}.key").write_text(made["keyPair"]["PrivateKey"])
        return Credentials(server, thing, tmp_path)

    return make


@pytest.fixture
def lamp(enroll):
    return enroll("lamp")


@pytest.fixture
def thing(lamp):
    return lamp.thing


@pytest.fixture
def create(iot, arn, name, thing):
    """Makes a job for the test's thing."""
    def make(what, document=DOCUMENT, **more):
        iot.create_job(jobId=name(what), targets=[arn("thing", thing)], document=document, **more)
        return name(what)

    return make


@pytest.fixture
def dial():
    """Opens connections, and closes them after the test."""
    opened = []

    def connect(make, *arguments, **more):
        opened.append(make(*arguments, **more))
        return opened[-1]

    yield connect
    for connection in reversed(opened):
        connection.close()


tried = collections.defaultdict(lambda: {"passed": 0, "failed": 0})


def pytest_configure(config):
    config.addinivalue_line("markers", "rows(numbers): the requirements DC-n that a test tries")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if call.when == "call" or report.failed:
        for mark in item.iter_markers("rows"):
            for number in mark.args:
                tried[number]["failed" if report.failed else "passed"] += 1


def pytest_terminal_summary(terminalreporter):
    terminalreporter.section("rows of device-clients.md")
    for number in sorted(tried):
        outcome = tried[number]
        terminalreporter.write_line(f"DC-{number:<3} {'FAIL' if outcome['failed'] else 'pass'}  {outcome['passed']} tests passed")
