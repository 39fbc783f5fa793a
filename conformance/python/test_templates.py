"""Job templates, custom and managed, through boto3 and the stock AWS CLI (jobs-control-plane.md sections 3.2, 3.3, 3.13 and 8)."""

import datetime
import json
import time

import pytest

from conftest import DOCUMENT, queued, refused

MANAGED = [
    "AWS-Download-File",
    "AWS-Install-Application",
    "AWS-Reboot",
    "AWS-Remove-Application",
    "AWS-Restart-Application",
    "AWS-Run-Command",
    "AWS-Start-Application",
    "AWS-Stop-Application",
]


def managed(server, name_and_version):
    return f"arn:aws:iot:{server['region']}::jobtemplate/{name_and_version}"


@pytest.fixture
def template(iot, name):
    """Makes a template, which goes when the test ends."""
    made = []

    def make(template_id=None, **members):
        template_id = template_id or name("template")
        members = members or {"document": DOCUMENT}
        answer = iot.create_job_template(jobTemplateId=template_id, description="Flash at night", **members)
        made.append(template_id)
        return answer["jobTemplateArn"]

    yield make
    for template_id in made:
        iot.delete_job_template(jobTemplateId=template_id)


NIGHTLY = {
    "jobExecutionsRolloutConfig": {"maximumPerMinute": 100},
    "abortConfig": {"criteriaList": [{"failureType": "FAILED", "action": "CANCEL", "thresholdPercentage": 20.0, "minNumberOfExecutedThings": 100}]},
    "timeoutConfig": {"inProgressTimeoutInMinutes": 100},
    "jobExecutionsRetryConfig": {"criteriaList": [{"failureType": "FAILED", "numberOfRetries": 3}]},
}


def test_a_template_comes_back_as_it_was_made(iot, arn, name, template):
    template_id = name("nightly")
    windows = [{"startTime": "cron(0 3 * * ? *)", "durationInMinutes": 60}]
    assert template(template_id, document=DOCUMENT, maintenanceWindows=windows, **NIGHTLY) == arn("jobtemplate", template_id)
    seen = iot.describe_job_template(jobTemplateId=template_id)
    assert isinstance(seen.pop("createdAt"), datetime.datetime)
    del seen["ResponseMetadata"]
    assert seen == {
        "jobTemplateArn": arn("jobtemplate", template_id),
        "jobTemplateId": template_id,
        "description": "Flash at night",
        "document": DOCUMENT,
        "maintenanceWindows": windows,
        **NIGHTLY,
    }
    taken = refused("ConflictException", 409, iot.create_job_template, jobTemplateId=template_id, description="x", document="{}")
    assert taken["resourceId"] == template_id


def test_templates_are_listed_and_deleted(iot, name):
    made = [name(f"t{i}") for i in range(3)]
    for template_id in made:
        iot.create_job_template(jobTemplateId=template_id, description="d", document="{}")
        time.sleep(0.002)  # lists go by milliseconds

    def listed():
        pages = iot.get_paginator("list_job_templates").paginate(PaginationConfig={"PageSize": 1})
        return [t["jobTemplateId"] for page in pages for t in page["jobTemplates"]]

    assert [t for t in listed() if t in made] == made[::-1]
    for template_id in made:
        iot.delete_job_template(jobTemplateId=template_id)
    assert not set(made) & set(listed())
    refused("ResourceNotFoundException", 404, iot.describe_job_template, jobTemplateId=made[0])
    refused("ResourceNotFoundException", 404, iot.delete_job_template, jobTemplateId=made[0])


