package conformance;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.UUID;
import java.util.function.BooleanSupplier;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.TrustManagerFactory;
import software.amazon.awssdk.auth.credentials.AwsCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.auth.credentials.ProfileCredentialsProvider;
import software.amazon.awssdk.profiles.ProfileFile;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.iot.IotClient;

/** The running server as its ready file has it, and the operator's side of every suite. */
final class Muster implements AutoCloseable {
	static final long LIMIT = 20; // seconds that anything may take
	static final String DOCUMENT = "{ \"do\": \"flash\",  \"size\": 12 }";
	static final String PASSWORD = "only for this run";

	final JsonObject ready;
	final URI api;
	final Region region;
	final AwsCredentialsProvider credentials;
	final IotClient iot;
	private final Path folder;
	private final String run = UUID.randomUUID().toString().substring(0, 8);

	Muster() throws Exception {
		ready = JsonParser.parseString(Files.readString(Path.of(System.getenv("MUSTER_READY")))).getAsJsonObject();
		api = URI.create(text("api_url"));
		region = Region.of(text("region"));
		credentials = ProfileCredentialsProvider.builder()
			.profileFile(ProfileFile.builder().content(Path.of(text("credentials_file"))).type(ProfileFile.Type.CREDENTIALS).build()).build();
		iot = IotClient.builder().endpointOverride(api).region(region).credentialsProvider(credentials).build();
		folder = Files.createTempDirectory("conformance-java");
	}

	String text(String name) {
		return ready.get(name).getAsString();
	}

	AwsCredentials keys() {
		return credentials.resolveCredentials();
	}

	/** A name that no other run uses. */
	String name(String what) {
		return what + "-" + run;
	}

	String arn(String kind, String what) {
		return "arn:aws:iot:" + text("region") + ":" + text("account") + ":" + kind + "/" + what;
	}

	String host(String listener) {
		String address = text(listener);
		return address.substring(0, address.lastIndexOf(':'));
	}

	int port(String listener) {
		String address = text(listener);
		return Integer.parseInt(address.substring(address.lastIndexOf(':') + 1));
	}

	/** The roots of ca.pem, all of them. */
	private KeyStore roots() throws Exception {
		KeyStore roots = KeyStore.getInstance("PKCS12");
		roots.load(null, null);
		try (InputStream pem = Files.newInputStream(Path.of(text("ca_file")))) {
			for (Certificate root : CertificateFactory.getInstance("X.509").generateCertificates(pem)) roots.setCertificateEntry("root" + roots.size(), root);
		}
		return roots;
	}

	TrustManagerFactory trust() throws Exception {
		TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
		trust.init(roots());
		return trust;
	}

	/** The roots in a file for -Djavax.net.ssl.trustStore. */
	String trustStore() throws Exception {
		Path file = folder.resolve("roots.p12");
		try (OutputStream out = Files.newOutputStream(file)) {
			roots().store(out, PASSWORD.toCharArray());
		}
		return file.toString();
	}

	/** A thing, and its certificate with the minimal policy of identity-and-auth.md section B.6. */
	final class Device {
		final String thing, certificate, key;

		private Device(String thing) {
			this.thing = thing;
			certificate = folder.resolve(thing + ".pem").toString();
			key = folder.resolve(thing + ".key").toString();
		}

		/** Certificate and key as Java wants them. */
		KeyManagerFactory keys() throws Exception {
			Path store = folder.resolve(thing + ".p12");
			Process openssl = new ProcessBuilder("openssl", "pkcs12", "-export", "-in", certificate, "-inkey", key, "-out", store.toString(), "-passout", "pass:" + PASSWORD).inheritIO().start();
			if (openssl.waitFor() != 0) throw new IllegalStateException("openssl pkcs12 failed");
			KeyStore keys = KeyStore.getInstance("PKCS12");
			try (InputStream in = Files.newInputStream(store)) {
				keys.load(in, PASSWORD.toCharArray());
			}
			KeyManagerFactory factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
			factory.init(keys, PASSWORD.toCharArray());
			return factory;
		}

		String jobs(String below) {
			return "$aws/things/" + thing + "/jobs/" + below;
		}
	}

	Device enroll(String what) throws Exception {
		return enroll(what, "jobs/*");
	}

	/** The same with another part of the thing's topics than its jobs. */
	Device enroll(String what, String topics) throws Exception {
		Device device = new Device(name(what));
		String allowed = "$aws/things/${iot:Connection.Thing.ThingName}/" + topics;
		String policy = """
			{"Version": "2012-10-17", "Statement": [
				{"Effect": "Allow", "Action": "iot:Connect", "Resource": "%s"},
				{"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"], "Resource": "%s"},
				{"Effect": "Allow", "Action": "iot:Subscribe", "Resource": "%s"}]}"""
			.formatted(arn("client", "${iot:Connection.Thing.ThingName}"), arn("topic", allowed), arn("topicfilter", allowed));
		iot.createThing(r -> r.thingName(device.thing));
		var made = iot.createKeysAndCertificate(r -> r.setAsActive(true));
		iot.createPolicy(r -> r.policyName(device.thing).policyDocument(policy));
		iot.attachPolicy(r -> r.policyName(device.thing).target(made.certificateArn()));
		iot.attachThingPrincipal(r -> r.thingName(device.thing).principal(made.certificateArn()));
		Files.writeString(Path.of(device.certificate), made.certificatePem());
		Files.writeString(Path.of(device.key), made.keyPair().privateKey());
		return device;
	}

	/** A job for one thing. */
	String job(String what, String thing) {
		String id = name(what);
		iot.createJob(r -> r.jobId(id).targets(arn("thing", thing)).document(DOCUMENT));
		return id;
	}

	/** Asserts that the job is over and its one execution ended like this. */
	void ended(String job, String counted) throws Exception {
		eventually("the operator sees " + job + " " + counted, () -> {
			var seen = iot.describeJob(r -> r.jobId(job)).job();
			var details = seen.jobProcessDetails();
			int count = counted.equals("succeeded") ? details.numberOfSucceededThings() : details.numberOfRejectedThings();
			return seen.statusAsString().equals("COMPLETED") && count == 1;
		});
	}

	static void eventually(String what, BooleanSupplier holds) throws InterruptedException {
		long end = System.nanoTime() + Duration.ofSeconds(LIMIT).toNanos();
		while (!holds.getAsBoolean()) {
			if (System.nanoTime() > end) throw new AssertionError("waited " + LIMIT + " s in vain: " + what);
			Thread.sleep(20);
		}
		Checks.that(what, true, "");
	}

	@Override
	public void close() throws Exception {
		iot.close();
		try (var files = Files.list(folder)) {
			for (Path file : files.toList()) Files.delete(file);
		}
		Files.delete(folder);
	}
}
