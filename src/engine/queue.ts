/** What waits, in the order in which it came: in and out in constant time. */
export type Queue<T> = { items: T[]; head: number }

export function newQueue<T>(): Queue<T> {
	return { items: [], head: 0 }
}

export function queueSize({ items, head }: Queue<unknown>): number {
	return items.length - head
}

export function enqueue<T>(queue: Queue<T>, item: T): void {
	queue.items.push(item)
}

/** The one that waits longest; undefined: none does. */
export function firstOf<T>({ items, head }: Queue<T>): T | undefined {
	return items[head]
}

/** Takes that one out. */
export function dequeue<T>(queue: Queue<T>): T | undefined {
	const item = queue.items[queue.head]
	if (queue.head >= queue.items.length) return undefined
	queue.head++
	// What is taken out is let go when it is half of the memory: a move each, all in all.
	if (queue.head > 32 && queue.head * 2 > queue.items.length) {
		queue.items = queue.items.slice(queue.head)
		queue.head = 0
	}
	return item
}
