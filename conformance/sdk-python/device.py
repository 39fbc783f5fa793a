"""A device on awsiotsdk: every way to connect, under both generations of its jobs client.

The two generations get one face here, so that a test reads once and runs on
both. What differs between them is what the tests are about: V1 subscribes and
publishes, and knows an answer by its topic; V2 pairs request and answer by
topic and clientToken.
"""

import concurrent.futures
import queue

import pytest
from awscrt import auth, io, mqtt, mqtt5, mqtt_request_response
from awsiot import V2ServiceException, ServiceStreamOptions, iotjobs, mqtt5_client_builder, mqtt_connection_builder

LIMIT = 10  # seconds that anything may take


class Refused(Exception):
    """A request was rejected; the SDK's own view of the answer is in error."""

    def __init__(self, error):
        super().__init__(f"{error.code}: {error.message}")
        self.error = error


def address(device, listener):
    host, port = device.at(listener)
    return {"endpoint": host, "port": port, "ca_filepath": device.ca}


def mtls(builder, device, **options):
    """The port for MQTT alone (8883)."""
    return builder.mtls_from_path(device.certificate, device.key, **address(device, "mqtts_addr"), **options)


def alpn(builder, device, **options):
    """The port that is shared (443). The builders offer ALPN on port 443 only, so this does what they do there."""
    tls = io.TlsContextOptions.create_client_with_mtls_from_path(device.certificate, device.key)
    tls.alpn_list = ["x-amzn-mqtt-ca"]
    return builder._builder(tls, **address(device, "alpn_addr"), **options)


def websocket(builder, device, **options):
    """WebSocket on the shared port, signed with the access key."""
    credentials = auth.AwsCredentialsProvider.new_profile(config_filepath="/dev/null", credentials_filepath=device.server["credentials_file"])
    return builder.websockets_with_default_aws_signing(
        region=device.server["region"], credentials_provider=credentials, **address(device, "alpn_addr"), **options)


TRANSPORTS = {"mtls": mtls, "alpn": alpn, "websocket": websocket}


class MQTT311:
    """A connection of MQTT 3.1.1."""

    def __init__(self, transport, device, client_id, clean=True, heard=None):
        """What arrives goes into the queue heard, as topic and payload."""
        self.client = transport(mqtt_connection_builder, device, client_id=client_id, clean_session=clean)
        if heard:
            self.client.on_message(lambda topic, payload, **_: heard.put((topic, payload)))
        self.session_present = self.client.connect().result(LIMIT)["session_present"]

    def subscribe(self, topic):
        return self.client.subscribe(topic, mqtt.QoS.AT_LEAST_ONCE)[0].result(LIMIT)

    def publish(self, topic, payload):
        return self.client.publish(topic, payload, mqtt.QoS.AT_LEAST_ONCE)[0].result(LIMIT)

    def close(self):
        self.client.disconnect().result(LIMIT)


class MQTT5:
    """A connection of MQTT 5."""

    def __init__(self, transport, device, client_id, clean=True, heard=None):
        connected, self.stopped = concurrent.futures.Future(), concurrent.futures.Future()
        self.client = transport(
            mqtt5_client_builder, device, client_id=client_id,
            session_behavior=mqtt5.ClientSessionBehaviorType.CLEAN if clean else mqtt5.ClientSessionBehaviorType.REJOIN_ALWAYS,
            session_expiry_interval_sec=None if clean else 3600,
            on_publish_received=lambda data: heard and heard.put((data.publish_packet.topic, data.publish_packet.payload)),
            on_lifecycle_connection_success=lambda data: connected.done() or connected.set_result(data),
            on_lifecycle_connection_failure=lambda data: connected.done() or connected.set_exception(data.exception),
            on_lifecycle_stopped=lambda _: self.stopped.set_result(None))
        self.client.start()
        try:
            success = connected.result(LIMIT)
        except BaseException:
            self.close()
            raise
        self.session_present = success.connack_packet.session_present
        self.settings = success.negotiated_settings

    def subscribe(self, topic):
        return self.client.subscribe(mqtt5.SubscribePacket([mqtt5.Subscription(topic, mqtt5.QoS.AT_LEAST_ONCE)])).result(LIMIT)

    def publish(self, topic, payload):
        return self.client.publish(mqtt5.PublishPacket(topic=topic, payload=payload, qos=mqtt5.QoS.AT_LEAST_ONCE)).result(LIMIT)

    def close(self):
        self.client.stop()
        self.stopped.result(LIMIT)


VERSIONS = {"3.1.1": MQTT311, "5": MQTT5}


