/** Structured log on standard error: every line has an id that stays the same, and no secret. */
import { pino } from 'pino'
import type { EngineLog } from './engine/engine.ts'

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof logLevels)[number]

export function openLog(level: LogLevel): EngineLog {
	// Synchronous: the line that says why the process ends must be out before it ends.
	const logger = pino(
		{ level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
		pino.destination({ dest: 2, sync: true }),
	)
	return {
		info: (id, fields, message) => logger.info({ id, ...fields }, message),
		warn: (id, fields, message) => logger.warn({ id, ...fields }, message),
		fatal: (id, fields, message) => logger.fatal({ id, ...fields }, message),
	}
}
