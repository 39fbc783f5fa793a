"""Stock clients of a running Muster. MUSTER_READY names its ready file."""

import json
import os
import subprocess
import sys
import time
import uuid

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

DOCUMENT = '{ "do": "flash",  "size": 12 }'  # the odd blanks must survive


@pytest.fixture(scope="session")
def server():
    with open(os.environ["MUSTER_READY"]) as f:
        ready = json.load(f)
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = ready["credentials_file"]
    os.environ["AWS_DEFAULT_REGION"] = ready["region"]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        os.environ.pop(name, None)
    return ready


def client(server, service, **config):
    return boto3.Session().client(
        service,
        endpoint_url=server["api_url"],
        region_name=server["region"],
        config=Config(retries={"max_attempts": 1}, **config),
    )


@pytest.fixture(scope="session")
def iot(server):
    return client(server, "iot")


@pytest.fixture(scope="session")
def data(server):
    """The jobs data plane: the same address, another signing name."""
    return client(server, "iot-jobs-data")


@pytest.fixture(scope="module")
def aws(server):
    """Runs the stock AWS CLI; returns what it prints, or with fails what it complains about."""
    environment = {
        **os.environ,
        "AWS_SHARED_CREDENTIALS_FILE": server["credentials_file"],
        "AWS_DEFAULT_REGION": server["region"],
        "AWS_PAGER": "",
    }
    command = os.environ.get("AWS") or os.path.join(os.path.dirname(sys.executable), "aws")

    def run(line, *more, fails=None):
        words = [command, "--endpoint-url", server["api_url"], "--output", "json", *line.split(), *more]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60)
        if fails:
            assert done.returncode != 0 and fails in done.stderr, f"aws {line} -> {done}"
            return done.stderr
        assert done.returncode == 0, f"aws {line} -> {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else {}

    return run


@pytest.fixture
def name():
    """Makes names that no other test uses."""
    run = uuid.uuid4().hex[:8]
    return lambda what: f"{what}-{run}"


@pytest.fixture
def thing(iot, name):
    return iot.create_thing(thingName=name("lamp"))["thingName"]


@pytest.fixture
def arn(server):
    return lambda kind, what: f"arn:aws:iot:{server['region']}:{server['account']}:{kind}/{what}"


@pytest.fixture
def job(iot, arn, name, thing):
    """A job for one thing, with its execution queued."""
    job_id = name("job")
    iot.create_job(jobId=job_id, targets=[arn("thing", thing)], document=DOCUMENT)
    queued(iot, job_id, 1)
    return job_id


def counters(iot, job_id):
    details = iot.describe_job(jobId=job_id)["job"]["jobProcessDetails"]
    return {k.removeprefix("numberOf").removesuffix("Things"): v for k, v in details.items() if k.startswith("numberOf")}


def queued(iot, job_id, n):
    """Waits until the job gave n things an execution."""
    eventually(lambda: sum(counters(iot, job_id).values()) == n, f"{n} executions of {job_id}")


def eventually(condition, what, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s in vain for {what}"
        time.sleep(0.02)


def refused(code, status, call, /, *args, **kwargs):
    """Asserts that a call fails with one modelled error; returns the response."""
    with pytest.raises(ClientError) as caught:
        call(*args, **kwargs)
    response = caught.value.response
    got = (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"])
    assert got == (code, status), f"{getattr(call, '__name__', call)} -> {got}, want {(code, status)}: {response}"
    assert response["Error"]["Message"], "an error says why"
    assert response["ResponseMetadata"]["RequestId"]
    return response
