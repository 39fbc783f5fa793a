package conformance;

import com.google.gson.Gson;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import software.amazon.awssdk.crt.iot.MqttRequestResponseClientOptions;
import software.amazon.awssdk.crt.iot.StreamingOperation;
import software.amazon.awssdk.crt.iot.SubscriptionStatusEvent;
import software.amazon.awssdk.crt.iot.SubscriptionStatusEventType;
import software.amazon.awssdk.crt.mqtt.MqttClientConnection;
import software.amazon.awssdk.crt.mqtt.QualityOfService;
import software.amazon.awssdk.crt.mqtt5.Mqtt5Client;
import software.amazon.awssdk.crt.mqtt5.Mqtt5ClientOptions;
import software.amazon.awssdk.crt.mqtt5.OnAttemptingConnectReturn;
import software.amazon.awssdk.crt.mqtt5.OnConnectionFailureReturn;
import software.amazon.awssdk.crt.mqtt5.OnConnectionSuccessReturn;
import software.amazon.awssdk.crt.mqtt5.OnDisconnectionReturn;
import software.amazon.awssdk.crt.mqtt5.OnStoppedReturn;
import software.amazon.awssdk.crt.mqtt5.packets.ConnectPacket;
import software.amazon.awssdk.iot.AwsIotMqtt5ClientBuilder;
import software.amazon.awssdk.iot.AwsIotMqttConnectionBuilder;
import software.amazon.awssdk.iot.Timestamp;
import software.amazon.awssdk.iot.V2ClientStreamOptions;
import software.amazon.awssdk.iot.iotjobs.IotJobsClient;
import software.amazon.awssdk.iot.iotjobs.IotJobsV2Client;
import software.amazon.awssdk.iot.iotjobs.model.*;

/** The AWS IoT Device SDK v2 for Java: both generations of its jobs client, over MQTT 3.1.1 and 5, with a certificate. */
final class DeviceSdkV2 {
	private static final QualityOfService QOS = QualityOfService.AT_LEAST_ONCE;
	private static final Object FLASH = Map.of("do", "flash", "size", 12.0); // as the SDK reads the document

	private DeviceSdkV2() {}

	static void run(Muster muster) throws Exception {
		Muster.Device a = muster.enroll("java2-311-v1");
		Checks.about("device-sdk-v2 3.1.1 V1");
		try (MqttClientConnection connection = three(muster, a)) {
			connection.connect().get(Muster.LIMIT, TimeUnit.SECONDS);
			workflows(muster, a, new JobsV1(connection, a.thing));
			connection.disconnect().get(Muster.LIMIT, TimeUnit.SECONDS);
		}
		Muster.Device b = muster.enroll("java2-311-v2");
		Checks.about("device-sdk-v2 3.1.1 V2");
		try (MqttClientConnection connection = three(muster, b)) {
			connection.connect().get(Muster.LIMIT, TimeUnit.SECONDS);
			try (JobsV2 jobs = new JobsV2(IotJobsV2Client.newFromMqtt311(connection, options()), b.thing)) {
				workflows(muster, b, jobs);
			}
			connection.disconnect().get(Muster.LIMIT, TimeUnit.SECONDS);
		}
		Muster.Device c = muster.enroll("java2-5-v1");
		Checks.about("device-sdk-v2 5 V1");
		try (Five five = new Five(muster, c, c.thing); MqttClientConnection connection = new MqttClientConnection(five.client, null)) {
			five.connect();
			workflows(muster, c, new JobsV1(connection, c.thing));
		}
		Muster.Device d = muster.enroll("java2-5-v2");
		Checks.about("device-sdk-v2 5 V2");
		try (Five five = new Five(muster, d, d.thing)) {
			five.connect();
			try (JobsV2 jobs = new JobsV2(IotJobsV2Client.newFromMqtt5(five.client, options()), d.thing)) {
				workflows(muster, d, jobs);
			}
		}
		try (Five stranger = new Five(muster, d, "somebody-else")) {
			var refused = Checks.fails("another's client id is refused", ExecutionException.class, stranger::connect);
			Checks.that("with the reason", refused.getMessage().contains("NOT_AUTHORIZED"), refused);
		}
	}

