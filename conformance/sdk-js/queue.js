// Waiting, with a time limit, for what a server is to send.

export const LIMIT = 10_000; // milliseconds that anything may take

// within fails when promise takes too long.
export function within(promise, what) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(`waited ${LIMIT} ms in vain for ${what}`)), LIMIT);
	});
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// Queue keeps what arrives until it is taken.
export class Queue {
	constructor(name) {
		this.name = name;
		this.items = [];
		this.waiting = [];
	}

	put(item) {
		const taker = this.waiting.shift();
		if (taker) taker(item);
		else this.items.push(item);
	}

	next() {
		if (this.items.length > 0) return Promise.resolve(this.items.shift());
		return within(new Promise((resolve) => this.waiting.push(resolve)), this.name);
	}

	get empty() {
		return this.items.length === 0;
	}
}
