package conformance;

import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Collectors;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.iot.IotAsyncClient;
import software.amazon.awssdk.services.iot.IotClient;
import software.amazon.awssdk.services.iot.model.InvalidRequestException;
import software.amazon.awssdk.services.iot.model.InvalidStateTransitionException;
import software.amazon.awssdk.services.iot.model.IotException;
import software.amazon.awssdk.services.iot.model.JobExecutionStatus;
import software.amazon.awssdk.services.iot.model.JobStatus;
import software.amazon.awssdk.services.iot.model.ResourceAlreadyExistsException;
import software.amazon.awssdk.services.iot.model.ResourceNotFoundException;
import software.amazon.awssdk.services.iot.model.VersionConflictException;
import software.amazon.awssdk.services.iotdataplane.IotDataPlaneClient;
import software.amazon.awssdk.services.iotjobsdataplane.IotJobsDataPlaneClient;
import software.amazon.awssdk.services.iotjobsdataplane.model.TerminalStateException;
import software.amazon.awssdk.services.sts.StsClient;

/** aws-sdk-java v2: a job of five things seen by the operator, the devices over HTTPS, errors as types. */
final class AwsSdk {
	private AwsSdk() {}

	static void run(Muster muster) throws Exception {
		Checks.about("aws-sdk");
		IotClient iot = muster.iot;
		try (IotJobsDataPlaneClient data = IotJobsDataPlaneClient.builder().endpointOverride(muster.api).region(muster.region).credentialsProvider(muster.credentials).build()) {
			aWholeJob(muster, iot, data);
			errors(muster, iot, data);
		}
		retained(muster);
		whoAmI(muster);
		try (IotAsyncClient async = IotAsyncClient.builder().endpointOverride(muster.api).region(muster.region).credentialsProvider(muster.credentials).build()) {
			String address = async.describeEndpoint(r -> r.endpointType("iot:Data-ATS")).join().endpointAddress();
			Checks.that("the asynchronous client asks for the endpoint", address != null && !address.isEmpty(), address);
		}
		try (IotClient stranger = IotClient.builder().endpointOverride(muster.api).region(muster.region)
				.credentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create(muster.keys().accessKeyId(), "not the secret"))).build()) {
			IotException refused = Checks.fails("a wrong secret is refused", IotException.class, () -> stranger.listJobs(r -> {}));
			Checks.equal("with 403", refused.statusCode(), 403);
			Checks.that("and a reason", !refused.awsErrorDetails().errorMessage().isEmpty() && refused.requestId() != null, refused);
		}
	}

	private static void aWholeJob(Muster muster, IotClient iot, IotJobsDataPlaneClient data) throws Exception {
		String group = muster.name("java-lamps");
		iot.createThingGroup(r -> r.thingGroupName(group));
		TreeSet<String> things = new TreeSet<>();
		for (int i = 0; i < 5; i++) {
			String thing = muster.name("java-lamp" + i);
			iot.createThing(r -> r.thingName(thing).attributePayload(a -> a.attributes(Map.of("color", "green"))));
			iot.addThingToThingGroup(r -> r.thingGroupName(group).thingName(thing));
			things.add(thing);
		}
		var members = iot.listThingsInThingGroupPaginator(r -> r.thingGroupName(group).maxResults(2)).things();
		Checks.equal("a paginator walks the members", new TreeSet<>(members.stream().toList()), things);

		String job = muster.name("java-job");
		var made = iot.createJob(r -> r.jobId(job).targets(muster.arn("thinggroup", group)).document(Muster.DOCUMENT).description("five lamps")
			.jobExecutionsRolloutConfig(c -> c.maximumPerMinute(1000)).timeoutConfig(c -> c.inProgressTimeoutInMinutes(60L)));
		Checks.equal("the job's ARN", made.jobArn(), muster.arn("job", job));
		Checks.equal("the document comes back as it went", iot.getJobDocument(r -> r.jobId(job)).document(), Muster.DOCUMENT);
		Muster.eventually("the job reaches every thing", () -> iot.describeJob(r -> r.jobId(job)).job().jobProcessDetails().numberOfQueuedThings() == 5);
		var executions = iot.listJobExecutionsForJobPaginator(r -> r.jobId(job).maxResults(2));
		Checks.equal("pages have the size asked for", executions.stream().map(p -> p.executionSummaries().size()).collect(Collectors.toList()), List.of(2, 2, 1));
		Checks.equal("a paginator walks the executions", new TreeSet<>(executions.executionSummaries().stream()
			.map(s -> s.thingArn().substring(s.thingArn().lastIndexOf('/') + 1)).toList()), things);
		Checks.that("a paginator finds the job", iot.listJobsPaginator(r -> r.maxResults(1)).jobs().stream().anyMatch(j -> j.jobId().equals(job)), job);

		for (String thing : things) {
			var started = data.startNextPendingJobExecution(r -> r.thingName(thing).statusDetails(Map.of("step", "1"))).execution();
			Checks.equal("started over HTTPS", List.of(started.jobId(), started.versionNumber(), started.jobDocument()), List.of(job, 2L, Muster.DOCUMENT));
			var state = data.updateJobExecution(r -> r.thingName(thing).jobId(job).status("SUCCEEDED").expectedVersion(2L).includeJobExecutionState(true)).executionState();
			Checks.equal("and succeeded", List.of(state.statusAsString(), state.versionNumber(), state.statusDetails()), List.of("SUCCEEDED", 3L, Map.of("step", "1")));
		}
		Muster.eventually("the job completes", () -> iot.describeJob(r -> r.jobId(job)).job().status() == JobStatus.COMPLETED);
		var execution = iot.describeJobExecution(r -> r.jobId(job).thingName(things.first())).execution();
		Checks.equal("the execution as the operator sees it", List.of(execution.status(), execution.statusDetails().detailsMap()), List.of(JobExecutionStatus.SUCCEEDED, Map.of("step", "1")));
		Checks.that("times are moments of now", Math.abs(System.currentTimeMillis() - execution.lastUpdatedAt().toEpochMilli()) < 300_000, execution);
	}

	private static void errors(Muster muster, IotClient iot, IotJobsDataPlaneClient data) throws Exception {
		String thing = muster.name("java-lamp0"), done = muster.name("java-job"), open = muster.job("java-open", thing);
		var missing = Checks.fails("an unknown job", ResourceNotFoundException.class, () -> iot.describeJob(r -> r.jobId("no-such-job")));
		Checks.equal("is a 404", missing.statusCode(), 404);
		Checks.that("with a message and a request id", !missing.awsErrorDetails().errorMessage().isEmpty() && missing.requestId() != null, missing);
		Checks.fails("a job made twice", ResourceAlreadyExistsException.class, () -> iot.createJob(r -> r.jobId(open).targets(muster.arn("thing", thing)).document("{}")));
		Checks.fails("a document that is no JSON", InvalidRequestException.class, () -> iot.createJob(r -> r.jobId(muster.name("bad")).targets(muster.arn("thing", thing)).document("{")));
		Checks.fails("a job that is over", InvalidRequestException.class, () -> iot.cancelJob(r -> r.jobId(done)));
		data.startNextPendingJobExecution(r -> r.thingName(thing));
		Checks.fails("cancelling what is under way", InvalidStateTransitionException.class, () -> iot.cancelJobExecution(r -> r.jobId(open).thingName(thing)));
		Checks.fails("cancelling an old version", VersionConflictException.class, () -> iot.cancelJobExecution(r -> r.jobId(open).thingName(thing).force(true).expectedVersion(1L)));
		iot.cancelJobExecution(r -> r.jobId(open).thingName(thing).force(true).expectedVersion(2L).statusDetails(Map.of("why", "test")));

		var over = Checks.fails("an execution that is over, for the device", TerminalStateException.class, () -> data.describeJobExecution(r -> r.thingName(thing).jobId(done)));
		Checks.equal("is a 410", over.statusCode(), 410);
		Checks.fails("updating it", software.amazon.awssdk.services.iotjobsdataplane.model.InvalidStateTransitionException.class,
			() -> data.updateJobExecution(r -> r.thingName(thing).jobId(done).status("SUCCEEDED")));
		Checks.fails("a thing nobody made", software.amazon.awssdk.services.iotjobsdataplane.model.ResourceNotFoundException.class,
			() -> data.getPendingJobExecutions(r -> r.thingName("no-such-thing")));
	}

	private static void retained(Muster muster) {
		try (IotDataPlaneClient data = IotDataPlaneClient.builder().endpointOverride(muster.api).region(muster.region).credentialsProvider(muster.credentials).build()) {
			String topic = "java/" + muster.name("retained");
			data.publish(r -> r.topic(topic).qos(1).retain(true).contentType("text/plain").payload(SdkBytes.fromUtf8String("kept")));
			Checks.equal("a retained message is read back", data.getRetainedMessage(r -> r.topic(topic)).payload().asUtf8String(), "kept");
			Checks.that("a paginator lists it", data.listRetainedMessagesPaginator(r -> r.maxResults(1)).retainedTopics().stream().anyMatch(t -> t.topic().equals(topic)), topic);
			data.publish(r -> r.topic(topic).qos(1).retain(true).payload(SdkBytes.fromUtf8String("")));
			Checks.fails("an empty one deletes it", software.amazon.awssdk.services.iotdataplane.model.ResourceNotFoundException.class, () -> data.getRetainedMessage(r -> r.topic(topic)));
		}
	}

	private static void whoAmI(Muster muster) {
		try (StsClient sts = StsClient.builder().endpointOverride(muster.api).region(muster.region).credentialsProvider(muster.credentials).build()) {
			Checks.equal("sts get-caller-identity names the account", sts.getCallerIdentity().account(), muster.text("account"));
		}
	}
}
