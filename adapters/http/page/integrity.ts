/** How far the history is sealed, and how anybody can check it. */
import { get } from './api.ts'
import { badge, element, facts, section } from './element.ts'
import { count, instant } from './format.ts'
import type { Integrity } from './model.ts'
import { update } from './update.ts'
import { attempt, loading, repeat, type View } from './view.ts'

const refreshMs = 2000
const moods: Readonly<Record<string, 'good' | 'warn' | 'bad' | 'calm'>> = {
	sealed: 'good',
	behind: 'warn',
	failed: 'bad',
	off: 'calm',
}

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
					'Every event is a leaf of one tree, and the relay signs the tree as it grows. Whoever has an old checkpoint can prove that nothing before it was changed since, without trusting this page:',
				),
				element(
					'pre',
					{},
					'radledger verify --data DIR\nradledger prove --data DIR --position N --out proof\nradledger verify --proof proof --checkpoint checkpoint --key key',
				),
			),
		)
		repeat(
			() =>
				attempt(place, async () => {
					const found = await get<Integrity>('integrity', {}, signal)
					update(
						place,
						facts([
							['State', badge(found.state, moods[found.state] ?? 'calm')],
							['Journal', count(found.position)],
							['Sealed up to', count(found.sealed)],
							['Not sealed yet', count(Math.max(found.position - found.sealed, 0))],
							['Last checkpoint', instant(found.sealedAt)],
							['Key', found.key],
							['Trouble', found.trouble],
						]),
					)
				}),
			refreshMs,
			signal,
		)
	},
}
