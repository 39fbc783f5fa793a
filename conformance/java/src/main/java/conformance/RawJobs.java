package conformance;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** Both device workflows in JSON, for clients that know MQTT and nothing of jobs. */
final class RawJobs {
	/** A connected client. What it hears it gives to the RawJobs that it was made for. */
	interface Link extends AutoCloseable {
		void subscribe(String filter) throws Exception;

		void publish(String topic, String payload) throws Exception;
	}

	private final Muster muster;
	private final Muster.Device device;
	private final Map<String, BlockingQueue<JsonObject>> heard = new ConcurrentHashMap<>();

	RawJobs(Muster muster, Muster.Device device) {
		this.muster = muster;
		this.device = device;
	}

	void hear(String topic, byte[] payload) {
		queue(topic).add(JsonParser.parseString(new String(payload, StandardCharsets.UTF_8)).getAsJsonObject());
	}

	private BlockingQueue<JsonObject> queue(String topic) {
		return heard.computeIfAbsent(topic, t -> new LinkedBlockingQueue<>());
	}

	private JsonObject next(String below) throws InterruptedException {
		JsonObject message = queue(device.jobs(below)).poll(Muster.LIMIT, TimeUnit.SECONDS);
		if (message == null) throw new AssertionError("waited " + Muster.LIMIT + " s in vain for " + below + "; heard " + heard);
		return message;
	}

	private JsonObject ask(Link link, String below, String payload, String answer) throws Exception {
		link.publish(device.jobs(below), payload);
		return next(below + "/" + answer);
	}

	void run(Link link, String label) throws Exception {
		for (String filter : new String[] {"notify-next", "start-next/+", "get/+", "+/get/+", "+/update/+"}) link.subscribe(device.jobs(filter));

		JsonObject nothing = ask(link, "start-next", "{\"clientToken\":\"a\"}", "accepted");
		Checks.equal("nothing is pending", nothing.keySet(), Set.of("clientToken", "timestamp"));

		String job = muster.job(label, device.thing);
		JsonObject told = next("notify-next").getAsJsonObject("execution");
		Checks.equal("notify-next tells of the job", told.get("jobDocument"), JsonParser.parseString(Muster.DOCUMENT));
		JsonObject started = ask(link, "start-next", "{\"clientToken\":\"b\"}", "accepted");
		Checks.equal("the token comes back", started.get("clientToken").getAsString(), "b");
		Checks.equal("start-next starts it", started.getAsJsonObject("execution").get("versionNumber").getAsInt(), 2);
		JsonObject stale = ask(link, job + "/update", "{\"status\":\"SUCCEEDED\",\"expectedVersion\":\"1\"}", "rejected");
		Checks.equal("a stale update is refused", stale.get("code").getAsString(), "VersionMismatch");
		Checks.equal("with the state as it is", stale.getAsJsonObject("executionState").get("versionNumber").getAsInt(), 2);
		JsonObject progress = ask(link, job + "/update", "{\"status\":\"IN_PROGRESS\",\"statusDetails\":{\"step\":\"1\"}}", "accepted");
		Checks.equal("progress", progress.keySet(), Set.of("timestamp"));
		JsonObject done = ask(link, job + "/update", "{\"status\":\"SUCCEEDED\",\"includeJobExecutionState\":true}", "accepted");
		Checks.equal("success", done.getAsJsonObject("executionState"), JsonParser.parseString("{\"status\":\"SUCCEEDED\",\"statusDetails\":{\"step\":\"1\"},\"versionNumber\":4}"));
		Checks.equal("notify-next tells that nothing is left", next("notify-next").keySet(), Set.of("timestamp"));
		muster.ended(job, "succeeded");

		String picked = muster.job(label + "-picked", device.thing);
		next("notify-next");
		JsonObject pending = ask(link, "get", "", "accepted");
		Checks.equal("get lists the queue", pending.getAsJsonArray("queuedJobs").get(0).getAsJsonObject().get("jobId").getAsString(), picked);
		JsonObject described = ask(link, picked + "/get", "{}", "accepted");
		Checks.equal("describe shows the document", described.getAsJsonObject("execution").get("jobDocument"), JsonParser.parseString(Muster.DOCUMENT));
		Checks.equal("picked and rejected", ask(link, picked + "/update", "{\"status\":\"REJECTED\"}", "accepted").keySet(), Set.of("timestamp"));
		Checks.equal("a finished one is not shown", ask(link, picked + "/get", "{}", "rejected").get("code").getAsString(), "TerminalStateReached");
		next("notify-next");
		muster.ended(picked, "rejected");

		ask(link, "get", "{}", "accepted"); // whatever was on its way is here now
		heard.values().removeIf(BlockingQueue::isEmpty);
		Checks.that("nothing came twice", heard.isEmpty(), heard);
	}
}
