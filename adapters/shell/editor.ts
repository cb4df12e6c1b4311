/** Editing of one line: what each key does to the text, apart from any terminal. */

/** A key as `node:readline` reports it. */
export type Key = {
	/** The characters that it types, if any. */
	readonly text: string
	readonly name?: string
	readonly ctrl: boolean
	readonly meta: boolean
}

export type Line = {
	/** One character each, so that the cursor never stands inside one. */
	readonly characters: readonly string[]
	readonly cursor: number
	/** Lines to go back to, oldest first, and the place among them; its length: the new line. */
	readonly history: readonly string[]
	readonly place: number
	/** The new line, while an old one is shown. */
	readonly draft: readonly string[]
}

export function newLine(history: readonly string[]): Line {
	return { characters: [], cursor: 0, history, place: history.length, draft: [] }
}

export function lineText(line: Line): string {
	return line.characters.join('')
}

export function beforeCursor(line: Line): string {
	return line.characters.slice(0, line.cursor).join('')
}

export function insert(line: Line, text: string): Line {
	const added = [...text]
	const characters = line.characters.toSpliced(line.cursor, 0, ...added)
	return { ...line, characters, cursor: line.cursor + added.length }
}

/** Puts `text` in the place of all that stands before the cursor. */
export function replaceBeforeCursor(line: Line, text: string): Line {
	const rest = line.characters.slice(line.cursor)
	return { ...line, characters: [...text, ...rest], cursor: [...text].length }
}

/** The line after a key that moves or deletes; undefined where the key does nothing of the kind. */
export function edit(line: Line, key: Key): Line | undefined {
	const action = actionOf(key)
	return action === undefined ? undefined : actions[action](line)
}

type Action = keyof typeof actions

const controls: Readonly<Record<string, Action>> = {
	a: 'start',
	b: 'left',
	d: 'delete',
	e: 'finish',
	f: 'right',
	h: 'backspace',
	k: 'deleteToEnd',
	n: 'newer',
	p: 'older',
	u: 'deleteToStart',
	w: 'deleteWord',
}

const names: Readonly<Record<string, Action>> = {
	left: 'left',
	right: 'right',
	home: 'start',
	end: 'finish',
	up: 'older',
	down: 'newer',
	backspace: 'backspace',
	delete: 'delete',
}

function actionOf(key: Key): Action | undefined {
	const name = key.name ?? ''
	if (key.meta) return name === 'b' ? 'wordLeft' : name === 'f' ? 'wordRight' : undefined
	if (!key.ctrl) return names[name]
	if (name === 'left') return 'wordLeft'
	if (name === 'right') return 'wordRight'
	return controls[name]
}

const actions = {
	start: (line: Line): Line => ({ ...line, cursor: 0 }),
	finish: (line: Line): Line => ({ ...line, cursor: line.characters.length }),
	left: (line: Line): Line => ({ ...line, cursor: Math.max(0, line.cursor - 1) }),
	right: (line: Line): Line => ({
		...line,
		cursor: Math.min(line.characters.length, line.cursor + 1),
	}),
	wordLeft: (line: Line): Line => ({ ...line, cursor: wordStart(line) }),
	wordRight: (line: Line): Line => ({ ...line, cursor: wordEnd(line) }),
	backspace: (line: Line): Line => cut(line, Math.max(0, line.cursor - 1), line.cursor),
	delete: (line: Line): Line => cut(line, line.cursor, line.cursor + 1),
	deleteToEnd: (line: Line): Line => cut(line, line.cursor, line.characters.length),
	deleteToStart: (line: Line): Line => cut(line, 0, line.cursor),
	deleteWord: (line: Line): Line => cut(line, wordStart(line), line.cursor),
	older: (line: Line): Line => recall(line, line.place - 1),
	newer: (line: Line): Line => recall(line, line.place + 1),
}

function cut(line: Line, from: number, to: number): Line {
	return { ...line, characters: line.characters.toSpliced(from, to - from), cursor: from }
}

function wordStart(line: Line): number {
	let at = line.cursor
	while (at > 0 && line.characters[at - 1] === ' ') at--
	while (at > 0 && line.characters[at - 1] !== ' ') at--
	return at
}

function wordEnd(line: Line): number {
	let at = line.cursor
	while (line.characters[at] === ' ') at++
	while (at < line.characters.length && line.characters[at] !== ' ') at++
	return at
}

function recall(line: Line, place: number): Line {
	if (place < 0 || place > line.history.length) return line
	const draft = line.place === line.history.length ? line.characters : line.draft
	const old = line.history[place]
	const characters = old === undefined ? draft : [...old]
	return { ...line, characters, cursor: characters.length, place, draft }
}
