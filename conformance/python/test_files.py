"""Job files: the stock AWS CLI, boto3 and curl on the built-in store, and jobs whose document lies there."""

import hashlib
import os
import subprocess
import urllib.error
import urllib.request

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from conftest import client, refused

LARGE = 17 << 20  # more than two parts of the AWS CLI


@pytest.fixture(scope="session")
def s3(server):
    return client(server, "s3", signature_version="s3v4")


@pytest.fixture
def bucket(s3, name):
    made = name("lab")
    s3.create_bucket(Bucket=made)
    return made


@pytest.fixture
def shell(server):
    """Runs the AWS CLI as a person types it; returns what it prints."""

    def run(line, *more, fails=None, endpoint=server["api_url"]):
        environment = {**os.environ, "AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": server["region"], "AWS_PAGER": ""}
        done = subprocess.run(
            [os.environ["AWS"], *line.split(), *more], env=environment, capture_output=True, text=True, timeout=120
        )
        if fails:
            assert done.returncode != 0 and fails in done.stderr, f"aws {line} -> {done}"
            return done.stderr
        assert done.returncode == 0, f"aws {line} -> {done.stderr}"
        return done.stdout

    return run


def curl(*words):
    """Returns the status and the body that curl got."""
    done = subprocess.run(["curl", "-sS", "-w", "%{stderr}%{http_code}", *words], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return int(done.stderr), done.stdout


def test_files_go_up_and_come_back(shell, name, tmp_path):
    large, small, back = tmp_path / "large.bin", tmp_path / "small ä+.txt", tmp_path / "back"
    large.write_bytes(os.urandom(LARGE))
    small.write_text("hello")
    bucket = name("lab")
    shell(f"s3 mb s3://{bucket}")
    assert bucket in shell("s3 ls")
    shell("s3 cp --no-progress", str(large), f"s3://{bucket}/fw/large.bin")
    shell("s3 cp --no-progress", str(small), f"s3://{bucket}/fw/")
    listed = shell(f"s3 ls --recursive s3://{bucket}")
    assert f"{LARGE} fw/large.bin" in listed and "5 fw/small ä+.txt" in listed
    assert "PRE fw/" in shell(f"s3 ls s3://{bucket}")
    shell(f"s3 cp --no-progress s3://{bucket}/fw/large.bin", str(back))
    assert back.read_bytes() == large.read_bytes()

    shell(f"s3 cp --no-progress s3://{bucket}/fw/large.bin s3://{bucket}/copy.bin")
    shell(f"s3 mv --no-progress s3://{bucket}/copy.bin s3://{bucket}/moved.bin")
    tree = tmp_path / "tree"
    shell(f"s3 sync --no-progress s3://{bucket}", str(tree))
    assert (tree / "moved.bin").read_bytes() == large.read_bytes() and (tree / "fw" / "small ä+.txt").read_text() == "hello"
    assert shell("s3 sync --no-progress", str(tree), f"s3://{bucket}") == "", "nothing changed, so nothing is sent"
    shell(f"s3 cp s3://{bucket}/none", str(back), fails="404")
    shell(f"s3 rb s3://{bucket}", fails="BucketNotEmpty")
    shell(f"s3 rm --recursive s3://{bucket}/fw")
    assert "fw/" not in shell(f"s3 ls s3://{bucket}")
    shell(f"s3 rb --force s3://{bucket}")
    shell(f"s3 ls s3://{bucket}", fails="NoSuchBucket")


def test_the_cli_presigns_for_curl(shell, s3, bucket):
    s3.put_object(Bucket=bucket, Key="a b/ä+.txt", Body=b"0123456789")
    url = shell("s3 presign --expires-in 60", f"s3://{bucket}/a b/ä+.txt").strip()
    assert curl(url) == (200, b"0123456789")
    assert curl("-r", "2-4", url) == (206, b"234")
    assert curl("-H", "If-None-Match: *", url) == (304, b"")
    status, body = curl(url.replace("Signature=", "Signature=x"))
    assert status == 403 and b"SignatureDoesNotMatch" in body


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_boto3_presigns_in_both_ways(server, s3, bucket, version):
    signer = client(server, "s3", signature_version=version)
    put = signer.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "log +ä", "ContentType": "text/x"}, 60)
    assert curl("-X", "PUT", "-H", "Content-Type: text/x", "--data-binary", "a log", put)[0] == 200
    get = signer.generate_presigned_url(
        "get_object", {"Bucket": bucket, "Key": "log +ä", "ResponseContentType": "text/y"}, 60
    )
    assert curl(get) == (200, b"a log")
    assert curl("-X", "DELETE", get)[0] == 403, "a URL is for its method"


