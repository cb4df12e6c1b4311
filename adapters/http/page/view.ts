/** What every view is, and what views have in common: loading, failing, and looking again. */
import { ApiError } from './api.ts'
import { element } from './element.ts'

export type View = {
	readonly title: string
	/** Fills `main` and keeps it up to date until `signal`. */
	show(main: HTMLElement, parameters: URLSearchParams, signal: AbortSignal): Promise<void> | void
}

/** Calls `look` at once and then every `ms`, one after the other, while the page is seen. */
export function repeat(look: () => Promise<void>, ms: number, signal: AbortSignal): void {
	const again = async () => {
		if (signal.aborted) return
		if (!document.hidden) await look().catch(() => {})
		if (!signal.aborted) setTimeout(again, ms)
	}
	void again()
}

/** Runs `work`; where it fails, `place` says so in a sentence. */
export async function attempt(place: Element, work: () => Promise<void>): Promise<void> {
	try {
		await work()
		place.querySelector(':scope > .error')?.remove()
	} catch (error) {
		if ((error as Error).name === 'AbortError') return
		const text = error instanceof ApiError ? error.message : `This page has a fault: ${error}`
		place.querySelector(':scope > .loading')?.remove()
		const shown = place.querySelector(':scope > .error')
		if (shown !== null) shown.textContent = text
		else place.prepend(element('p', { class: 'error', role: 'alert' }, text))
	}
}

export function loading(): HTMLElement {
	return element('p', { class: 'note loading' }, 'Loading …')
}

export function nothing(text: string): HTMLElement {
	return element('p', { class: 'note' }, text)
}

/** A link within the page. */
export function link(text: string, view: string, query: Readonly<Record<string, string>> = {}) {
	const parameters = new URLSearchParams(query)
	const hash = `#/${view}${parameters.size === 0 ? '' : `?${parameters}`}`
	return element('a', { href: hash }, text)
}

export function subscriberLink(mac: string, virtualRouter: string): HTMLElement {
	return link(mac, 'subscriber', { mac, vr: virtualRouter })
}
