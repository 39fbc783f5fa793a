"""The job operations of the control plane through boto3 (jobs-control-plane.md)."""

import datetime

from conftest import DOCUMENT, counters, eventually, queued, refused


def test_create_says_what_it_made(iot, arn, name, thing):
    job_id = name("job")
    made = iot.create_job(jobId=job_id, targets=[arn("thing", thing)], document=DOCUMENT)
    assert made["jobArn"] == arn("job", job_id)
    assert "description" not in made
    twice = refused("ResourceAlreadyExistsException", 409, iot.create_job, jobId=job_id, targets=[arn("thing", thing)], document=DOCUMENT)
    assert (twice["resourceId"], twice["resourceArn"]) == (job_id, arn("job", job_id))
    other = iot.create_job(jobId=name("said"), targets=[arn("thing", thing)], document=DOCUMENT, description="September")
    assert other["description"] == "September"


def test_describe_shows_every_counter(iot, arn, job, thing):
    seen = iot.describe_job(jobId=job)
    assert "documentSource" not in seen
    seen = seen["job"]
    assert seen["targets"] == [arn("thing", thing)]
    assert (seen["status"], seen["targetSelection"]) == ("IN_PROGRESS", "SNAPSHOT")
    assert (seen["presignedUrlConfig"], seen["jobExecutionsRolloutConfig"], seen["timeoutConfig"]) == ({}, {}, {})
    assert isinstance(seen["createdAt"], datetime.datetime)
    assert counters(iot, job) == {
        "Queued": 1, "InProgress": 0, "Succeeded": 0, "Failed": 0, "Rejected": 0, "Canceled": 0, "Removed": 0, "TimedOut": 0,
    }
    refused("ResourceNotFoundException", 404, iot.describe_job, jobId="nosuch")


def test_the_document_comes_back_byte_for_byte(iot, job):
    assert iot.get_job_document(jobId=job)["document"] == DOCUMENT


def test_a_group_of_things(iot, data, arn, name):
    group, sub, job_id = name("site"), name("hall"), name("job")
    iot.create_thing_group(thingGroupName=group)
    iot.create_thing_group(thingGroupName=sub, parentGroupName=group)
    things = [name(f"lamp{i}") for i in range(6)]
    for i, thing in enumerate(things):
        iot.create_thing(thingName=thing)
        iot.add_thing_to_thing_group(thingGroupName=sub if i % 2 else group, thingName=thing)
    iot.create_job(jobId=job_id, targets=[arn("thinggroup", group)], document=DOCUMENT)
    queued(iot, job_id, 6)

    first = iot.list_job_executions_for_job(jobId=job_id, maxResults=4)
    rest = iot.list_job_executions_for_job(jobId=job_id, maxResults=4, nextToken=first["nextToken"])
    assert "nextToken" not in rest
    listed = first["executionSummaries"] + rest["executionSummaries"]
    assert sorted(s["thingArn"] for s in listed) == sorted(arn("thing", t) for t in things)
    summary = listed[0]["jobExecutionSummary"]
    assert (summary["status"], summary["executionNumber"], summary["retryAttempt"]) == ("QUEUED", 1, 0)

    for i, thing in enumerate(things):
        data.start_next_pending_job_execution(thingName=thing)
        data.update_job_execution(thingName=thing, jobId=job_id, status="FAILED" if i == 0 else "SUCCEEDED")
    failed = iot.list_job_executions_for_job(jobId=job_id, status="FAILED")["executionSummaries"]
    assert [s["thingArn"] for s in failed] == [arn("thing", things[0])]
    eventually(lambda: iot.describe_job(jobId=job_id)["job"]["status"] == "COMPLETED", "the job to complete")
    seen = iot.describe_job(jobId=job_id)["job"]
    assert isinstance(seen["completedAt"], datetime.datetime)
    assert (counters(iot, job_id)["Succeeded"], counters(iot, job_id)["Failed"]) == (5, 1)
    refused("InvalidRequestException", 400, iot.cancel_job, jobId=job_id)


def test_executions_of_a_thing(iot, arn, job, thing):
    (entry,) = iot.list_job_executions_for_thing(thingName=thing)["executionSummaries"]
    assert (entry["jobId"], entry["jobExecutionSummary"]["status"]) == (job, "QUEUED")
    assert iot.list_job_executions_for_thing(thingName=thing, status="SUCCEEDED")["executionSummaries"] == []
    refused("ResourceNotFoundException", 404, iot.list_job_executions_for_thing, thingName="nosuch")

    seen = iot.describe_job_execution(jobId=job, thingName=thing)["execution"]
    assert (seen["thingArn"], seen["status"], seen["statusDetails"]) == (arn("thing", thing), "QUEUED", {})
    assert (seen["executionNumber"], seen["versionNumber"]) == (1, 1)
    refused("ResourceNotFoundException", 404, iot.describe_job_execution, jobId=job, thingName=thing, executionNumber=2)


