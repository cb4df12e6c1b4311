/** Counters as the shell has them, with their baseline. */
import { getAll, post } from './api.ts'
import { type Child, element, section, table } from './element.ts'
import { count, instant } from './format.ts'
import type { Statistic } from './model.ts'
import { update } from './update.ts'
import { attempt, loading, nothing, repeat, type View } from './view.ts'

const refreshMs = 2000

const subjects = [
	{ of: 'relay', title: 'Relay', scope: 'radius relay' },
	{ of: 'upstream', title: 'RADIUS servers', scope: 'radius' },
	{ of: 'dhcp', title: 'DHCP', scope: 'ip dhcp-local' },
	{ of: 'dynamic-request', title: 'Disconnect and CoA', scope: 'radius dynamic-request' },
] as const

export const statisticsView: View = {
	title: 'Statistics',
	show(main, parameters, signal) {
		const chosen = subjects.find(({ of }) => of === parameters.get('of')) ?? subjects[0]
		const place = element('div', {}, loading())
		const said = element('p', { class: 'note', role: 'status' })
		const button = element('button', { type: 'button' }, 'Set baseline')
		main.append(
			element(
				'nav',
				{ class: 'row tabs', 'aria-label': 'Statistics of' },
				...subjects.map(({ of, title }) =>
					element(
						'a',
						{
							href: `#/statistics?of=${of}`,
							'aria-current': of === chosen.of ? 'page' : undefined,
						},
						title,
					),
				),
			),
			element('div', { class: 'row' }, button, said),
			place,
		)
		const look = () => attempt(place, () => show(place, chosen.of, signal))
		button.addEventListener('click', () =>
			attempt(said, async () => {
				const routers = new Set(
					[...place.querySelectorAll<HTMLElement>('[data-router]')].map(
						each => each.dataset['router']!,
					),
				)
				for (const virtualRouter of routers) {
					await post('baselines', { virtualRouter, scope: chosen.scope })
				}
				said.textContent = `Baseline set ${instant(Date.now())}.`
				await look()
			}),
		)
		repeat(look, refreshMs, signal)
	},
}

async function show(place: HTMLElement, of: string, signal: AbortSignal): Promise<void> {
	const items = await getAll<Statistic>('statistics', { of }, signal)
	const groups = new Map<string, Statistic[]>()
	for (const row of items) {
		const key = JSON.stringify([row.virtualRouter, row.service, row.peer])
		groups.set(key, [...(groups.get(key) ?? []), row])
	}
	if (groups.size === 0) {
		update(place, nothing('Nothing is counted here.'))
		return
	}
	update(place, element('div', { class: 'plots' }, ...[...groups.values()].map(group)))
}

function group(rows: readonly Statistic[]): HTMLElement {
	const { virtualRouter, service, peer, baselineAt } = rows[0]!
	const title = [service, peer, virtualRouter === 'default' ? null : virtualRouter]
		.filter(part => part !== null && part !== '')
		.join(' · ')
	const made = section(
		title === '' ? virtualRouter : title,
		table(
			`Statistics ${title}`,
			['Statistic', 'Total', 'Since baseline'],
			rows.map(({ label, total, delta, gauge }): Child[] => [
				label,
				count(total),
				gauge ? '' : count(delta),
			]),
			[1, 2],
		),
		element(
			'p',
			{ class: 'note' },
			baselineAt === null ? 'No baseline is set.' : `Baseline of ${instant(baselineAt)}.`,
		),
	)
	made.dataset['router'] = virtualRouter
	return made
}
