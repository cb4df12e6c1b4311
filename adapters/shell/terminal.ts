/**
 * The interactive shell. On a terminal it edits lines, answers `?` and Tab at once and pages; with
 * anything else as input it executes line by line and prints what a router's screen would show.
 */
import { clearScreenDown, cursorTo, emitKeypressEvents, moveCursor } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { isQuoteOpen } from '../../domain/junose/quotation.ts'
import { type Connection, type ConnectOptions, connect, send } from './client.ts'
import {
	beforeCursor,
	edit,
	insert,
	type Key,
	type Line,
	lineText,
	newLine,
	replaceBeforeCursor,
} from './editor.ts'
import { linesOf, NoRelay, type Reply, ShellError } from './protocol.ts'

export type Input = Readable & { isTTY?: boolean; setRawMode?(raw: boolean): unknown }
export type Output = Writable & { isTTY?: boolean; rows?: number; columns?: number }

export type InteractiveOptions = ConnectOptions & {
	/** Whether a person sits there; as the streams say unless told. */
	readonly terminal?: boolean
}

/** Characters of a typed line; the relay refuses longer ones anyway. */
const maximumTyped = 2048
const maximumHistory = 500

/**
 * A session from greeting to `exit` or the end of input. Resolves to the exit code: 0; 1 when a
 * command from a file failed; 2 when the relay went away or answers no more. Throws a ShellError
 * where there is no relay.
 */
export async function interactive(
	dataFolder: string,
	input: Input,
	output: Output,
	options: InteractiveOptions = {},
): Promise<number> {
	const connection = await connect(dataFolder, 'user', options)
	const terminal = options.terminal ?? (input.isTTY === true && output.isTTY === true)
	// Whoever read the output may be gone (`| head`); the session then ends with its input.
	const onError = () => connection.close()
	output.on('error', onError)
	try {
		return await (terminal
			? runTerminal(connection, input, output)
			: runTranscript(connection, input, output))
	} catch (error) {
		if (!(error instanceof ShellError)) throw error
		output.write(`\r\n${error.message}\r\n`)
		return error instanceof NoRelay ? 2 : 1
	} finally {
		output.off('error', onError)
		connection.close()
	}
}

/** Commands from a file or a pipe: each is shown behind its prompt, as if it had been typed. */
async function runTranscript(
	connection: Connection,
	input: Input,
	output: Output,
): Promise<number> {
	let { prompt } = connection.greeting
	let exitCode = 0
	for await (const line of linesOf(input, 64 * 1024)) {
		output.write(`${prompt}${line.replace(/\r$/, '')}\n`)
		const reply = await send(connection, line)
		output.write(reply.lines.map(text => `${text}\n`).join(''))
		if (!reply.ok) exitCode = 1
		if (!reply.open) break
		prompt = reply.prompt
	}
	return exitCode
}

/** What the terminal's loop works with. `last` is the relay's latest reply. */
type Screen = {
	readonly connection: Connection
	readonly output: Output
	readonly keys: Keys
	last: Reply
	history: readonly string[]
	/** The row of the cursor below the row of the prompt. */
	row: number
	/** Within a bracketed paste, keys are text. */
	pasting: boolean
}

async function runTerminal(connection: Connection, input: Input, output: Output): Promise<number> {
	const keys = readKeys(input, connection.closed)
	const { greeting } = connection
	const screen: Screen = {
		...{ connection, output, keys, last: greeting },
		...{ history: [], row: 0, pasting: false },
	}
	input.setRawMode?.(true)
	// Bracketed paste: a pasted `?` is text, not a cry for help.
	output.write('\x1b[?2004h')
	try {
		while (screen.last.open) {
			const line = await readLine(screen)
			if (line === undefined) break
			if (line.trim() === '') continue
			if (screen.history.at(-1) !== line) {
				screen.history = [...screen.history, line].slice(-maximumHistory)
			}
			screen.last = await connection.request({ op: 'execute', line })
			await page(screen, screen.last.lines)
		}
		return 0
	} finally {
		output.write('\x1b[?2004l')
		input.setRawMode?.(false)
		keys.stop()
	}
}

