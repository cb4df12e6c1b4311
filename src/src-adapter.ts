/**
 * `radledger src-adapter`: answers the pool questions of relays by classification rules. Several
 * copies with the same rules share the questions. Its sessions may be written as RADIUS
 * accounting; a subscriber is then accounted for twice, by the access point and from here.
 */
import { readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import type { NatsSecurity } from '../adapters/nats/connection.ts'
import { startSrcService } from '../adapters/nats/src-service.ts'
import {
	type AccountingClient,
	openAccountingClient,
} from '../adapters/radius/accounting-client.ts'
import {
	closeSession,
	discover,
	newService,
	openSession,
	type SessionRecord,
} from '../domain/sae/service.ts'
import type { EngineLog } from './engine/engine.ts'
import { openLog } from './log.ts'
import { release } from './release.ts'
import { openRulesFile, type RulesFile } from './rules-file.ts'
import { UsageError } from './settings.ts'
import type { SrcAdapterSettings } from './src-adapter-settings.ts'

/** How often the log says what was done, where anything was. */
const reportMs = 60_000
/** How long sessions on their way to the accounting server are waited for at the end. */
const accountingLimitMs = 5000

/**
 * Young garbage is collected by the thread that made it, as in the relay: V8's helpers kept questions
 * waiting for whichever of them got no processor.
 */
setFlagsFromString('--no-parallel-scavenge')

/** Runs until it is told to stop; resolves to the process's exit code. */
export async function srcAdapter(settings: SrcAdapterSettings): Promise<number> {
	const log = openLog(settings.logLevel)
	const rules = openRulesFile(settings.rules, {
		onReload: ({ rules }) =>
			log.info(
				'rules-loaded',
				{ file: settings.rules, rules: rules.length },
				'New rules are in force.',
			),
		onRefused: errors =>
			log.warn(
				'rules-refused',
				{ file: settings.rules, errors: errors.split('\n') },
				'The new rules are refused; the old ones stay in force.',
			),
	})
	if ('refused' in rules) throw new UsageError(rules.refused)
	const accounting = openAccounting(settings)
	try {
		checkLoginFiles(settings.nats.security)
		return await answerQuestions(settings, rules, accounting, log)
	} finally {
		rules.close()
		const lost = (await accounting?.close(accountingLimitMs)) ?? 0
		if (lost > 0) {
			const sentence = 'The accounting server did not answer these records; they are lost.'
			log.warn('accounting-lost', { records: lost }, sentence)
		}
	}
}

async function answerQuestions(
	settings: SrcAdapterSettings,
	rules: RulesFile,
	accounting: AccountingClient | undefined,
	log: EngineLog,
): Promise<number> {
	const service = newService()
	const stopping = new AbortController()
	const stopped = Promise.withResolvers<undefined>()
	const stop = (signal: string) => {
		log.info('stopping', { signal }, `The SRC adapter stops: ${signal}.`)
		stopping.abort()
		stopped.resolve(undefined)
	}
	process.once('SIGINT', stop).once('SIGTERM', stop).on('SIGHUP', rules.reload)
	const { servers, security } = settings.nats
	log.info('connecting', { release, servers }, 'The SRC adapter connects to its NATS servers.')

	const nats = await startSrcService(
		{
			servers,
			security,
			virtualRouters: settings.virtualRouters,
			answer: {
				discover: request => discover(service, rules.rules(), request, Date.now()),
				address(report) {
					const { answer, record } = openSession(service, rules.rules(), report)
					writeRecord(record, accounting, log)
					return answer
				},
				delete(deletion) {
					const { answer, record } = closeSession(service, deletion)
					writeRecord(record, accounting, log)
					return answer
				},
			},
			onTrouble: (what, sentence) => log.warn(what, {}, sentence),
		},
		stopping.signal,
	).catch(error => {
		const mend = 'check the address, the certificates and what we log in with'
		throw new UsageError(`NATS cannot be used at ${servers.join(', ')}: ${error.message}; ${mend}.`)
	})
	if (nats === undefined) return 0
	const ready = { rules: settings.rules, virtualRouters: settings.virtualRouters }
	log.info('ready', ready, 'The SRC adapter is ready.')
	const counts = () => ({
		...service.counts,
		...nats.counts(),
		...(accounting === undefined ? {} : { accounting: accounting.counts() }),
	})
	const reporter = setInterval(activityReporter(counts, log), reportMs)
	const reason = await Promise.race([stopped.promise, nats.ended])
	clearInterval(reporter)
	await nats.stop()
	if (stopping.signal.aborted) return 0
	const sentence = `The connection to NATS is over (${reason ?? 'closed'}); start the adapter again when that is mended.`
	log.fatal('connection-ended', {}, sentence)
	return 1
}

function writeRecord(
	record: SessionRecord | undefined,
	accounting: AccountingClient | undefined,
	log: EngineLog,
): void {
	if (record === undefined || accounting === undefined || accounting.offer(record)) return
	const sentence = 'Too many records wait for the accounting server; this one is lost.'
	log.warn('accounting-full', { session: record.sessionId, kind: record.kind }, sentence)
}

/** Logs the counts, where they have changed since the last time. */
function activityReporter(counts: () => Record<string, unknown>, log: EngineLog): () => void {
	let reported = ''
	return () => {
		const now = counts()
		const text = JSON.stringify(now)
		if (text !== reported) log.info('activity', now, 'What was done since the start.')
		reported = text
	}
}

function openAccounting(settings: SrcAdapterSettings): AccountingClient | undefined {
	if (settings.accounting === undefined) return undefined
	const { host, port, secretFile, nasIdentifier } = settings.accounting
	return openAccountingClient({ host, port, nasIdentifier, secret: readSecret(secretFile) })
}

/** A server that is away now would tell of a mistyped name only when it comes. */
function checkLoginFiles({ tls, ...login }: NatsSecurity): void {
	const files = [login.credentialsFile, login.nkeySeedFile, login.passwordFile]
	for (const file of [...files, tls?.caFile, tls?.certificateFile, tls?.keyFile]) {
		if (file === undefined) continue
		try {
			readFileSync(file)
		} catch (error) {
			const why = (error as Error).message
			throw new UsageError(`${file}, for NATS, cannot be read: ${why}. Name a file that can.`)
		}
	}
}

/** The file's first line: an editor's newline is no part of a secret. */
function readSecret(file: string): Uint8Array {
	let text: string
	try {
		text = readFileSync(file, 'utf8')
	} catch (error) {
		throw new UsageError(`The secret's file ${file} cannot be read: ${(error as Error).message}.`)
	}
	const secret = text.split(/\r?\n/, 1)[0]!
	if (secret !== '') return new TextEncoder().encode(secret)
	throw new UsageError(`The secret's file ${file} is empty; write the secret into its first line.`)
}