class JobsV1:
    """IotJobsClient: subscribe, wait, publish, and see what comes on which topic."""

    def __init__(self, connection, thing):
        self.client, self.thing = iotjobs.IotJobsClient(connection.client), thing
        self.answers, self.lists, self.nexts = queue.Queue(), queue.Queue(), queue.Queue()
        self.described = set()
        on = self.client
        self._subscribe(on.subscribe_to_get_pending_job_executions_accepted, iotjobs.GetPendingJobExecutionsSubscriptionRequest)
        self._subscribe(on.subscribe_to_get_pending_job_executions_rejected, iotjobs.GetPendingJobExecutionsSubscriptionRequest)
        self._subscribe(on.subscribe_to_start_next_pending_job_execution_accepted, iotjobs.StartNextPendingJobExecutionSubscriptionRequest)
        self._subscribe(on.subscribe_to_start_next_pending_job_execution_rejected, iotjobs.StartNextPendingJobExecutionSubscriptionRequest)
        # "+" as the job, as the SDK's samples have it.
        self._subscribe(on.subscribe_to_update_job_execution_accepted, iotjobs.UpdateJobExecutionSubscriptionRequest, job_id="+")
        self._subscribe(on.subscribe_to_update_job_execution_rejected, iotjobs.UpdateJobExecutionSubscriptionRequest, job_id="+")

    def _subscribe(self, subscribe, request, into=None, **more):
        future, _ = subscribe(request(thing_name=self.thing, **more), mqtt.QoS.AT_LEAST_ONCE, (into or self.answers).put)
        future.result(LIMIT)

    def _ask(self, publish, request):
        publish(request, mqtt.QoS.AT_LEAST_ONCE).result(LIMIT)
        answer = self.answers.get(timeout=LIMIT)
        if isinstance(answer, iotjobs.RejectedError):
            raise Refused(answer)
        return answer

    def stream(self):
        """From here on, notify and notify-next arrive in lists and nexts."""
        self._subscribe(self.client.subscribe_to_job_executions_changed_events, iotjobs.JobExecutionsChangedSubscriptionRequest, self.lists)
        self._subscribe(self.client.subscribe_to_next_job_execution_changed_events, iotjobs.NextJobExecutionChangedSubscriptionRequest, self.nexts)

    def pending(self):
        return self._ask(self.client.publish_get_pending_job_executions, iotjobs.GetPendingJobExecutionsRequest(thing_name=self.thing))

    def start_next(self, **more):
        return self._ask(self.client.publish_start_next_pending_job_execution, iotjobs.StartNextPendingJobExecutionRequest(thing_name=self.thing, **more))

    def describe(self, job, **more):
        if job not in self.described:
            self.described.add(job)
            self._subscribe(self.client.subscribe_to_describe_job_execution_accepted, iotjobs.DescribeJobExecutionSubscriptionRequest, job_id=job)
            self._subscribe(self.client.subscribe_to_describe_job_execution_rejected, iotjobs.DescribeJobExecutionSubscriptionRequest, job_id=job)
        return self._ask(self.client.publish_describe_job_execution, iotjobs.DescribeJobExecutionRequest(thing_name=self.thing, job_id=job, **more))

    def update(self, job, status, **more):
        return self._ask(self.client.publish_update_job_execution, iotjobs.UpdateJobExecutionRequest(thing_name=self.thing, job_id=job, status=status, **more))

    def silent(self):
        """Nothing is on its way: a round trip brings its own answer alone."""
        assert isinstance(self.pending(), iotjobs.GetPendingJobExecutionsResponse)
        assert self.answers.empty() and self.lists.empty() and self.nexts.empty()

    def close(self):
        pass


class JobsV2:
    """IotJobsClientV2: a request is a call, and notifications are streams."""

    def __init__(self, connection, thing, timeout=LIMIT):
        options = mqtt_request_response.ClientOptions(max_request_response_subscriptions=4, max_streaming_subscriptions=2, operation_timeout_in_seconds=timeout)
        self.client, self.thing = iotjobs.IotJobsClientV2(connection.client, options), thing
        self.lists, self.nexts, self.streams = queue.Queue(), queue.Queue(), []

    def _ask(self, call, request):
        try:
            return call(request).result(LIMIT + 1)
        except V2ServiceException as e:
            if e.modeled_error is None:
                raise e.inner_error
            raise Refused(e.modeled_error) from None

    def _open(self, create, request, into):
        established = concurrent.futures.Future()
        stream = create(request, ServiceStreamOptions(incoming_event_listener=into.put, subscription_status_listener=established.set_result))
        stream.open()
        assert established.result(LIMIT).type == mqtt_request_response.SubscriptionStatusEventType.SUBSCRIPTION_ESTABLISHED
        self.streams.append(stream)  # a stream nobody holds is closed

    def stream(self):
        self._open(self.client.create_job_executions_changed_stream, iotjobs.JobExecutionsChangedSubscriptionRequest(thing_name=self.thing), self.lists)
        self._open(self.client.create_next_job_execution_changed_stream, iotjobs.NextJobExecutionChangedSubscriptionRequest(thing_name=self.thing), self.nexts)

    def pending(self):
        return self._ask(self.client.get_pending_job_executions, iotjobs.GetPendingJobExecutionsRequest(thing_name=self.thing))

    def start_next(self, **more):
        return self._ask(self.client.start_next_pending_job_execution, iotjobs.StartNextPendingJobExecutionRequest(thing_name=self.thing, **more))

    def describe(self, job, **more):
        return self._ask(self.client.describe_job_execution, iotjobs.DescribeJobExecutionRequest(thing_name=self.thing, job_id=job, **more))

    def update(self, job, status, **more):
        return self._ask(self.client.update_job_execution, iotjobs.UpdateJobExecutionRequest(thing_name=self.thing, job_id=job, status=status, **more))

    def silent(self):
        self.pending()
        assert self.lists.empty() and self.nexts.empty()

    def close(self):
        self.streams.clear()
        self.client = None


GENERATIONS = {"V1": JobsV1, "V2": JobsV2}


@pytest.fixture(params=TRANSPORTS)
def transport(request):
    return TRANSPORTS[request.param]


@pytest.fixture(params=VERSIONS)
def version(request):
    return VERSIONS[request.param]


@pytest.fixture(params=GENERATIONS)
def generation(request):
    return GENERATIONS[request.param]


@pytest.fixture
def jobs(dial, transport, version, generation, lamp):
    """A jobs client of the test's thing."""
    connection = dial(version, transport, lamp, lamp.thing)
    return dial(generation, connection, lamp.thing)
