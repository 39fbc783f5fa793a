package conformance;

import java.util.Objects;

/** Counts what holds and ends the program at the first thing that does not. */
final class Checks {
	private static int passed;
	private static String subject = "";

	private Checks() {}

	/** From here on, checks are about this client. */
	static void about(String client) {
		subject = client;
	}

	static void equal(String what, Object got, Object want) {
		that(what, Objects.equals(got, want), "got " + got + ", want " + want);
	}

	static void that(String what, boolean holds, Object seen) {
		if (!holds) throw new AssertionError(subject + ": " + what + ": " + seen);
		passed++;
		System.out.println("ok   " + subject + ": " + what);
	}

	/** The error that a call must end with. */
	static <E extends Throwable> E fails(String what, Class<E> with, Call call) {
		try {
			call.make();
		} catch (Throwable e) {
			that(what, with.isInstance(e), e);
			return with.cast(e);
		}
		throw new AssertionError(subject + ": " + what + ": nothing failed, want " + with.getSimpleName());
	}

	static int passed() {
		return passed;
	}

	interface Call {
		void make() throws Throwable;
	}
}