def test_a_job_takes_from_its_template_what_it_does_not_give(iot, data, arn, name, thing):
    template_id, job_id = name("nightly"), name("job")
    made = iot.create_job_template(jobTemplateId=template_id, description="Flash at night", document=DOCUMENT, **NIGHTLY)
    answer = iot.create_job(
        jobId=job_id, targets=[arn("thing", thing)], jobTemplateArn=made["jobTemplateArn"], timeoutConfig={"inProgressTimeoutInMinutes": 5}
    )
    assert answer["description"] == "Flash at night"
    iot.delete_job_template(jobTemplateId=template_id)
    queued(iot, job_id, 1)
    seen = iot.describe_job(jobId=job_id)["job"]
    assert seen["jobTemplateArn"] == made["jobTemplateArn"]
    assert seen["timeoutConfig"] == {"inProgressTimeoutInMinutes": 5}
    for member in ("jobExecutionsRolloutConfig", "abortConfig", "jobExecutionsRetryConfig"):
        assert seen[member] == NIGHTLY[member]
    assert iot.get_job_document(jobId=job_id, beforeSubstitution=True)["document"] == DOCUMENT
    assert data.start_next_pending_job_execution(thingName=thing)["execution"]["jobDocument"] == DOCUMENT
    refused("ResourceNotFoundException", 404, iot.create_job, jobId=name("late"), targets=[arn("thing", thing)], jobTemplateArn=made["jobTemplateArn"])


def test_a_template_from_a_job(iot, arn, name, template, thing):
    job_id, template_id = name("job"), name("copy")
    iot.create_job(jobId=job_id, targets=[arn("thing", thing)], document=DOCUMENT, **NIGHTLY)
    template(template_id, jobArn=arn("job", job_id))
    seen = iot.describe_job_template(jobTemplateId=template_id)
    assert (seen["document"], seen["timeoutConfig"]) == (DOCUMENT, NIGHTLY["timeoutConfig"])
    refused("ResourceNotFoundException", 404, iot.create_job_template, jobTemplateId=name("x"), description="d", jobArn=arn("job", "nosuch"))


def test_templates_have_tags(iot, name, template):
    resource = template(name("tagged"), document="{}", tags=[{"Key": "team", "Value": "blue"}])
    iot.tag_resource(resourceArn=resource, tags=[{"Key": "wave", "Value": "1"}])
    iot.untag_resource(resourceArn=resource, tagKeys=["team"])
    assert iot.list_tags_for_resource(resourceArn=resource)["tags"] == [{"Key": "wave", "Value": "1"}]


def test_bad_templates_are_refused(iot, arn, name, thing, template):
    def bad(code, status, **members):
        refused(code, status, iot.create_job_template, jobTemplateId=name("bad"), description="d", **members)

    bad("InvalidRequestException", 400)
    bad("InvalidRequestException", 400, document="[]")
    bad("InvalidRequestException", 400, document="{}", jobArn=arn("job", "x"))
    bad("InvalidRequestException", 400, document='{"a":"${aws:iot:parameter:p}"}')
    bad("InvalidRequestException", 400, document='{"a":"${aws:iot:nonsense:p}"}')
    bad("InvalidRequestException", 400, document='{"a":"${aws:iot:parameter:p"}')
    bad("InvalidRequestException", 400, document="{}", maintenanceWindows=[{"startTime": "daily", "durationInMinutes": 5}])
    refused(
        "InvalidRequestException", 400, iot.create_job,
        jobId=name("j"), targets=[arn("thing", thing)], jobTemplateArn=template(), documentParameters={"a": "b"},
    )


def test_every_managed_template_makes_a_job(iot, server, arn, name, thing):
    pages = iot.get_paginator("list_managed_job_templates").paginate(PaginationConfig={"PageSize": 3})
    listed = [t for page in pages for t in page["managedJobTemplates"]]
    assert [t["templateName"] for t in listed] == MANAGED
    for i, entry in enumerate(listed):
        assert (entry["templateArn"], entry["environments"]) == (managed(server, entry["templateName"] + ":1.0"), ["LINUX"])
        seen = iot.describe_managed_job_template(templateName=entry["templateName"])
        assert (seen["templateArn"], seen["templateVersion"]) == (entry["templateArn"], "1.0")
        examples = {p["key"]: p["example"] for p in seen["documentParameters"]}
        job_id = name(f"managed{i}")
        iot.create_job(jobId=job_id, targets=[arn("thing", thing)], jobTemplateArn=seen["templateArn"], documentParameters=examples)
        assert iot.get_job_document(jobId=job_id, beforeSubstitution=True)["document"] == seen["document"]
        want = seen["document"]
        for key, example in examples.items():
            want = want.replace("${aws:iot:parameter:%s}" % key, example)
        assert iot.get_job_document(jobId=job_id)["document"] == want
        assert iot.describe_job(jobId=job_id)["job"]["documentParameters"] == examples
    refused("ResourceNotFoundException", 404, iot.describe_managed_job_template, templateName="AWS-Nothing")
    refused("ResourceNotFoundException", 404, iot.describe_managed_job_template, templateName="AWS-Reboot", templateVersion="9.9")
    refused("ResourceNotFoundException", 404, iot.list_managed_job_templates, templateName="AWS-Nothing")


