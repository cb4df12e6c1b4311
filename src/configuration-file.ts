/** The configuration file: JunosE commands, read at the start and written at every change. */
import {
	closeSync,
	fchmodSync,
	fsyncSync,
	openSync,
	readFileSync,
	renameSync,
	statSync,
	unlinkSync,
	writeSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Configuration } from '../domain/configuration.ts'
import {
	configurationLines,
	configurationText,
	describeError,
	parseConfiguration,
} from '../domain/junose/configuration-text.ts'

export type Loaded = { readonly configuration: Configuration } | { readonly refused: string }

/** The configuration in a file, or every error in it, each with line, column and the mend. */
export function loadConfiguration(file: string): Loaded {
	let text: string
	try {
		text = readFileSync(file, 'utf8')
	} catch (error) {
		const { code, message } = error as NodeJS.ErrnoException
		const refused =
			code === 'ENOENT'
				? `There is no configuration file ${file}. Name one with --config; an empty file starts a relay that is configured in its shell.`
				: `The configuration file ${file} cannot be read: ${message}.`
		return { refused }
	}
	const parsed = parseConfiguration(text, file)
	if ('configuration' in parsed) return parsed
	return { refused: parsed.errors.map(describeError).join('\n') }
}

/** Secrets in a file that everybody on the machine may read, as a sentence. */
export function whyExposed(file: string, configuration: Configuration): string | undefined {
	if (((statSync(file, { throwIfNoEntry: false })?.mode ?? 0) & 0o004) === 0) return undefined
	const hasSecrets = [...configurationLines(configuration, 'hidden')].some(line =>
		line.includes('<secret>'),
	)
	if (!hasSecrets) return undefined
	return `The configuration file ${file} has secrets in it, and everybody on this machine may read it: "chmod o-r ${file}" ends that.`
}

/**
 * Puts the configuration in place of the old one, whole or not at all: a crash leaves the one or the
 * other. Throws the file system's error.
 */
export function saveConfiguration(file: string, configuration: Configuration): void {
	const target = resolve(file)
	const temporary = `${target}.new`
	const descriptor = openSync(temporary, 'w', 0o600)
	try {
		// It holds secrets: no more people may read it than could read the old one.
		fchmodSync(descriptor, statSync(target, { throwIfNoEntry: false })?.mode ?? 0o600)
		const text = Buffer.from(configurationText(configuration))
		for (let at = 0; at < text.length; ) at += writeSync(descriptor, text, at)
		fsyncSync(descriptor)
	} catch (error) {
		unlinkSync(temporary)
		throw error
	} finally {
		closeSync(descriptor)
	}
	renameSync(temporary, target)
	const folder = openSync(dirname(target), 'r')
	fsyncSync(folder)
	closeSync(folder)
}