type Keys = { next(): Promise<Key | undefined>; stop(): void }

/** Keys in the order in which they were pressed, also those pressed while a command runs. */
function readKeys(input: Input, closed: Promise<void>): Keys {
	const waiting: Key[] = []
	let ended = false
	let gone = false
	let wake: () => void = () => {}
	const onKey = (text: string | undefined, key: Partial<Key> & { sequence?: string }) => {
		const { name, ctrl = false, meta = false } = key
		waiting.push({ text: text ?? '', ctrl, meta, ...(name === undefined ? {} : { name }) })
		wake()
	}
	const onEnd = () => {
		ended = true
		wake()
	}
	closed.then(() => {
		gone = true
		wake()
	})
	emitKeypressEvents(input)
	input.on('keypress', onKey)
	input.once('end', onEnd)
	input.resume()
	return {
		async next() {
			while (waiting.length === 0 && !ended && !gone) {
				await new Promise<void>(resolve => {
					wake = resolve
				})
			}
			if (waiting.length === 0 && gone) throw new NoRelay('The relay has ended the session.')
			return waiting.shift()
		},
		stop() {
			input.off('keypress', onKey)
			input.off('end', onEnd)
			input.pause()
		},
	}
}

/** Reads one line; undefined at the end of input. */
async function readLine(screen: Screen): Promise<string | undefined> {
	let line = newLine(screen.history)
	screen.row = 0
	draw(screen, line)
	for (;;) {
		const key = await screen.keys.next()
		if (key === undefined) return leaveLine(screen, line, '')
		if (key.name === 'paste-start' || key.name === 'paste-end') {
			screen.pasting = key.name === 'paste-start'
			continue
		}
		if (key.name === 'return' || key.name === 'enter') {
			leaveLine(screen, line, '')
			return lineText(line)
		}
		if (key.ctrl && key.name === 'd' && line.characters.length === 0) {
			return leaveLine(screen, line, '')
		}
		const next = await handleKey(screen, line, key)
		if (next === undefined) return ''
		line = next
	}
}

/** The line after a key; undefined when the key gives the line up. */
async function handleKey(screen: Screen, line: Line, key: Key): Promise<Line | undefined> {
	if (key.ctrl && key.name === 'c') return leaveLine(screen, line, '^C')
	if (key.ctrl && key.name === 'z') {
		leaveLine(screen, line, '^Z')
		screen.last = await screen.connection.request({ op: 'end' })
		return undefined
	}
	if (key.ctrl && key.name === 'l') {
		cursorTo(screen.output, 0, 0)
		screen.row = 0
		return drawn(screen, line)
	}
	if (key.ctrl && key.name === 'v') {
		const literal = await screen.keys.next()
		return literal === undefined ? line : typed(screen, line, literal.text)
	}
	if (screen.pasting) return typed(screen, line, key.name === 'tab' ? ' ' : key.text)
	if (key.name === 'tab') return await tab(screen, line)
	if (key.text === '?' && !isQuoteOpen(beforeCursor(line))) return await ask(screen, line)
	const edited = edit(line, key)
	if (edited !== undefined) return drawn(screen, edited)
	return key.ctrl || key.meta ? line : typed(screen, line, key.text)
}

function typed(screen: Screen, line: Line, text: string): Line {
	const printable = /^[^\p{Cc}\p{Cs}]+$/u.test(text)
	if (!printable || line.characters.length + text.length > maximumTyped) {
		screen.output.write('\x07')
		return line
	}
	const next = insert(line, text)
	const columns = columnsOf(screen.output)
	const width = textWidth(screen.last.prompt) + textWidth(lineText(next))
	// At the end of a line that still fits, the characters alone are enough.
	if (next.cursor === next.characters.length && width % columns >= textWidth(text)) {
		screen.output.write(text)
		return next
	}
	return drawn(screen, next)
}

