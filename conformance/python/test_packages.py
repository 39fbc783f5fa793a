"""Software packages, through boto3 and the stock AWS CLI, and the jobs that bring them (jobs-lifecycle.md section 13)."""

import json
import ssl
import urllib.request

import pytest

from conftest import client, eventually, queued, refused


@pytest.fixture
def package(iot, name):
    """A package with version 1.0, published and the default, and the draft 2.0."""
    package = name("app")
    iot.create_package(packageName=package, description="an app", tags={"owner": "fleet"})
    for version, size in (("1.0", "10"), ("2.0", "20")):
        iot.create_package_version(packageName=package, versionName=version, attributes={"size": size})
    iot.update_package_version(packageName=package, versionName="1.0", action="PUBLISH")
    iot.update_package(packageName=package, defaultVersionName="1.0")
    return package


@pytest.fixture
def tracking(iot):
    """The account keeps account of versions until the test ends."""
    role = "arn:aws:iam::000000000000:role/versions"
    iot.update_package_configuration(versionUpdateByJobsConfig={"enabled": True, "roleArn": role})
    assert iot.get_package_configuration()["versionUpdateByJobsConfig"] == {"enabled": True, "roleArn": role}
    yield
    iot.update_package_configuration(versionUpdateByJobsConfig={"enabled": False})


def brought(iot, data, thing, job_id, **job):
    """Has a thing succeed with a job; returns the document that it was given."""
    iot.create_job(jobId=job_id, **job)
    queued(iot, job_id, 1)
    execution = data.start_next_pending_job_execution(thingName=thing)["execution"]
    assert execution["jobId"] == job_id
    data.update_job_execution(jobId=job_id, thingName=thing, status="SUCCEEDED")
    return json.loads(execution["jobDocument"])


def test_a_package_by_the_command_line(aws, name):
    package = name("cli")
    made = aws(f"iot create-package --package-name {package} --description tool")
    assert made["packageName"] == package and made["packageArn"].endswith(f":package/{package}") and made["description"] == "tool"
    version = aws(f"iot create-package-version --package-name {package} --version-name 1.0 --attributes size=7")
    assert version["status"] == "DRAFT" and version["attributes"] == {"size": "7"}
    aws(f"iot update-package-version --package-name {package} --version-name 1.0 --action PUBLISH")
    aws(f"iot update-package --package-name {package} --default-version-name 1.0")
    assert aws(f"iot get-package --package-name {package}")["defaultVersionName"] == "1.0"
    assert [v["versionName"] for v in aws(f"iot list-package-versions --package-name {package} --status PUBLISHED")["packageVersionSummaries"]] == ["1.0"]
    aws(f"iot create-package --package-name {package}", fails="ConflictException")
    aws(f"iot delete-package --package-name {package}", fails="ValidationException")
    aws(f"iot update-package --package-name {package} --unset-default-version")
    aws(f"iot delete-package-version --package-name {package} --version-name 1.0")
    aws(f"iot delete-package --package-name {package}")
    aws(f"iot get-package --package-name {package}", fails="ResourceNotFoundException")


def test_packages_are_listed_in_pages(iot, name):
    made = [iot.create_package(packageName=name(f"p{i}"))["packageName"] for i in range(3)]
    pages = iot.get_paginator("list_packages").paginate(PaginationConfig={"PageSize": 1})
    assert [p["packageName"] for page in pages for p in page["packageSummaries"] if p["packageName"] in made] == made


def test_a_token_makes_a_request_repeatable(iot, name):
    package, token = name("again"), "6b6a0001-0000-4000-8000-000000000001"
    assert iot.create_package(packageName=package, clientToken=token)["packageArn"] == iot.create_package(packageName=package, clientToken=token)["packageArn"]
    refused("ConflictException", 409, iot.create_package, packageName=package)


def test_a_draft_is_brought_by_no_job(iot, arn, name, thing, package):
    versions = [arn("package", f"{package}/version/2.0")]
    refused("InvalidRequestException", 400, iot.create_job, jobId=name("draft"), targets=[arn("thing", thing)], document="{}", destinationPackageVersions=versions)


def test_a_job_brings_the_default_version(iot, data, server, arn, name, thing, package, tracking):
    job_id, version = name("bring"), arn("package", f"{package}/version/$default")
    document = brought(
        iot,
        data,
        thing,
        job_id,
        targets=[arn("thing", thing)],
        destinationPackageVersions=[version],
        document='{"all": "${aws:iot:package::version::attributes}", "size": "${aws:iot:package:%s:version:$default:attributes:size} MB"}' % package,
    )
    assert document == {"all": {"size": "10"}, "size": "10 MB"}
    assert iot.describe_job(jobId=job_id)["job"]["destinationPackageVersions"] == [arn("package", f"{package}/version/1.0")]
    assert iot.describe_job(jobId=job_id, beforeSubstitution=True)["job"]["destinationPackageVersions"] == [version]
    assert "${aws:iot:package" in iot.get_job_document(jobId=job_id, beforeSubstitution=True)["document"]

    shadows = client(server, "iot-data")
    reported = lambda: json.load(shadows.get_thing_shadow(thingName=thing, shadowName="$package")["payload"])["state"]["reported"]
    assert reported() == {package: {"version": "1.0", "attributes": {"size": "10"}}}
    brought(iot, data, thing, name("take"), targets=[arn("thing", thing)], document="{}", destinationPackageVersions=[arn("package", f"{package}/version/$null")])
    eventually(lambda: reported() == {}, "the package to be gone")
    refused("ResourceNotFoundException", 404, shadows.get_thing_shadow, thingName=thing, shadowName="config")


def test_a_device_downloads_the_artifact(iot, data, server, arn, name, thing):
    s3 = client(server, "s3", signature_version="s3v4")
    bucket, package = name("files"), name("app")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="fw/app 1.bin", Body=b"the software")
    iot.create_package(packageName=package)
    artifact = {"s3Location": {"bucket": bucket, "key": "fw/app 1.bin"}}
    iot.create_package_version(packageName=package, versionName="1", artifact=artifact)
    assert iot.get_package_version(packageName=package, versionName="1")["artifact"] == artifact
    iot.update_package_version(packageName=package, versionName="1", action="PUBLISH")
    job = {
        "targets": [arn("thing", thing)],
        "destinationPackageVersions": [arn("package", f"{package}/version/1")],
        "document": '{"url": "${aws:iot:package::version::artifact:s3-presigned-url}"}',
    }
    refused("InvalidRequestException", 400, iot.create_job, jobId=name("norole"), **job)
    document = brought(iot, data, thing, name("get"), presignedUrlConfig={"roleArn": "arn:aws:iam::000000000000:role/files"}, **job)
    with urllib.request.urlopen(document["url"], context=ssl.create_default_context(cafile=server["ca_file"])) as answer:
        assert answer.read() == b"the software"
