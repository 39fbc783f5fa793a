"""Both device workflows to their end, on every transport, MQTT version and generation of the jobs client."""

import datetime
import json

import pytest

from conftest import DOCUMENT, counters, eventually
from device import Refused
from fleet import rows


def listed(event):
    return {status: [summary.job_id for summary in summaries] for status, summaries in event.jobs.items()}


@rows(1, 2, 7, 8, 15, 25)
def test_an_idle_thing_has_nothing_to_do(jobs):
    got = jobs.pending()
    assert (got.in_progress_jobs, got.queued_jobs) == ([], [])
    assert jobs.start_next().execution is None
    assert jobs.describe("$next").execution is None


@rows(1, 2, 4, 5, 6, 8, 15, 17, 25, 33)
def test_get_next_to_the_end(jobs, create, iot):
    jobs.stream()
    before = datetime.datetime.now() - datetime.timedelta(seconds=5)
    job = create("job")
    assert listed(jobs.lists.get(timeout=10)) == {"QUEUED": [job]}
    told = jobs.nexts.get(timeout=10).execution
    assert (told.job_id, told.status, told.version_number, told.execution_number) == (job, "QUEUED", 1, 1)
    assert told.job_document == json.loads(DOCUMENT)
    assert before < told.queued_at < before + datetime.timedelta(minutes=5)

    x = jobs.start_next(status_details={"step": "0"}).execution
    assert (x.job_id, x.status, x.version_number, x.status_details) == (job, "IN_PROGRESS", 2, {"step": "0"})
    assert x.job_document == json.loads(DOCUMENT) and x.started_at >= x.queued_at
    again = jobs.start_next().execution
    assert (again.job_id, again.version_number) == (job, 2), "asked again, the one at work is given again"

    got = jobs.update(job, "IN_PROGRESS", expected_version=2, status_details={"step": "1"}, include_job_execution_state=True, include_job_document=True)
    assert (got.execution_state.status, got.execution_state.version_number, got.execution_state.status_details) == ("IN_PROGRESS", 3, {"step": "1"})
    assert got.job_document == json.loads(DOCUMENT)
    assert jobs.update(job, "SUCCEEDED", include_job_execution_state=True).execution_state.status_details == {"step": "1"}
    assert listed(jobs.lists.get(timeout=10)) == {}
    assert jobs.nexts.get(timeout=10).execution is None
    assert jobs.start_next().execution is None
    jobs.silent()
    eventually(lambda: iot.describe_job(jobId=job)["job"]["status"] == "COMPLETED", "the job to complete")
    assert counters(iot, job)["Succeeded"] == 1


@rows(1, 3, 15, 19, 25, 33)
def test_pick_a_job_to_the_end(jobs, create):
    jobs.stream()
    one = create("one")
    assert listed(jobs.lists.get(timeout=10)) == {"QUEUED": [one]}
    assert jobs.nexts.get(timeout=10).execution.job_id == one
    two = create("two")
    assert listed(jobs.lists.get(timeout=10)) == {"QUEUED": [one, two]}
    assert [s.job_id for s in jobs.pending().queued_jobs] == [one, two]
    assert jobs.describe(two).execution.job_document == json.loads(DOCUMENT)
    assert jobs.describe(two, include_job_document=False).execution.job_document is None

    jobs.update(two, "IN_PROGRESS", expected_version=1)
    told = jobs.nexts.get(timeout=10).execution
    assert (told.job_id, told.status) == (two, "IN_PROGRESS"), "what is at work comes before what waits"
    with pytest.raises(Refused) as refused:
        jobs.update(two, "SUCCEEDED", expected_version=1)
    error = refused.value.error
    assert (error.code, error.execution_state.status, error.execution_state.version_number) == ("VersionMismatch", "IN_PROGRESS", 2)
    assert error.message and error.timestamp > datetime.datetime(2020, 1, 1)

    jobs.update(one, "REJECTED", status_details={"reason": "not for me"})
    assert listed(jobs.lists.get(timeout=10)) == {"IN_PROGRESS": [two]}
    jobs.update(two, "FAILED", status_details={"reason": "no space"})
    assert listed(jobs.lists.get(timeout=10)) == {}
    assert jobs.nexts.get(timeout=10).execution is None
    jobs.silent()


@rows(3)
def test_a_job_cancelled_while_at_work(jobs, create, iot):
    jobs.stream()
    job = create("job")
    jobs.lists.get(timeout=10), jobs.nexts.get(timeout=10)
    assert jobs.start_next().execution.job_id == job
    iot.cancel_job(jobId=job, force=True)
    assert listed(jobs.lists.get(timeout=10)) == {}
    assert jobs.nexts.get(timeout=10).execution is None
    with pytest.raises(Refused) as refused:
        jobs.update(job, "SUCCEEDED")
    assert (refused.value.error.code, refused.value.error.execution_state.status) == ("InvalidStateTransition", "CANCELED")


@rows(2, 3)
def test_refusals_are_what_the_sdk_can_read(jobs, create):
    job = create("job")
    eventually(lambda: jobs.pending().queued_jobs, "the execution")

    def code(call, *arguments, **more):
        with pytest.raises(Refused) as refused:
            call(*arguments, **more)
        assert refused.value.error.message and refused.value.error.timestamp
        return refused.value.error.code

    assert code(jobs.update, job, "QUEUED") == "InvalidRequest"
    assert code(jobs.update, job, "NONSENSE") == "InvalidRequest"
    assert code(jobs.update, job, "IN_PROGRESS", step_timeout_in_minutes=0) == "InvalidRequest"
    assert code(jobs.update, "no-such-job", "FAILED") == "ResourceNotFound"
    assert code(jobs.describe, "no-such-job") == "ResourceNotFound"
    jobs.update(job, "FAILED")
    assert code(jobs.describe, job) == "TerminalStateReached"
    assert code(jobs.update, job, "SUCCEEDED") == "InvalidStateTransition"