def test_list_jobs_reaches_every_job(iot, arn, name, thing):
    group = name("site")
    iot.create_thing_group(thingGroupName=group)
    made = [name(f"job{i}") for i in range(3)]
    for job_id in made:
        iot.create_job(jobId=job_id, targets=[arn("thinggroup", group)], document=DOCUMENT, targetSelection="CONTINUOUS")
    found = []
    for page in iot.get_paginator("list_jobs").paginate(thingGroupName=group, PaginationConfig={"PageSize": 1}):
        found += [j["jobId"] for j in page["jobs"]]
    assert sorted(found) == sorted(made)
    everywhere = [j["jobId"] for page in iot.get_paginator("list_jobs").paginate(targetSelection="CONTINUOUS") for j in page["jobs"]]
    assert set(made) <= set(everywhere)
    refused("ResourceNotFoundException", 404, iot.list_jobs, thingGroupName="nosuch")


def test_a_continuous_job_takes_late_joiners(iot, arn, name):
    group, late, job_id = name("site"), name("late"), name("job")
    iot.create_thing_group(thingGroupName=group)
    iot.create_thing(thingName=late)
    iot.create_job(jobId=job_id, targets=[arn("thinggroup", group)], document=DOCUMENT, targetSelection="CONTINUOUS")
    iot.add_thing_to_thing_group(thingGroupName=group, thingName=late)
    queued(iot, job_id, 1)
    assert iot.describe_job(jobId=job_id)["job"]["status"] == "IN_PROGRESS"


def test_associate_targets(iot, arn, name):
    first, second, lamp, job_id = name("a"), name("b"), name("lamp"), name("job")
    iot.create_thing_group(thingGroupName=first)
    iot.create_thing_group(thingGroupName=second)
    iot.create_thing(thingName=lamp)
    iot.add_thing_to_thing_group(thingGroupName=second, thingName=lamp)
    iot.create_job(jobId=job_id, targets=[arn("thinggroup", first)], document=DOCUMENT, targetSelection="CONTINUOUS")
    eventually(lambda: iot.describe_job(jobId=job_id)["job"]["status"] == "IN_PROGRESS", "the job to start")
    iot.associate_targets_with_job(jobId=job_id, targets=[arn("thinggroup", second)], comment="more")
    queued(iot, job_id, 1)
    seen = iot.describe_job(jobId=job_id)["job"]
    assert sorted(seen["targets"]) == sorted([arn("thinggroup", first), arn("thinggroup", second)])
    assert seen["comment"] == "more"


def test_snapshot_jobs_take_no_targets(iot, arn, job, thing):
    refused("InvalidRequestException", 400, iot.associate_targets_with_job, jobId=job, targets=[arn("thing", thing)])


def test_update_job(iot, job):
    iot.update_job(jobId=job, description="better words")
    assert iot.describe_job(jobId=job)["job"]["description"] == "better words"
    refused("ResourceNotFoundException", 404, iot.update_job, jobId="nosuch", description="x")


def test_cancel_job(iot, data, job, thing):
    cancelled = iot.cancel_job(jobId=job, reasonCode="OPERATOR", comment="wrong build")
    assert cancelled["jobId"] == job
    seen = iot.describe_job(jobId=job)["job"]
    assert (seen["status"], seen["reasonCode"], seen["comment"]) == ("CANCELED", "OPERATOR", "wrong build")
    eventually(lambda: counters(iot, job)["Canceled"] == 1, "the execution to be cancelled")
    assert data.get_pending_job_executions(thingName=thing)["queuedJobs"] == []


def test_cancel_spares_what_runs_unless_forced(iot, data, job, thing):
    data.start_next_pending_job_execution(thingName=thing)
    iot.cancel_job(jobId=job)
    eventually(lambda: not iot.describe_job(jobId=job)["job"]["isConcurrent"], "the cancellation to settle")
    assert counters(iot, job)["InProgress"] == 1
    iot.cancel_job(jobId=job, force=True)
    eventually(lambda: counters(iot, job)["Canceled"] == 1, "the execution to be cancelled")
    assert iot.describe_job_execution(jobId=job, thingName=thing)["execution"]["forceCanceled"] is True
    refused("InvalidStateTransitionException", 409, data.update_job_execution, thingName=thing, jobId=job, status="SUCCEEDED")


