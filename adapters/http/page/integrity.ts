/** How far the history is sealed, and how anybody can check it. */
import { get } from './api.ts'
import { badge, element, facts, section } from './element.ts'
import { count, instant } from './format.ts'
import type { Integrity } from './model.ts'
import { update } from './update.ts'
import { attempt, loading, repeat, type View } from './view.ts'

const refreshMs = 2000
/** The sealer looks once a second: under load it is always a little behind. */
const lateEvents = 100_000

const states = {
	signed: { mood: 'good', says: 'A signed checkpoint covers every event.' },
	sealed: { mood: 'good', says: 'Every event is in the tree; the next checkpoint covers it.' },
	behind: { mood: 'calm', says: 'The newest events are not in the tree yet.' },
	off: {
		mood: 'calm',
		says: 'Nothing is sealed here: a relay seals its own journal, unless it runs with --no-seal; a copy of its history is not sealed.',
	},
} as const

const commands = [
	'radledger checkpoint --data DIR > checkpoint   # now; keep it elsewhere',
	'radledger verify --data DIR --checkpoint checkpoint',
	'radledger prove --data DIR --position N --out proof',
	'radledger verify --proof proof --checkpoint checkpoint --key KEY',
].join('\n')

export const integrityView: View = {
	title: 'Integrity',
	show(main, _, signal) {
		const place = element('div', {}, loading())
		main.append(
			place,
			section(
				'Checking it',
				element(
					'p',
					{},
					'Every event is a leaf of one tree, and the relay signs the tree as it grows. Whoever has kept a checkpoint can tell that nothing before it was changed since, without trusting this page:',
				),
				element('pre', { tabindex: 0, 'aria-label': 'Commands' }, commands),
			),
		)
		repeat(() => attempt(place, () => show(place, signal)), refreshMs, signal)
	},
}

async function show(place: Element, signal: AbortSignal): Promise<void> {
	const found = await get<Integrity>('integrity', {}, signal)
	const { mood, says } = states[found.state]
	const isLate = found.state === 'behind' && found.position - found.sealed > lateEvents
	const checkpoint = found.checkpoint ?? null
	update(
		place,
		facts([
			['State', element('span', {}, badge(found.state, isLate ? 'warn' : mood), ` ${says}`)],
			['Events', count(found.position)],
			['In the tree', count(found.sealed)],
			['Signed', count(found.signed)],
			['Signed at', instant(found.signedAt)],
			['Key', found.key],
		]),
		checkpoint &&
			section(
				'Newest checkpoint',
				element('pre', { tabindex: 0, 'aria-label': 'Newest checkpoint' }, checkpoint),
			),
	)
}
