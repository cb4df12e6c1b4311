/** Making elements. Text only ever becomes text: nothing from outside is read as markup. */

export type Child = Node | string | number | null | undefined | false

type Attributes = Readonly<Record<string, string | number | boolean | undefined>>

const svgNamespace = 'http://www.w3.org/2000/svg'

export function element<K extends keyof HTMLElementTagNameMap>(
	tag: K,
	attributes: Attributes = {},
	...children: readonly Child[]
): HTMLElementTagNameMap[K] {
	return filled(document.createElement(tag), attributes, children)
}

export function svg<K extends keyof SVGElementTagNameMap>(
	tag: K,
	attributes: Attributes = {},
	...children: readonly Child[]
): SVGElementTagNameMap[K] {
	return filled(document.createElementNS(svgNamespace, tag), attributes, children)
}

function filled<E extends Element>(made: E, attributes: Attributes, children: readonly Child[]): E {
	for (const [name, value] of Object.entries(attributes)) {
		if (value === undefined || value === false) continue
		made.setAttribute(name, value === true ? '' : String(value))
	}
	append(made, children)
	return made
}

export function append(parent: Element, children: readonly Child[]): void {
	for (const child of children) {
		if (child === null || child === undefined || child === false) continue
		parent.append(typeof child === 'number' ? String(child) : child)
	}
}

/** Replaces everything in an element. */
export function fill(parent: Element, ...children: readonly Child[]): void {
	parent.replaceChildren()
	append(parent, children)
}

/** A table with a caption for those who cannot see it; cells are text or elements. */
export function table(
	caption: string,
	header: readonly string[],
	rows: readonly (readonly Child[])[],
	numeric: readonly number[] = [],
): HTMLElement {
	const isNumber = (column: number) => (numeric.includes(column) ? 'number' : undefined)
	return element(
		'div',
		{ class: 'scroll', role: 'region', 'aria-label': caption, tabindex: 0 },
		element(
			'table',
			{},
			element('caption', { class: 'unseen' }, caption),
			element(
				'thead',
				{},
				element(
					'tr',
					{},
					...header.map((text, i) => element('th', { scope: 'col', class: isNumber(i) }, text)),
				),
			),
			element(
				'tbody',
				{},
				...rows.map(row =>
					element('tr', {}, ...row.map((cell, i) => element('td', { class: isNumber(i) }, cell))),
				),
			),
		),
	)
}

/** A part of a page with a heading. */
export function section(title: string, ...children: readonly Child[]): HTMLElement {
	return element('section', {}, element('h2', {}, title), ...children)
}

/** Label and value, one pair below the other. */
export function facts(pairs: readonly (readonly [label: string, value: Child])[]): HTMLElement {
	const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== '')
	return element(
		'dl',
		{},
		...shown.map(([label, value]) =>
			element('div', {}, element('dt', {}, label), element('dd', {}, value)),
		),
	)
}

/** A state in a word, with a colour that says the same. */
export function badge(text: string, mood: 'good' | 'bad' | 'warn' | 'calm'): HTMLElement {
	return element('span', { class: `badge ${mood}` }, text)
}
