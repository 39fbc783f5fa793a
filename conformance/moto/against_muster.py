"""Points moto's tests at a Muster of their own, which is emptied before each test.

A pytest plugin. The tests import mock_aws from moto and boto3 from boto3; here
moto is a module whose mock_aws does nothing, and boto3 finds the server by its
environment.
"""

import json
import os
import subprocess
import sys
import time
import types

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.httpsession import URLLib3Session

REGION, ACCOUNT = "eu-west-1", "123456789012"  # what the tests expect

# Tests in which moto and the contract differ: the message of the failure, and the
# rule that Muster keeps. The suite fails if one of them passes, or fails otherwise.
DIFFERS = {
    "test_delete_job": ("cannot be deleted while its status is IN_PROGRESS",
                        "a job that is not over is deleted with force only (jobs-control-plane.md section 11, 6)"),
    "test_cancel_job": ("at 'reasonCode' failed to satisfy constraint",
                        "the model's pattern of reasonCode has no small letters (jobs-control-plane.md section 1.2)"),
    "test_get_job_document_with_document_source": ("""'{"field": "value"}' == ''""",
                                                   "GetJobDocument returns what was fetched from documentSource (jobs-control-plane.md section 3.10)"),
    "test_describe_job_execution": ("forceCanceled",
                                    "forceCanceled is there when it is true, and the first execution has the number 1, not 123 "
                                    "(jobs-control-plane.md section 3.9, jobs-lifecycle.md section 1)"),
    "test_delete_job_execution": ("does not exist", "the first execution has the number 1, not 123 (jobs-lifecycle.md section 1)"),
    "test_list_job_executions_for_job": ("assert 1 == 10", "ten things at ten a minute are told one by one (arbitration.md A8, A21)"),
}


def mock_aws(function):
    return function


moto, core = types.ModuleType("moto"), types.ModuleType("moto.core")
moto.mock_aws, moto.core, core.DEFAULT_ACCOUNT_ID = mock_aws, core, ACCOUNT
sys.modules |= {"moto": moto, "moto.core": core}


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A server with a test clock, and what asks it to be empty."""
    folder = tmp_path_factory.mktemp("server")
    process = subprocess.Popen(
        [os.environ["MUSTER"], "serve", "--data", folder / "data", "--region", REGION, "--account", ACCOUNT, "--test-clock", "--api", "127.0.0.1:0",
         "--metrics", "", "--files", "127.0.0.1:0", "--mqtts", "", "--https", "", "--ready-file", folder / "ready.json", "--log-level", "error"], stdout=subprocess.DEVNULL)
    end = time.monotonic() + 30
    while not (folder / "ready.json").exists():
        assert process.poll() is None and time.monotonic() < end, "the server did not start"
        time.sleep(0.02)
    ready = json.loads((folder / "ready.json").read_text())
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        os.environ.pop(name, None)
    os.environ |= {"AWS_ENDPOINT_URL": ready["api_url"], "AWS_SHARED_CREDENTIALS_FILE": ready["credentials_file"], "AWS_MAX_ATTEMPTS": "1"}

    def reset():
        request = AWSRequest("POST", ready["api_url"] + "/muster/v1/reset")
        SigV4Auth(boto3.Session().get_credentials(), "iot", REGION).add_auth(request)
        assert URLLib3Session().send(request.prepare()).status_code == 200

    yield reset
    process.terminate()
    assert process.wait(30) == 0


@pytest.fixture(autouse=True)
def empty(server):
    """Nothing but the file that moto's tests name as a job's document, and that moto does not look for."""
    server()
    s3 = boto3.client("s3", region_name=REGION, config=Config(s3={"addressing_style": "path"}))
    s3.create_bucket(Bucket="bucket-name", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="bucket-name", Key="job_document.json", Body=b'{"field": "value"}')


def differing(function, says, rule):
    """A test that must fail with a text: then it counts as one that differs by a rule."""
    def test(**fixtures):
        with pytest.raises(Exception) as failed:
            function(**fixtures)
        assert says in str(failed.value)
        pytest.xfail(rule)

    return test


def pytest_collection_modifyitems(items):
    unknown = DIFFERS.keys() - {item.originalname for item in items}
    if unknown:
        raise pytest.UsageError(f"moto has no test {', '.join(sorted(unknown))}")
    for item in items:
        if item.originalname in DIFFERS:
            item.obj = differing(item.obj, *DIFFERS[item.originalname])
