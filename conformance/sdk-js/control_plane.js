// The operator's side: a process with boto3 (control_plane.py), one line of JSON a call.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

export class ControlPlane {
	constructor() {
		const script = new URL("control_plane.py", import.meta.url).pathname;
		this.process = spawn(process.env.PYTHON || "python3", [script], { stdio: ["pipe", "pipe", "inherit"] });
		this.answers = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
		this.turn = Promise.resolve();
	}

	// call makes one call of boto3's iot client. Calls are made one after another.
	call(name, parameters = {}) {
		const made = this.turn.then(async () => {
			this.process.stdin.write(JSON.stringify({ call: name, with: parameters }) + "\n");
			const { value, done } = await this.answers.next();
			if (done) throw new Error(`the operator's process ended during ${name}`);
			const answer = JSON.parse(value);
			if (answer.error) throw new Error(answer.error);
			return answer.ok;
		});
		this.turn = made.catch(() => {});
		return made;
	}

	close() {
		this.process.stdin.end();
	}
}