	/** Both workflows of a device, whichever generation of client it has. */
	private static void workflows(Muster muster, Muster.Device device, Jobs jobs) throws Exception {
		jobs.listen();
		Checks.equal("nothing is pending", jobs.startNext().execution, null);
		GetPendingJobExecutionsResponse empty = jobs.pending();
		Checks.that("both lists are there", empty.inProgressJobs.isEmpty() && empty.queuedJobs.isEmpty(), text(empty));

		String job = muster.job(device.thing, device.thing);
		NextJobExecutionChangedEvent next = take("notify-next", jobs.nexts());
		Checks.equal("notify-next tells of the job", next.execution.jobDocument, FLASH);
		Checks.that("times are read as seconds", recent(next.timestamp) && recent(next.execution.queuedAt), text(next));
		Checks.equal("notify lists it", take("notify", jobs.lists()).jobs.get(JobStatus.QUEUED).get(0).jobId, job);
		JobExecutionData started = jobs.startNext().execution;
		Checks.equal("start-next starts it", List.of(started.jobId, started.status, started.versionNumber, started.executionNumber), List.of(job, JobStatus.IN_PROGRESS, 2, 1L));

		UpdateJobExecutionRequest update = new UpdateJobExecutionRequest();
		update.jobId = job;
		update.status = JobStatus.SUCCEEDED;
		update.expectedVersion = 1;
		Rejected stale = Checks.fails("a stale update is refused", Rejected.class, () -> jobs.update(update));
		Checks.equal("with the state as it is", List.of(stale.code, stale.state.versionNumber), List.of(RejectedErrorCode.VERSION_MISMATCH, 2));
		update.expectedVersion = 2;
		update.status = JobStatus.IN_PROGRESS;
		update.statusDetails = new java.util.HashMap<>(Map.of("step", "1"));
		Checks.equal("progress", jobs.update(update).executionState, null);
		update.expectedVersion = null;
		update.statusDetails = null;
		update.status = JobStatus.SUCCEEDED;
		update.includeJobExecutionState = true;
		JobExecutionState done = jobs.update(update).executionState;
		Checks.equal("success", List.of(done.status, done.versionNumber, done.statusDetails), List.of(JobStatus.SUCCEEDED, 4, Map.of("step", "1")));
		Checks.equal("notify-next tells that nothing is left", take("notify-next", jobs.nexts()).execution, null);
		Checks.that("notify too", take("notify", jobs.lists()).jobs.isEmpty(), "");
		muster.ended(job, "succeeded");

		String picked = muster.job(device.thing + "-picked", device.thing);
		take("notify-next", jobs.nexts());
		take("notify", jobs.lists());
		Checks.equal("get lists the queue", jobs.pending().queuedJobs.get(0).jobId, picked);
		Checks.equal("describe shows the document", jobs.describe(picked).execution.jobDocument, FLASH);
		UpdateJobExecutionRequest reject = new UpdateJobExecutionRequest();
		reject.jobId = picked;
		reject.status = JobStatus.REJECTED;
		jobs.update(reject);
		Checks.equal("a finished one is not shown", Checks.fails("a finished one is refused", Rejected.class, () -> jobs.describe(picked)).code, RejectedErrorCode.TERMINAL_STATE_REACHED);
		take("notify-next", jobs.nexts());
		take("notify", jobs.lists());
		muster.ended(picked, "rejected");
		jobs.pending(); // whatever was on its way is here now
		Checks.that("nothing came twice", jobs.nexts().isEmpty() && jobs.lists().isEmpty(), "");
	}

	private static boolean recent(Timestamp t) {
		return Math.abs(System.currentTimeMillis() - t.getTime()) < TimeUnit.MINUTES.toMillis(5);
	}

	private static String text(Object o) {
		return new Gson().toJson(o);
	}

