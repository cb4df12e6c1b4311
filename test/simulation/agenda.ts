/** What is to happen when: a heap by time, and by order of arrival where times are the same. */

export type Agenda = {
	/** Does the work when the truth says `at`; `what` is for the trace. */
	add(at: number, what: string, work: () => void): void
	/** When the next work is due; undefined without any. */
	due(): number | undefined
	take(): Appointment | undefined
	size(): number
}

export type Appointment = {
	readonly at: number
	readonly order: number
	readonly what: string
	readonly work: () => void
}

export function createAgenda(): Agenda {
	const heap: Appointment[] = []
	let added = 0

	function up(start: number): void {
		for (let at = start; at > 0; ) {
			const parent = (at - 1) >>> 1
			if (!before(heap[at]!, heap[parent]!)) return
			swap(at, parent)
			at = parent
		}
	}
	function down(): void {
		for (let at = 0; ; ) {
			const left = at * 2 + 1
			if (left >= heap.length) return
			const right = left + 1
			const child = right < heap.length && before(heap[right]!, heap[left]!) ? right : left
			if (!before(heap[child]!, heap[at]!)) return
			swap(at, child)
			at = child
		}
	}
	function swap(a: number, b: number): void {
		const kept = heap[a]!
		heap[a] = heap[b]!
		heap[b] = kept
	}

	return {
		add(at, what, work) {
			heap.push({ at, order: added++, what, work })
			up(heap.length - 1)
		},
		due: () => heap[0]?.at,
		take() {
			const first = heap[0]
			const last = heap.pop()
			if (first === undefined || last === undefined || heap.length === 0) return first
			heap[0] = last
			down()
			return first
		},
		size: () => heap.length,
	}
}

function before(a: Appointment, b: Appointment): boolean {
	return a.at < b.at || (a.at === b.at && a.order < b.order)
}
