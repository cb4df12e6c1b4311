/**
 * Analysts who ask an HTTP API for whatever it has, one question after the other on each of several
 * connections, and one who follows the events: `node analysts.ts PORT SECONDS`. Prints what came of it.
 */
const [port, seconds] = process.argv.slice(2).map(Number) as [number, number]

const questions = [
	...['/sessions?state=live&limit=1000', '/attempts?limit=1000&format=csv', '/statistics'],
	...[
		'/events?order=newest&limit=1000&format=ndjson',
		'/statistics/series',
		'/subscribers?limit=500',
	],
	...['/sessions?limit=1000&at=4000000000000', '/upstreams', '/accounting-domains?limit=500'],
]
const connections = 6
const origin = `http://127.0.0.1:${port}`
const begin = performance.now()
const over = () => performance.now() - begin > seconds * 1000
let answers = 0
let failed = 0

async function analyst(number: number): Promise<void> {
	for (let n = number; !over(); n++) {
		const metrics = n % 20 === 0
		const path = metrics ? '/metrics' : `/api/v1${questions[n % questions.length]}`
		const response = await fetch(origin + path)
		await response.arrayBuffer()
		if (response.ok) answers++
		else failed++
	}
}

async function follower(): Promise<void> {
	const signal = AbortSignal.timeout(seconds * 1000)
	try {
		const response = await fetch(`${origin}/api/v1/events/live?gaps=true`, { signal })
		for await (const _ of response.body!) if (over()) return
	} catch (error) {
		if ((error as Error).name !== 'TimeoutError') throw error
	}
}

await Promise.all([follower(), ...Array.from({ length: connections }, (_, i) => analyst(i))])
const lasted = (performance.now() - begin) / 1000
process.stdout.write(JSON.stringify({ answers, failed, lasted }))
