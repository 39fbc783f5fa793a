"""The tests of ../python that the older boto3 cannot run: its models lack what they ask for.

A pytest plugin. Everything else runs. A name here that is no test, or whose
test the older boto3 could run after all, fails the suite.
"""

import pytest

LACKS = {
    "test_a_draft_is_brought_by_no_job": "software packages",
    "test_a_job_brings_the_default_version": "software packages",
    "test_packages_are_listed_in_pages": "software packages",
    "test_a_token_makes_a_request_repeatable": "software packages",
    "test_a_device_downloads_the_artifact": "software packages",
    "test_a_device_over_https": "thingPrincipalType",
    "test_a_certificate_from_request_to_deletion": "ListPrincipalThingsV2",
    "test_errors": "IfNoneMatch of PutObject",
    "test_connectivity": "GetThingConnectivityData",
    "test_delete_connection": "DeleteConnection",
    "test_a_template_comes_back_as_it_was_made": "resourceId in a ConflictException",
    "test_a_job_takes_from_its_template_what_it_does_not_give": "beforeSubstitution",
    "test_every_managed_template_makes_a_job": "beforeSubstitution",
    "test_bad_templates_are_refused": "maintenance windows of less than 30 minutes",
    "test_other_services_get_an_error_that_names_them[sqs-sqs-list_queues-arguments6-UnknownOperationException-400]": "SQS in JSON",
    "test_other_services_get_an_error_that_names_them[cloudwatch-monitoring-list_metrics-arguments11-UnknownOperationException-400]": "CloudWatch in CBOR",
}


def lacks(item):
    """What the older boto3 lacks for a test, which is listed by its name with or without its parameters."""
    return LACKS.get(item.name) or LACKS.get(item.originalname)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    # The command line is another client, and the suite awscli-debian.
    items[:] = [item for item in items if not {"aws", "shell"} & set(item.fixturenames)]
    unknown = LACKS.keys() - {item.name for item in items} - {item.originalname for item in items}
    if unknown:
        raise pytest.UsageError(f"no test has the name {', '.join(sorted(unknown))}")
    for item in items:
        if lacks(item):
            item.add_marker(pytest.mark.xfail(reason=f"this boto3 does not know {lacks(item)}", strict=True))
