/** `npm run sim -- --seed S --steps N`: one run, or with --runs R as many, each with the next seed. */
import { parseArgs } from 'node:util'
import { type Outcome, simulate, simulateOnSqlite } from './simulate.ts'

const usage = `usage: npm run sim -- [--seed S] [--steps N] [--runs R] [--sqlite] [--trace] [--counts]
  --seed   what all chance of the run is made from; a fresh one unless told
  --steps  how many steps are taken before everybody goes to rest; 20000 unless told
  --runs   so many runs, each with the next seed
  --sqlite the journal is the real one, and crashes leave any part of what was being written
  --trace  print every step
  --counts print how often everything happened`

/** A seed that nobody has chosen. */
export function fresh(): number {
	return Math.floor(Math.random() * 2 ** 32)
}

function replay({ seed }: { seed: number }, steps: number): string {
	return `npm run sim -- --seed ${seed} --steps ${steps}`
}

export function verdict(outcome: Outcome, steps: number, sqlite = false): string {
	const { seed, broken, hash, simulatedMs } = outcome
	const hours = (simulatedMs / 3_600_000).toFixed(1)
	const run = `seed ${seed}: ${outcome.steps} steps, ${hours} h, trace ${hash.slice(0, 16)}`
	if (broken === undefined) return `${run}: every rule held.`
	return `${run}: A RULE WAS BROKEN at step ${outcome.steps}.\n${broken}\nAgain: ${replay(outcome, steps)}${sqlite ? ' --sqlite' : ''}`
}

function wholeNumber(text: string | undefined, otherwise: number): number {
	const value = text === undefined ? otherwise : Number(text)
	if (Number.isSafeInteger(value) && value >= 0) return value
	console.error(`${text} is not a whole number.\n${usage}`)
	process.exit(2)
}

if (import.meta.main) {
	const { values } = parseArgs({
		options: {
			seed: { type: 'string' },
			steps: { type: 'string' },
			runs: { type: 'string' },
			sqlite: { type: 'boolean' },
			trace: { type: 'boolean' },
			counts: { type: 'boolean' },
		},
	})
	const first = wholeNumber(values.seed, fresh())
	const steps = wholeNumber(values.steps, 20_000)
	for (let seed = first; seed < first + wholeNumber(values.runs, 1); seed++) {
		const settings = values.trace ? { seed, steps, print: console.log } : { seed, steps }
		const outcome = values.sqlite ? await simulateOnSqlite(settings) : await simulate(settings)
		console.log(verdict(outcome, steps, values.sqlite))
		if (values.counts) console.log(outcome.counts)
		if (outcome.broken !== undefined) process.exitCode = 1
	}
}
