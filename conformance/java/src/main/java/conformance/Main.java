package conformance;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Runs the clients named on the command line, or all of them. */
final class Main {
	interface Client {
		void run(Muster muster) throws Exception;
	}

	public static void main(String[] names) {
		Map<String, Client> clients = new LinkedHashMap<>();
		clients.put("aws-sdk", AwsSdk::run);
		clients.put("device-sdk-v2", DeviceSdkV2::run);
		clients.put("device-sdk-v1", DeviceSdkV1::run);
		clients.put("hivemq", HiveMq::run);
		int code = 0;
		try (Muster muster = new Muster()) {
			for (String name : names.length > 0 ? List.of(names) : clients.keySet()) clients.get(name).run(muster);
			System.out.println("java: " + Checks.passed() + " checks passed");
		} catch (Throwable e) {
			e.printStackTrace();
			code = 1;
		}
		System.exit(code); // the clients leave threads behind
	}
}