	private static <T> T take(String what, BlockingQueue<T> from) throws InterruptedException {
		T taken = from.poll(Muster.LIMIT, TimeUnit.SECONDS);
		if (taken == null) throw new AssertionError("waited " + Muster.LIMIT + " s in vain for " + what);
		return taken;
	}

	private static <T> T wait(CompletableFuture<T> future) throws Exception {
		return future.get(Muster.LIMIT, TimeUnit.SECONDS);
	}

	/** A request that the service refused, as either generation shows it. */
	static final class Rejected extends Exception {
		final RejectedErrorCode code;
		final JobExecutionState state;

		Rejected(RejectedErrorCode code, String message, JobExecutionState state) {
			super(code + ": " + message);
			this.code = code;
			this.state = state;
		}
	}

	private interface Jobs {
		void listen() throws Exception;

		BlockingQueue<NextJobExecutionChangedEvent> nexts();

		BlockingQueue<JobExecutionsChangedEvent> lists();

		GetPendingJobExecutionsResponse pending() throws Exception;

		StartNextJobExecutionResponse startNext() throws Exception;

		DescribeJobExecutionResponse describe(String job) throws Exception;

		UpdateJobExecutionResponse update(UpdateJobExecutionRequest request) throws Exception;
	}

	/** IotJobsClient: subscribe, publish, and see what comes on which topic. */
	private static final class JobsV1 implements Jobs {
		private final IotJobsClient client;
		private final String thing;
		private final BlockingQueue<Object> answers = new LinkedBlockingQueue<>();
		private final BlockingQueue<NextJobExecutionChangedEvent> nexts = new LinkedBlockingQueue<>();
		private final BlockingQueue<JobExecutionsChangedEvent> lists = new LinkedBlockingQueue<>();
		private final Consumer<RejectedError> rejected = e -> answers.add(new Rejected(e.code, e.message, e.executionState));

		JobsV1(MqttClientConnection connection, String thing) {
			client = new IotJobsClient(connection);
			this.thing = thing;
		}

		@Override
		public void listen() throws Exception {
			var nextEvents = new NextJobExecutionChangedSubscriptionRequest();
			nextEvents.thingName = thing;
			DeviceSdkV2.wait(client.SubscribeToNextJobExecutionChangedEvents(nextEvents, QOS, nexts::add));
			var listEvents = new JobExecutionsChangedSubscriptionRequest();
			listEvents.thingName = thing;
			DeviceSdkV2.wait(client.SubscribeToJobExecutionsChangedEvents(listEvents, QOS, lists::add));
			var pending = new GetPendingJobExecutionsSubscriptionRequest();
			pending.thingName = thing;
			DeviceSdkV2.wait(client.SubscribeToGetPendingJobExecutionsAccepted(pending, QOS, answers::add));
			DeviceSdkV2.wait(client.SubscribeToGetPendingJobExecutionsRejected(pending, QOS, rejected));
			var start = new StartNextPendingJobExecutionSubscriptionRequest();
			start.thingName = thing;
			DeviceSdkV2.wait(client.SubscribeToStartNextPendingJobExecutionAccepted(start, QOS, answers::add));
			DeviceSdkV2.wait(client.SubscribeToStartNextPendingJobExecutionRejected(start, QOS, rejected));
			var update = new UpdateJobExecutionSubscriptionRequest();
			update.thingName = thing;
			update.jobId = "+"; // as the SDK's samples have it
			DeviceSdkV2.wait(client.SubscribeToUpdateJobExecutionAccepted(update, QOS, answers::add));
			DeviceSdkV2.wait(client.SubscribeToUpdateJobExecutionRejected(update, QOS, rejected));
			var describe = new DescribeJobExecutionSubscriptionRequest();
			describe.thingName = thing;
			describe.jobId = "+";
			DeviceSdkV2.wait(client.SubscribeToDescribeJobExecutionAccepted(describe, QOS, answers::add));
			DeviceSdkV2.wait(client.SubscribeToDescribeJobExecutionRejected(describe, QOS, rejected));
		}