def test_cancel_one_execution(iot, data, job, thing):
    data.start_next_pending_job_execution(thingName=thing)
    refused("InvalidStateTransitionException", 409, iot.cancel_job_execution, jobId=job, thingName=thing)
    refused("VersionConflictException", 409, iot.cancel_job_execution, jobId=job, thingName=thing, force=True, expectedVersion=7)
    iot.cancel_job_execution(jobId=job, thingName=thing, force=True, expectedVersion=2, statusDetails={"why": "broken"})
    seen = iot.describe_job_execution(jobId=job, thingName=thing)["execution"]
    assert (seen["status"], seen["versionNumber"], seen["statusDetails"]) == ("CANCELED", 3, {"detailsMap": {"why": "broken"}})
    refused("InvalidStateTransitionException", 409, iot.cancel_job_execution, jobId=job, thingName=thing, force=True)


def test_delete_one_execution(iot, data, job, thing):
    data.start_next_pending_job_execution(thingName=thing)
    refused("InvalidStateTransitionException", 409, iot.delete_job_execution, jobId=job, thingName=thing, executionNumber=1)
    iot.delete_job_execution(jobId=job, thingName=thing, executionNumber=1, force=True)
    refused("ResourceNotFoundException", 404, iot.describe_job_execution, jobId=job, thingName=thing)
    refused("ResourceNotFoundException", 404, data.update_job_execution, thingName=thing, jobId=job, status="SUCCEEDED")


def test_delete_job(iot, job, thing):
    refused("InvalidStateTransitionException", 409, iot.delete_job, jobId=job)
    iot.delete_job(jobId=job, force=True)

    def gone():
        try:
            return iot.describe_job(jobId=job)["job"]["status"] != "DELETION_IN_PROGRESS"
        except iot.exceptions.ResourceNotFoundException:
            return True

    eventually(gone, "the job to be gone")
    refused("ResourceNotFoundException", 404, iot.describe_job, jobId=job)
    assert iot.list_job_executions_for_thing(thingName=thing)["executionSummaries"] == []


def test_tags_on_jobs(iot, arn, name, thing):
    job_id = name("job")
    iot.create_job(jobId=job_id, targets=[arn("thing", thing)], document=DOCUMENT, tags=[{"Key": "team", "Value": "blue"}])
    resource = arn("job", job_id)
    assert iot.list_tags_for_resource(resourceArn=resource)["tags"] == [{"Key": "team", "Value": "blue"}]
    iot.tag_resource(resourceArn=resource, tags=[{"Key": "team", "Value": "red"}, {"Key": "wave", "Value": "1"}])
    tags = {t["Key"]: t["Value"] for t in iot.list_tags_for_resource(resourceArn=resource)["tags"]}
    assert tags == {"team": "red", "wave": "1"}
    iot.untag_resource(resourceArn=resource, tagKeys=["team", "absent"])
    assert iot.list_tags_for_resource(resourceArn=resource)["tags"] == [{"Key": "wave", "Value": "1"}]
    refused("ResourceNotFoundException", 404, iot.list_tags_for_resource, resourceArn=arn("job", "nosuch"))


def test_bad_jobs_are_refused(iot, arn, name, thing):
    target = [arn("thing", thing)]
    refused("InvalidRequestException", 400, iot.create_job, jobId=name("j"), targets=target)
    refused("InvalidRequestException", 400, iot.create_job, jobId=name("j"), targets=target, document="not json")
    refused("InvalidRequestException", 400, iot.create_job, jobId=name("j"), targets=target, document="[1]")
    refused("InvalidRequestException", 400, iot.create_job, jobId="no spaces", targets=target, document=DOCUMENT)
    refused("InvalidRequestException", 400, iot.create_job, jobId=name("j"), targets=["arn:nonsense"], document=DOCUMENT)
    refused("ResourceNotFoundException", 404, iot.create_job, jobId=name("j"), targets=[arn("thing", "nosuch")], document=DOCUMENT)
    refused("ResourceNotFoundException", 404, iot.create_job, jobId=name("j"), targets=[arn("thinggroup", "nosuch")], document=DOCUMENT)
    big = '{"a":"' + "x" * 32768 + '"}'
    refused("InvalidRequestException", 400, iot.create_job, jobId=name("j"), targets=target, document=big)


def test_an_operation_that_is_not_built_says_so(iot):
    error = refused("NotImplementedException", 501, iot.list_streams)
    assert "ListStreams" in error["Error"]["Message"]
