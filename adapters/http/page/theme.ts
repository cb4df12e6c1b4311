/** Light and dark: as the system has it, or as was chosen here. */

type Theme = 'system' | 'light' | 'dark'

const order: readonly Theme[] = ['system', 'light', 'dark']
const key = 'radledger-theme'
const changed = new EventTarget()

export function openTheme(button: HTMLButtonElement): void {
	show(button, kept())
	button.addEventListener('click', () => {
		const next = order[(order.indexOf(kept()) + 1) % order.length]!
		localStorage.setItem(key, next)
		show(button, next)
		changed.dispatchEvent(new Event('change'))
	})
	matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () =>
		changed.dispatchEvent(new Event('change')),
	)
}

/** Calls back whenever colours have to be read anew, until `signal`. */
export function onTheme(callback: () => void, signal: AbortSignal): void {
	changed.addEventListener('change', callback, { signal })
}

/** A colour of the style sheet by the name of its custom property. */
export function colour(name: string): string {
	return getComputedStyle(document.documentElement).getPropertyValue(name).trim()
}

function kept(): Theme {
	const theme = localStorage.getItem(key) as Theme | null
	return theme !== null && order.includes(theme) ? theme : 'system'
}

function show(button: HTMLButtonElement, theme: Theme): void {
	document.documentElement.dataset['theme'] = theme
	button.textContent = { system: 'Auto', light: 'Light', dark: 'Dark' }[theme]
	button.setAttribute('aria-label', `Colours: ${theme}. Change`)
}