		private <T> T answer(Class<T> kind, CompletableFuture<Integer> published) throws Exception {
			DeviceSdkV2.wait(published);
			Object answer = take("an answer", answers);
			if (answer instanceof Rejected refused) throw refused;
			return kind.cast(answer);
		}

		@Override
		public GetPendingJobExecutionsResponse pending() throws Exception {
			var request = new GetPendingJobExecutionsRequest();
			request.thingName = thing;
			return answer(GetPendingJobExecutionsResponse.class, client.PublishGetPendingJobExecutions(request, QOS));
		}

		@Override
		public StartNextJobExecutionResponse startNext() throws Exception {
			var request = new StartNextPendingJobExecutionRequest();
			request.thingName = thing;
			return answer(StartNextJobExecutionResponse.class, client.PublishStartNextPendingJobExecution(request, QOS));
		}

		@Override
		public DescribeJobExecutionResponse describe(String job) throws Exception {
			var request = new DescribeJobExecutionRequest();
			request.thingName = thing;
			request.jobId = job;
			return answer(DescribeJobExecutionResponse.class, client.PublishDescribeJobExecution(request, QOS));
		}

		@Override
		public UpdateJobExecutionResponse update(UpdateJobExecutionRequest request) throws Exception {
			request.thingName = thing;
			return answer(UpdateJobExecutionResponse.class, client.PublishUpdateJobExecution(request, QOS));
		}

		@Override
		public BlockingQueue<NextJobExecutionChangedEvent> nexts() {
			return nexts;
		}

		@Override
		public BlockingQueue<JobExecutionsChangedEvent> lists() {
			return lists;
		}
	}

	/** IotJobsV2Client: a request is a call, and notifications are streams. */
	private static final class JobsV2 implements Jobs, AutoCloseable {
		private final IotJobsV2Client client;
		private final String thing;
		private final BlockingQueue<NextJobExecutionChangedEvent> nexts = new LinkedBlockingQueue<>();
		private final BlockingQueue<JobExecutionsChangedEvent> lists = new LinkedBlockingQueue<>();
		private StreamingOperation nextStream, listStream;

		JobsV2(IotJobsV2Client client, String thing) {
			this.client = client;
			this.thing = thing;
		}

		@Override
		public void listen() throws Exception {
			var nextEvents = new NextJobExecutionChangedSubscriptionRequest();
			nextEvents.thingName = thing;
			var nextOpen = new CompletableFuture<SubscriptionStatusEvent>();
			nextStream = client.createNextJobExecutionChangedStream(nextEvents,
				V2ClientStreamOptions.<NextJobExecutionChangedEvent>builder().withStreamEventHandler(nexts::add).withSubscriptionEventHandler(nextOpen::complete).build());
			open(nextStream, nextOpen);
			var listEvents = new JobExecutionsChangedSubscriptionRequest();
			listEvents.thingName = thing;
			var listOpen = new CompletableFuture<SubscriptionStatusEvent>();
			listStream = client.createJobExecutionsChangedStream(listEvents,
				V2ClientStreamOptions.<JobExecutionsChangedEvent>builder().withStreamEventHandler(lists::add).withSubscriptionEventHandler(listOpen::complete).build());
			open(listStream, listOpen);
		}

		private static void open(StreamingOperation stream, CompletableFuture<SubscriptionStatusEvent> opened) throws Exception {
			stream.open();
			Checks.equal("a stream opens", DeviceSdkV2.wait(opened).getType(), SubscriptionStatusEventType.SUBSCRIPTION_ESTABLISHED);
		}

		private static <T> T answer(CompletableFuture<T> future) throws Exception {
			try {
				return DeviceSdkV2.wait(future);
			} catch (ExecutionException e) {
				if (!(e.getCause() instanceof V2ErrorResponseException refused) || refused.getModeledError() == null) throw e;
				V2ErrorResponse error = refused.getModeledError();
				throw new Rejected(error.code, error.message, error.executionState);
			}
		}

