/** The SRC clients that the relay uses: over NATS, or in this process with rules of its own. */
import { dirname, resolve } from 'node:path'
import type { NatsSecurity } from '../adapters/nats/connection.ts'
import type { Configuration } from '../domain/configuration.ts'
import type { SrcClient } from '../domain/sae/client.ts'
import { createLocalSrc } from '../domain/sae/local.ts'
import { serverRoles } from '../domain/sae/servers.ts'
import type { EngineLog } from './engine/engine.ts'
import type { OpenSrc } from './engine/src-link.ts'
import { openRulesFile, rulesFault } from './rules-file.ts'

/** `configurationFile`: rules files are looked for in its folder. */
export function srcOpener(
	configurationFile: string,
	security: NatsSecurity,
	log: EngineLog,
): OpenSrc {
	return async (router, settings, source, onChange) => {
		if (settings.localRules !== undefined) {
			return openLocal(router, rulesPath(configurationFile, settings.localRules), log)
		}
		// Loaded by those who use it.
		const { createSrcClient } = await import('../adapters/nats/src-client.ts')
		const { whyNotFrom } = await import('../adapters/nats/connect.ts')
		const obstacle = source === undefined ? undefined : await whyNotFrom(source)
		if (obstacle !== undefined) {
			return { refused: `SRC cannot be asked from ${source}: ${obstacle}` }
		}
		return createSrcClient({
			servers: serverRoles.flatMap(role => {
				const server = settings.servers[role]
				return server === undefined ? [] : [{ role, ...server }]
			}),
			retryMs: settings.retrySeconds * 1000,
			security,
			...(source === undefined ? {} : { localAddress: source }),
			name: `radledger ${router}`,
			onChange,
			onTrouble: (server, sentence) => log.warn('src-connection', { router, server }, sentence),
		})
	}
}

function rulesPath(configurationFile: string, localRules: string): string {
	return resolve(dirname(configurationFile), localRules)
}

/**
 * Why a rules file that `next` names and `before` did not cannot be used, a line for each error.
 * Where SRC is on, its client reads the file and says so itself.
 */
export function newRulesFault(
	configurationFile: string,
	before: Configuration,
	next: Configuration,
): string | undefined {
	for (const { name, src } of next.virtualRouters) {
		if (src.localRules === undefined || src.enabled) continue
		const old = before.virtualRouters.find(router => router.name === name)?.src
		if (old?.localRules === src.localRules) continue
		const fault = rulesFault(rulesPath(configurationFile, src.localRules))
		if (fault !== undefined) return fault
	}
	return undefined
}

/** Bad rules are refused with every error; once in force, they are followed as the file changes. */
function openLocal(
	router: string,
	file: string,
	log: EngineLog,
): SrcClient | { readonly refused: string } {
	const rules = openRulesFile(file, {
		onReload: ({ rules }) =>
			log.info('rules-loaded', { router, file, rules: rules.length }, 'New rules are in force.'),
		onRefused: errors =>
			log.warn(
				'rules-refused',
				{ router, file, errors: errors.split('\n') },
				'The new rules are refused; the old ones stay in force.',
			),
	})
	if ('refused' in rules) return rules
	const client = createLocalSrc({ rules: rules.rules, now: Date.now })
	return {
		...client,
		async close() {
			rules.close()
			await client.close()
		},
	}
}
