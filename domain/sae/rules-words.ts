/** A line of a rules file as words, each with the column that an error would name. */

export type Word = {
	/** Without quotes or slashes. */
	readonly text: string
	readonly kind: 'plain' | 'quoted' | 'expression' | 'expression-ignoring-case'
	/** In characters, from 1. */
	readonly column: number
}

/** What is wrong, and what to write instead. */
export class RulesFault extends Error {
	readonly column: number
	constructor(column: number, message: string) {
		super(message)
		this.column = column
	}
}

/** Throws a RulesFault at the word that does not end. */
export function readWords(line: string): Word[] {
	const words: Word[] = []
	let at = 0
	for (;;) {
		while (line[at] === ' ' || line[at] === '\t') at++
		// What follows a `#` at a word's place is a comment.
		if (at >= line.length || line[at] === '#') return words
		const { word, end } = readWord(line, at)
		words.push(word)
		at = end
	}
}

function readWord(line: string, at: number): { word: Word; end: number } {
	const column = at + 1
	switch (line[at]) {
		case '"': {
			const { text, end } = readDelimited(line, at, '"')
			endOfWord(line, end, 'A text ends with its second quote')
			return { word: { text: text.replace(/\\(["\\])/g, '$1'), kind: 'quoted', column }, end }
		}
		case '/': {
			const { text, end: slash } = readDelimited(line, at, '/')
			const end = line[slash] === 'i' ? slash + 1 : slash
			endOfWord(line, end, 'An expression ends with its second slash, or with "i" behind it')
			const kind = end > slash ? 'expression-ignoring-case' : 'expression'
			return { word: { text, kind, column }, end }
		}
		default: {
			let end = at
			while (end < line.length && line[end] !== ' ' && line[end] !== '\t') end++
			return { word: { text: line.slice(at, end), kind: 'plain', column }, end }
		}
	}
}

/** What stands between two delimiters; `\` keeps one from ending it. */
function readDelimited(line: string, begin: number, delimiter: '"' | '/') {
	for (let at = begin + 1; at < line.length; at++) {
		if (line[at] === '\\') at++
		else if (line[at] === delimiter) return { text: line.slice(begin + 1, at), end: at + 1 }
	}
	const what = delimiter === '"' ? 'text' : 'expression'
	throw new RulesFault(begin + 1, `This ${what} does not end; write ${delimiter} behind it.`)
}

function endOfWord(line: string, end: number, what: string): void {
	if (end >= line.length || line[end] === ' ' || line[end] === '\t') return
	const mend = 'write a blank here, or "\\" before a delimiter that belongs to it'
	throw new RulesFault(end + 1, `${what}; ${mend}.`)
}
