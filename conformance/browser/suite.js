// Prints a line for each part, and how many checks passed.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { build } from "esbuild";

import { Page, startChromium, whyNoPages } from "./chromium.js";
import { wholeJob } from "./job.js";

let passed = 0;

async function part(name, body) {
	const checks = await body();
	passed += checks;
	console.log(`${name}: ${checks} ${checks === 1 ? "check" : "checks"}`);
}

// configOf returns what a client of the SDK needs to call the server of a ready file.
function configOf(ready, endpoint = ready.api_url) {
	const of = (name) => readFileSync(ready.credentials_file, "utf8").match(new RegExp(`^${name} *= *(.*)$`, "m"))[1].trim();
	return {
		endpoint, region: ready.region, maxAttempts: 1,
		credentials: { accessKeyId: of("aws_access_key_id"), secretAccessKey: of("aws_secret_access_key") },
	};
}

const name = () => `lamp-${randomUUID()}`;
const shared = JSON.parse(readFileSync(process.env.MUSTER_READY));

await part("in Node", async () => (await wholeJob(configOf(shared), name())).length);

const missing = whyNoPages();
if (!missing) {
	await inBrowser();
} else if ((process.env.MUSTER_REQUIRE ?? "").split(",").includes("browser")) {
	console.error(`MUSTER_REQUIRE=${process.env.MUSTER_REQUIRE}, but ${missing}`);
	process.exit(1);
} else {
	console.log(`in Chromium: skipped, needs browser: ${missing}`);
}
console.log(`${passed} checks passed`);

async function inBrowser() {
	const site = await servePage();
	// One port, two origins: a browser takes a name and an address for two sites.
	const listed = `http://127.0.0.1:${site.port}`, unlisted = `http://localhost:${site.port}`;
	const browser = await startChromium();
	const server = await serve("--cors-origin", listed);
	try {
		for (const [where, endpoint] of [["", server.ready.api_url], [" over TLS", `https://${server.ready.alpn_addr}`]]) {
			await part(`a page of a listed origin${where}`, async () => {
				const page = await Page.open(browser, listed);
				const checked = await page.tab.evaluate(([config, name]) => job.wholeJob(config, name), [configOf(server.ready, endpoint), name()]);
				assert.deepEqual(page.console.filter((line) => line.includes("CORS")), []);
				await page.close();
				return checked.length;
			});
		}
		await part("a page of an origin that is not listed", async () => {
			await seesNothing(browser, unlisted, server.ready);
			assert.match(server.log(), new RegExp(`--cors-origin.*origin=${unlisted}`));
			return 1;
		});
		await part("a page, and a server without --cors-origin", () => seesNothing(browser, listed, shared));
		await part("a look at the root", async () => {
			const page = await Page.open(browser, server.ready.api_url);
			assert.equal(await page.tab.textContent("h1"), "Muster");
			assert.equal(await page.tab.evaluate(() => getComputedStyle(document.querySelector("section")).borderTopStyle), "solid", "the style is applied");
			assert.deepEqual(page.console, []);
			assert.deepEqual(page.requests.filter((url) => !url.startsWith("data:")), [server.ready.api_url + "/"]);
			for (const width of [1280, 390, 320]) {
				await page.tab.setViewportSize({ width, height: 800 });
				assert.ok(await page.tab.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `nothing stands out at ${width} pixels`);
			}
			await page.close();
			return 4;
		});
	} finally {
		await browser.close();
		site.close();
		await server.stop();
	}
}

// seesNothing checks that a page cannot read the answers of a server, and that the browser says why in its console.
async function seesNothing(browser, origin, ready) {
	const page = await Page.open(browser, origin);
	const said = await page.tab.evaluate(([config, name]) => job.wholeJob(config, name).then(String, String), [configOf(ready), name()]);
	assert.equal(said, "TypeError: Failed to fetch");
	assert.match(page.console.join("\n"), /blocked by CORS policy/);
	await page.close();
	return 1;
}

// servePage serves an empty page with job.js, bundled, at a free port of this machine.
async function servePage() {
	const bundle = await build({ entryPoints: ["job.js"], bundle: true, format: "iife", globalName: "job", platform: "browser", write: false, minify: true });
	const page = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script src="/job.js"></script>`;
	const site = createServer((request, response) => {
		const script = request.url === "/job.js";
		response.setHeader("Content-Type", script ? "text/javascript" : "text/html");
		response.end(script ? bundle.outputFiles[0].text : page);
	});
	await new Promise((listens) => site.listen(0, "127.0.0.1", listens));
	return { port: site.address().port, close: () => site.closeAllConnections() ?? site.close() };
}

// serve starts a server with a folder of its own.
async function serve(...flags) {
	const folder = mkdtempSync(join(tmpdir(), "muster-browser-"));
	const file = join(folder, "ready.json");
	const here = "127.0.0.1:0";
	const muster = spawn(process.env.MUSTER, ["serve", "--data", join(folder, "data"), "--ready-file", file,
		"--api", here, "--alpn", here, "--mqtts", "", "--https", "", "--files", "", "--metrics", "", ...flags], { stdio: ["ignore", "ignore", "pipe"] });
	let log = "";
	muster.stderr.on("data", (text) => (log += text));
	const ended = new Promise((resolve) => muster.on("exit", resolve));
	for (let i = 0; i < 600 && !existsSync(file) && muster.exitCode === null; i++) await pause(50);
	if (!existsSync(file)) throw new Error(`the server did not start: ${log}`);
	return {
		ready: JSON.parse(readFileSync(file)), log: () => log,
		stop: async () => {
			muster.kill();
			await ended;
			rmSync(folder, { recursive: true });
		},
	};
}