async function tab(screen: Screen, line: Line): Promise<Line> {
	const before = beforeCursor(line)
	const reply = await screen.connection.request({ op: 'complete', line: before })
	const completed = reply.completed ?? before
	if (completed !== before) return drawn(screen, replaceBeforeCursor(line, completed))
	if (reply.lines.length === 0) {
		screen.output.write('\x07')
		return line
	}
	leaveLine(screen, line, '')
	await page(screen, inColumns(reply.lines, columnsOf(screen.output)))
	return drawn(screen, line)
}

async function ask(screen: Screen, line: Line): Promise<Line> {
	const reply = await screen.connection.request({ op: 'help', line: beforeCursor(line) })
	leaveLine(screen, line, '?')
	await page(screen, reply.lines)
	return drawn(screen, line)
}

/** Goes to a new row below the line. */
function leaveLine(screen: Screen, line: Line, mark: string): undefined {
	const atEnd = { ...line, cursor: line.characters.length }
	if (line.cursor !== atEnd.cursor) draw(screen, atEnd)
	screen.output.write(`${mark}\r\n`)
	screen.row = 0
	return undefined
}

function drawn(screen: Screen, line: Line): Line {
	draw(screen, line)
	return line
}

/** Draws prompt and line anew, from the row of the prompt on. */
function draw(screen: Screen, line: Line): void {
	const { output } = screen
	const columns = columnsOf(output)
	const { prompt } = screen.last
	if (screen.row > 0) moveCursor(output, 0, -screen.row)
	cursorTo(output, 0)
	clearScreenDown(output)
	output.write(prompt + lineText(line))
	const whole = textWidth(prompt) + textWidth(lineText(line))
	const at = textWidth(prompt) + textWidth(beforeCursor(line))
	// A terminal waits with the next row until a character is written there.
	if (whole > 0 && whole % columns === 0) output.write(' ')
	const lastRow = Math.floor(whole / columns)
	const row = Math.floor(at / columns)
	if (at !== whole || whole % columns === 0) cursorTo(output, at % columns)
	if (row < lastRow) moveCursor(output, 0, row - lastRow)
	screen.row = row
}

/** Prints lines, and waits for a key whenever the terminal is full. */
async function page(screen: Screen, lines: readonly string[]): Promise<void> {
	const { output } = screen
	const columns = columnsOf(output)
	const height = screen.last.pageLength ?? (output.rows || 24)
	let left = height - 1
	for (const line of lines) {
		const rows = Math.max(1, Math.ceil(textWidth(line) / columns))
		if (height > 0 && rows > left && left < height - 1) {
			const more = await askForMore(screen)
			if (more === 'quit') return
			left = more === 'line' ? rows : height - 1
		}
		output.write(`${line}\r\n`)
		left = Math.max(0, left - rows)
	}
}

async function askForMore(screen: Screen): Promise<'page' | 'line' | 'quit'> {
	screen.output.write('--More--')
	try {
		for (;;) {
			const key = await screen.keys.next()
			if (key === undefined || key.text === 'q' || key.text === 'Q') return 'quit'
			if (key.ctrl && key.name === 'c') return 'quit'
			if (key.text === ' ') return 'page'
			if (key.name === 'return' || key.name === 'enter') return 'line'
		}
	} finally {
		screen.output.write('\r        \r')
	}
}

/** A serial line does not know its size, and says 0. */
function columnsOf(output: Output): number {
	return output.columns || 80
}

function inColumns(words: readonly string[], columns: number): readonly string[] {
	const width = Math.max(...words.map(word => word.length)) + 2
	const perRow = Math.max(1, Math.floor(columns / width))
	const rows = Math.ceil(words.length / perRow)
	return Array.from({ length: rows }, (_, row) =>
		words
			.slice(row * perRow, (row + 1) * perRow)
			.map(word => word.padEnd(width))
			.join('')
			.trimEnd(),
	)
}

/** Columns that a text takes on a terminal: none for combining marks, two for wide characters. */
function textWidth(text: string): number {
	let width = 0
	for (const character of text) {
		if (/\p{M}/u.test(character)) continue
		width += wide.test(character) ? 2 : 1
	}
	return width
}

const wide =
	/[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u