		@Override
		public GetPendingJobExecutionsResponse pending() throws Exception {
			var request = new GetPendingJobExecutionsRequest();
			request.thingName = thing;
			return answer(client.getPendingJobExecutions(request));
		}

		@Override
		public StartNextJobExecutionResponse startNext() throws Exception {
			var request = new StartNextPendingJobExecutionRequest();
			request.thingName = thing;
			return answer(client.startNextPendingJobExecution(request));
		}

		@Override
		public DescribeJobExecutionResponse describe(String job) throws Exception {
			var request = new DescribeJobExecutionRequest();
			request.thingName = thing;
			request.jobId = job;
			return answer(client.describeJobExecution(request));
		}

		@Override
		public UpdateJobExecutionResponse update(UpdateJobExecutionRequest request) throws Exception {
			request.thingName = thing;
			return answer(client.updateJobExecution(request));
		}

		@Override
		public BlockingQueue<NextJobExecutionChangedEvent> nexts() {
			return nexts;
		}

		@Override
		public BlockingQueue<JobExecutionsChangedEvent> lists() {
			return lists;
		}

		@Override
		public void close() {
			nextStream.close();
			listStream.close();
			client.close();
		}
	}

	private static MqttRequestResponseClientOptions options() {
		return MqttRequestResponseClientOptions.builder().withMaxRequestResponseSubscriptions(4).withMaxStreamingSubscriptions(2).withOperationTimeoutSeconds((int) Muster.LIMIT).build();
	}

	private static MqttClientConnection three(Muster muster, Muster.Device device) {
		try (AwsIotMqttConnectionBuilder builder = AwsIotMqttConnectionBuilder.newMtlsBuilderFromPath(device.certificate, device.key)) {
			return builder.withCertificateAuthorityFromPath(null, muster.text("ca_file")).withEndpoint(muster.host("mqtts_addr")).withPort(muster.port("mqtts_addr"))
				.withClientId(device.thing).withCleanSession(true).build();
		}
	}

	/** An MQTT 5 client that says when it is connected, or why not. */
	private static final class Five implements AutoCloseable {
		final Mqtt5Client client;
		private final CompletableFuture<Void> connected = new CompletableFuture<>(), stopped = new CompletableFuture<>();

		Five(Muster muster, Muster.Device device, String clientId) {
			try (AwsIotMqtt5ClientBuilder builder = AwsIotMqtt5ClientBuilder.newDirectMqttBuilderWithMtlsFromPath(muster.host("mqtts_addr"), device.certificate, device.key)) {
				client = builder.withCertificateAuthorityFromPath(null, muster.text("ca_file")).withPort((long) muster.port("mqtts_addr"))
					.withConnectProperties(new ConnectPacket.ConnectPacketBuilder().withClientId(clientId).withKeepAliveIntervalSeconds(60L))
					.withLifeCycleEvents(new Mqtt5ClientOptions.LifecycleEvents() {
						@Override
						public void onAttemptingConnect(Mqtt5Client c, OnAttemptingConnectReturn r) {}

						@Override
						public void onConnectionSuccess(Mqtt5Client c, OnConnectionSuccessReturn r) {
							connected.complete(null);
						}

						@Override
						public void onConnectionFailure(Mqtt5Client c, OnConnectionFailureReturn r) {
							connected.completeExceptionally(new IllegalStateException("connack " + (r.getConnAckPacket() == null ? "none, error " + r.getErrorCode() : r.getConnAckPacket().getReasonCode())));
						}

						@Override
						public void onDisconnection(Mqtt5Client c, OnDisconnectionReturn r) {}

						@Override
						public void onStopped(Mqtt5Client c, OnStoppedReturn r) {
							stopped.complete(null);
						}
					}).build();
			}
		}

		void connect() throws Exception {
			client.start();
			DeviceSdkV2.wait(connected);
		}

		@Override
		public void close() throws Exception {
			client.stop();
			DeviceSdkV2.wait(stopped);
			client.close();
		}
	}
}