def test_devices_download_with_our_ca_and_no_certificate(server, bucket, s3):
    s3.put_object(Bucket=bucket, Key="fw.bin", Body=b"firmware")
    at_files = boto3.client(
        "s3", endpoint_url=server["files_url"], region_name=server["region"], verify=server["ca_file"],
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    at_files.put_object(Bucket=bucket, Key="tls.bin", Body=b"in chunks, with a trailer")
    assert at_files.get_object(Bucket=bucket, Key="tls.bin")["Body"].read() == b"in chunks, with a trailer"
    url = at_files.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "fw.bin"}, 60)
    assert url.startswith("https://")
    assert curl("--cacert", server["ca_file"], url) == (200, b"firmware")


def test_boto3_transfers(s3, bucket, tmp_path):
    content = os.urandom(LARGE)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(content)
    parts = TransferConfig(multipart_threshold=8 << 20, multipart_chunksize=8 << 20, max_concurrency=4)
    for algorithm in ("CRC32", "SHA256"):
        extra = {"Metadata": {"By": "me"}, "ContentType": "text/x", "ChecksumAlgorithm": algorithm}
        s3.upload_file(str(source), bucket, "large", ExtraArgs=extra, Config=parts)
        head = s3.head_object(Bucket=bucket, Key="large", ChecksumMode="ENABLED")
        assert (head["ContentLength"], head["ContentType"], head["Metadata"]) == (LARGE, "text/x", {"by": "me"})
        assert head["ETag"].endswith('-3"')
        s3.download_file(bucket, "large", str(target), Config=parts)
        assert hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(content).digest()


def test_versions(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    one = s3.put_object(Bucket=bucket, Key="k", Body=b"one")["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"two")
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=one)["Body"].read() == b"one"
    assert s3.delete_object(Bucket=bucket, Key="k")["DeleteMarker"] is True
    refused("NoSuchKey", 404, s3.get_object, Bucket=bucket, Key="k")
    listed = s3.list_object_versions(Bucket=bucket)
    assert len(listed["Versions"]) == 2 and len(listed["DeleteMarkers"]) == 1
    boto3.resource("s3", endpoint_url=s3.meta.endpoint_url, region_name=s3.meta.region_name).Bucket(bucket).object_versions.delete()
    s3.delete_bucket(Bucket=bucket)


def test_errors(s3, bucket):
    refused("NoSuchBucket", 404, s3.list_objects_v2, Bucket="nosuch")
    refused("NoSuchKey", 404, s3.get_object, Bucket=bucket, Key="none")
    refused("BucketAlreadyOwnedByYou", 409, s3.create_bucket, Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    refused("InvalidRange", 416, s3.get_object, Bucket=bucket, Key="k", Range="bytes=10-")
    refused("PreconditionFailed", 412, s3.put_object, Bucket=bucket, Key="k", Body=b"x", IfNoneMatch="*")
    refused("NotImplemented", 501, s3.get_bucket_acl, Bucket=bucket)


def test_a_job_whose_document_is_a_file(iot, s3, bucket, arn, thing, name, aws):
    s3.put_object(Bucket=bucket, Key="docs/fw.json", Body=b'{ "do": "flash" }')
    source = f"https://{bucket}.s3.us-east-1.amazonaws.com/docs/fw.json"
    fw, template = name("fw"), name("template")
    aws(f"iot create-job --job-id {fw} --targets {arn('thing', thing)} --document-source", source)
    iot.create_job_template(jobTemplateId=template, description="d", documentSource=f"https://s3.amazonaws.com/{bucket}/docs/fw.json")
    s3.delete_object(Bucket=bucket, Key="docs/fw.json")
    described = iot.describe_job(jobId=fw)
    assert described["documentSource"] == source
    assert iot.get_job_document(jobId=fw)["document"] == '{ "do": "flash" }'
    assert iot.describe_job_template(jobTemplateId=template)["document"] == '{ "do": "flash" }'

    refuse = lambda source: refused(  # noqa: E731
        "InvalidRequestException", 400, iot.create_job, jobId=name("no"), targets=[arn("thing", thing)], documentSource=source
    )
    s3.put_object(Bucket=bucket, Key="large.json", Body=b'{"a":"' + b"x" * 32768 + b'"}')
    s3.put_object(Bucket=bucket, Key="text.json", Body=b"hello")
    for key in ("docs/fw.json", "large.json", "text.json"):
        refuse(f"https://s3.amazonaws.com/{bucket}/{key}")
    refuse("https://s3.amazonaws.com/nosuch/fw.json")
    refuse("https://example.com/fw.json")
    refuse("http://169.254.169.254/latest/meta-data/")
    refuse("file:///etc/passwd")


def test_unsigned_requests_are_refused(server, bucket):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{server['api_url']}/{bucket}/k")
    assert caught.value.code in (403, 404), "a bucket is no path of the control plane"
