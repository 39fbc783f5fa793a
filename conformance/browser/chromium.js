// Pages in a headless Chromium of this machine.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

// whyNoPages says what is missing for pages in a browser, or returns undefined.
export function whyNoPages() {
	if (Number.parseInt(process.versions.node) < 20) return `Playwright wants Node 20, and this is ${process.versions.node}`;
	if (!findChromium()) return "there is no Chromium in the PATH";
}

// findChromium returns the path of a Chromium, or undefined.
function findChromium() {
	for (const folder of process.env.PATH.split(delimiter)) {
		for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
			const file = join(folder, name);
			try {
				accessSync(file, constants.X_OK);
				return file;
			} catch {
				// not here
			}
		}
	}
}

// startChromium starts a browser with an empty profile that makes no connections by itself.
export async function startChromium() {
	const { chromium } = await import("playwright-core"); // ends the process where Node is too old
	return chromium.launch({
		executablePath: findChromium(),
		args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
	});
}

// Page is a tab that records its console and its requests.
export class Page {
	static async open(browser, url) {
		const page = new Page();
		page.context = await browser.newContext({ ignoreHTTPSErrors: true });
		page.tab = await page.context.newPage();
		page.console = [];
		page.requests = [];
		page.tab.on("console", (m) => page.console.push(m.text()));
		page.tab.on("pageerror", (e) => page.console.push(String(e)));
		page.tab.on("request", (r) => page.requests.push(r.url()));
		await page.tab.goto(url);
		return page;
	}

	close() {
		return this.context.close();
	}
}
