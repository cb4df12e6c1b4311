/** Words of a typed line, quoted where they have to be. */

export type Word = {
	readonly text: string
	readonly start: number
	readonly end: number
	readonly quoted: boolean
	/** A quoted word whose closing quote is missing. */
	readonly open: boolean
}

export const blank = /[ \t]/

/** `"..."`: within it `\` takes the next character as it is. */
export function quotedWord(line: string, start: number): Word {
	let text = ''
	let at = start + 1
	while (at < line.length && line[at] !== '"') {
		if (line[at] === '\\' && at + 1 < line.length) at++
		text += line[at++]
	}
	const open = at >= line.length
	// What touches the closing quote belongs to the word, as typed.
	let end = open ? at : at + 1
	while (end < line.length && !blank.test(line[end]!)) text += line[end++]
	return { text, start, end, quoted: true, open }
}

/** Writes a word so that it is read back as one: quoted where it has to be. */
export function quoteWord(text: string): string {
	// `?` asks for help in a terminal unless it is quoted, and `|` begins a filter.
	const plain = text !== '' && !/[\s?|]/u.test(text) && !text.startsWith('"')
	return plain ? text : `"${text.replace(/["\\]/g, '\\$&')}"`
}

/** Where the word that a line ends with begins, and whether a quotation mark in it is open. */
export function lastWord(line: string): { readonly start: number; readonly quoted: boolean } {
	let quoted = false
	let start = 0
	for (let at = 0; at < line.length; at++) {
		const character = line[at]!
		if (quoted && character === '\\') at++
		else if (character === '"' && (quoted || at === start)) quoted = !quoted
		else if (!quoted && (blank.test(character) || (character === '|' && at === start))) {
			start = at + 1
		}
	}
	return { start, quoted }
}

/** Within quotes a `?` is a character like any other, and asks for no help. */
export function isQuoteOpen(line: string): boolean {
	return lastWord(line).quoted
}
