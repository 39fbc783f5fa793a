package conformance;

import com.amazonaws.services.iot.client.AWSIotDevice;
import com.amazonaws.services.iot.client.AWSIotException;
import com.amazonaws.services.iot.client.AWSIotMessage;
import com.amazonaws.services.iot.client.AWSIotMqttClient;
import com.amazonaws.services.iot.client.AWSIotQos;
import com.amazonaws.services.iot.client.AWSIotTopic;
import com.amazonaws.services.iot.client.core.AwsIotWebsocketConnection;
import com.amazonaws.services.iot.client.util.AwsIotWebSocketUrlSigner;
import java.lang.reflect.Field;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.Level;
import java.util.logging.Logger;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;

/** The first AWS IoT Device SDK for Java: Paho and MQTT 3.1.1, with a certificate and over WebSocket with SigV4. */
final class DeviceSdkV1 {
	private static final long LIMIT = Muster.LIMIT * 1000;

	private static final Logger LOG = Logger.getLogger("com.amazonaws.services.iot"); // held, or its level is forgotten

	private DeviceSdkV1() {}

	static void run(Muster muster) throws Exception {
		LOG.setLevel(Level.OFF);
		// The SDK's WebSocket takes its roots from here, as its users do with -Djavax.net.ssl.trustStore.
		System.setProperty("javax.net.ssl.trustStore", muster.trustStore());
		System.setProperty("javax.net.ssl.trustStorePassword", Muster.PASSWORD);

		Checks.about("device-sdk-v1 certificate");
		Muster.Device device = muster.enroll("java1");
		RawJobs jobs = new RawJobs(muster, device);
		try (Link link = new Link(certificate(muster, device, device.thing), jobs)) {
			jobs.run(link, "java1");
		}
		Checks.fails("another's client id is refused", AWSIotException.class, () -> {
			AWSIotMqttClient stranger = certificate(muster, device, "somebody-else");
			stranger.setMaxConnectionRetries(0);
			stranger.connect(LIMIT);
		});

		Checks.about("device-sdk-v1 shadow");
		shadowsAreNotServed(muster);

		Checks.about("device-sdk-v1 websocket");
		Muster.Device web = muster.enroll("java1-ws");
		RawJobs webJobs = new RawJobs(muster, web);
		try (Link link = new Link(websocket(muster, web.thing), webJobs)) {
			webJobs.run(link, "java1-ws");
		}
	}

	/** Who attaches an AWSIotDevice asks for a shadow, is told that there is none, and gets its jobs all the same. */
	private static void shadowsAreNotServed(Muster muster) throws Exception {
		Muster.Device device = muster.enroll("java1-shadow", "*");
		RawJobs jobs = new RawJobs(muster, device);
		AtomicInteger lost = new AtomicInteger();
		AWSIotMqttClient client = new AWSIotMqttClient(muster.host("mqtts_addr"), device.thing, sockets(muster, device), muster.port("mqtts_addr")) {
			@Override
			public void onConnectionFailure() {
				lost.incrementAndGet();
				super.onConnectionFailure();
			}
		};
		AWSIotDevice shadow = new AWSIotDevice(device.thing);
		client.attach(shadow);
		try (Link link = new Link(client, jobs)) {
			var refused = Checks.fails("the shadow is refused", AWSIotException.class, () -> shadow.get(LIMIT));
			Checks.that("by name", String.valueOf(refused.getMessage()).contains("Shadow"), refused);
			jobs.run(link, "java1-shadow");
			Checks.equal("the connection lasts", lost.get(), 0);
		}
	}

	private static AWSIotMqttClient certificate(Muster muster, Muster.Device device, String clientId) throws Exception {
		return new AWSIotMqttClient(muster.host("mqtts_addr"), clientId, sockets(muster, device), muster.port("mqtts_addr"));
	}

	private static SSLSocketFactory sockets(Muster muster, Muster.Device device) throws Exception {
		SSLContext tls = SSLContext.getInstance("TLS");
		tls.init(device.keys().getKeyManagers(), muster.trust().getTrustManagers(), null);
		return tls.getSocketFactory();
	}

	/** The SDK knows no port for WebSocket but 443, so its signer is made anew for the port that the server has here. */
	private static AWSIotMqttClient websocket(Muster muster, String clientId) throws Exception {
		var keys = muster.keys();
		String host = muster.host("alpn_addr"), region = muster.text("region");
		AWSIotMqttClient client = new AWSIotMqttClient(host, clientId, keys.accessKeyId(), keys.secretAccessKey(), null, region);
		AwsIotWebSocketUrlSigner signer = new AwsIotWebSocketUrlSigner(host + ":" + muster.port("alpn_addr"), region);
		signer.updateCredentials(keys.accessKeyId(), keys.secretAccessKey(), null);
		Field field = AwsIotWebsocketConnection.class.getDeclaredField("urlSigner");
		field.setAccessible(true);
		field.set(client.getConnection(), signer);
		return client;
	}

	private static final class Link implements RawJobs.Link {
		private final AWSIotMqttClient client;
		private final RawJobs jobs;

		Link(AWSIotMqttClient client, RawJobs jobs) throws Exception {
			this.client = client;
			this.jobs = jobs;
			client.connect(LIMIT);
		}

		@Override
		public void subscribe(String filter) throws Exception {
			client.subscribe(new AWSIotTopic(filter, AWSIotQos.QOS1) {
				@Override
				public void onMessage(AWSIotMessage message) {
					jobs.hear(message.getTopic(), message.getPayload());
				}
			}, LIMIT, true);
		}

		@Override
		public void publish(String topic, String payload) throws Exception {
			client.publish(topic, AWSIotQos.QOS1, payload, LIMIT);
		}

		@Override
		public void close() throws Exception {
			client.disconnect(LIMIT);
		}
	}
}