def test_parameters_of_a_managed_template(iot, data, server, arn, name, thing):
    def create(job_id, template, **parameters):
        return iot.create_job(jobId=job_id, targets=[arn("thing", thing)], jobTemplateArn=managed(server, template), documentParameters=parameters)

    job_id = name("run")
    create(job_id, "AWS-Run-Command:1.0", command='echo,"quoted" \\ done')
    queued(iot, job_id, 1)
    document = json.loads(data.start_next_pending_job_execution(thingName=thing)["execution"]["jobDocument"])
    assert document["steps"] == [
        {"action": {"name": "Run-Command", "type": "runCommand", "input": {"command": 'echo,"quoted" \\ done'}, "runAsUser": ""}}
    ]
    refused("InvalidRequestException", 400, create, name("j"), "AWS-Run-Command:1.0")
    refused("InvalidRequestException", 400, create, name("j"), "AWS-Run-Command:1.0", command="ls", other="x")
    refused("InvalidRequestException", 400, create, name("j"), "AWS-Reboot:1.0", runAsUser="u" * 257)
    refused("ResourceNotFoundException", 404, create, name("j"), "AWS-Reboot:7.0")


def test_templates_from_the_terminal(aws, server, arn, name):
    lamp, nightly, fw, get = name("lamp"), name("nightly"), name("fw"), name("get")
    aws(f"iot create-thing --thing-name {lamp}")
    made = aws(
        f"iot create-job-template --job-template-id {nightly} --timeout-config inProgressTimeoutInMinutes=7 --description night --document",
        '{"do":"flash"}',
    )
    assert made == {"jobTemplateArn": arn("jobtemplate", nightly), "jobTemplateId": nightly}
    assert nightly in [t["jobTemplateId"] for t in aws("iot list-job-templates")["jobTemplates"]]
    assert aws(f"iot describe-job-template --job-template-id {nightly}")["document"] == '{"do":"flash"}'
    aws(f"iot create-job --job-id {fw} --targets {arn('thing', lamp)} --job-template-arn {made['jobTemplateArn']}")
    seen = aws(f"iot describe-job --job-id {fw}")["job"]
    assert (seen["description"], seen["timeoutConfig"]) == ("night", {"inProgressTimeoutInMinutes": 7})
    aws(f"iot delete-job-template --job-template-id {nightly}")
    aws(f"iot describe-job-template --job-template-id {nightly}", fails="ResourceNotFoundException")

    assert [t["templateName"] for t in aws("iot list-managed-job-templates")["managedJobTemplates"]] == MANAGED
    download = aws("iot describe-managed-job-template --template-name AWS-Download-File --template-version 1.0")
    assert [p["key"] for p in download["documentParameters"]] == ["downloadUrl", "filePath", "runAsUser", "pathToHandler"]
    aws(
        f"iot create-job --job-id {get} --targets {arn('thing', lamp)} --job-template-arn {download['templateArn']}"
        " --document-parameters downloadUrl=https://example.com/fw.bin,filePath=/tmp/fw.bin"
    )
    document = json.loads(aws(f"iot get-job-document --job-id {get}")["document"])
    assert document["steps"][0]["action"]["input"] == {
        "handler": "download-file.sh", "args": ["https://example.com/fw.bin", "/tmp/fw.bin"], "path": "",
    }
    aws(f"iot get-job-document --job-id {get} --before-substitution")
    aws(
        f"iot create-job --job-id {name('no')} --targets {arn('thing', lamp)} --job-template-arn {download['templateArn']}",
        fails="requires the document parameter downloadUrl",
    )
