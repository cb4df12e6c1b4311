/** A small campus for the web page: logins, accounting, addresses by DHCP with SRC's rules. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { openDhcpAgent } from '../../infra/demo/dhcp-agent.ts'
import { newTraffic } from '../../infra/demo/traffic.ts'
import { freePorts } from '../../infra/free-ports.ts'
import { acceptAll, startHomeServer } from './home-server.ts'
import { temporaryFolder, until } from './processes.ts'
import { type RelayProcess, startRelay, upstreamSecret, wapSecret } from './relay-process.ts'
import { openWap } from './wap.ts'
import {
	accessRequest,
	accountingRequest,
	attribute,
	code,
	emptyMessageAuthenticator,
	type Packet,
	type,
	valuesOf,
} from './wire.ts'

export type Person = { readonly user: string; readonly mac: string }

export type Campus = {
	readonly relay: RelayProcess
	/** Where the page is. */
	readonly base: string
	/** Logs in; whoever is called `wrong...` is rejected. */
	login(who: Person, wap: string): Promise<void>
	accounting(who: Person, wap: string, status: 'start' | 'interim' | 'stop'): Promise<void>
	/** Gets an address by DHCP and gives it. */
	lease(who: Person): Promise<string>
	close(): Promise<void>
}

const statuses = { start: 1, stop: 2, interim: 3 } as const
const [acctInputOctets, acctOutputOctets, framedPool] = [42, 43, 88] as const

/** `flags`: further ones of `serve`. */
export async function startCampus(flags: readonly string[] = []): Promise<Campus> {
	const home = await startHomeServer(upstreamSecret, respond)
	const rules = join(temporaryFolder('rules'), 'rules')
	writeFileSync(rules, 'service basic\n  class basic\ndefault\n  pool campus\n  service basic\n')
	const [http, dhcp] = (await freePorts(2)) as [number, number]
	const server = { address: '127.0.0.1', authentication: home.port, accounting: home.port }
	const relay = await startRelay({
		servers: [server],
		global: [
			'service dhcp-local equal-access',
			'ip dhcp-local pool campus',
			' network 10.20.3.0 255.255.255.0',
			' default-router 10.20.3.1',
			'exit',
			`sscc local rules ${rules}`,
			'sscc enable',
		],
		flags: ['--http', `127.0.0.1:${http}`, '--dhcp-port', `${dhcp}`, ...flags],
	})
	const traffic = newTraffic()
	const agent = await openDhcpAgent({ name: 'lobby', address: '127.0.0.1' }, dhcp, traffic)
	const authentication = await openWap(relay.authentication)
	const accounting = await openWap(relay.accounting)
	let identifier = 0
	let session = 0
	const next = () => {
		identifier = (identifier + 1) & 255
		return identifier
	}
	return {
		relay,
		base: `http://127.0.0.1:${http}`,
		async login(who, wap) {
			const request = [emptyMessageAuthenticator, ...attributesOf(who, wap)]
			await answered(authentication, accessRequest(wapSecret, next(), request))
		},
		async accounting(who, wap, status) {
			if (status === 'start') session++
			const request = [
				attribute(type.acctStatusType, statuses[status]),
				attribute(type.acctSessionId, `session-${session}`),
				...attributesOf(who, wap),
				...(status === 'start'
					? []
					: [attribute(acctInputOctets, 1500), attribute(acctOutputOctets, 2_500_000)]),
			]
			await answered(accounting, accountingRequest(wapSecret, next(), request))
		},
		async lease({ mac }) {
			const held = await agent.obtain(mac)
			if (held === undefined) throw new Error(`No address for ${mac}: ${traffic.failures}`)
			return held.address
		},
		async close() {
			agent.close()
			authentication.close()
			accounting.close()
			await home.close()
			await relay.stop()
		},
	}
}

function attributesOf({ user, mac }: Person, wap: string) {
	return [
		attribute(type.userName, user),
		attribute(type.callingStationId, mac),
		attribute(type.calledStationId, `${wap}:campus`),
	]
}

async function answered(wap: Awaited<ReturnType<typeof openWap>>, request: Packet): Promise<void> {
	const answer = await wap.ask(request.bytes)
	if (answer === undefined) throw new Error('The relay did not answer.')
}

function respond(request: Packet) {
	const good = acceptAll(request)
	if (request.code === code.accountingRequest) return good
	const user = valuesOf(request, type.userName)[0]?.toString() ?? ''
	if (!user.startsWith('wrong')) {
		return { ...good, attributes: [...good.attributes, attribute(framedPool, 'campus')] }
	}
	const reason = attribute(type.replyMessage, 'Not today')
	return { code: code.accessReject, attributes: [...good.attributes, reason] }
}

const shownLimitMs = 20_000

/** Waits until the element's text matches. */
export async function sees(page: Page, selector: string, pattern: RegExp): Promise<void> {
	let text = ''
	await until(`${selector} shows ${pattern}`, shownLimitMs, async () => {
		text = (await page.locator(selector).allInnerTexts()).join('\n')
		return pattern.test(text)
	}).catch(error => {
		throw new Error(`${error.message}; it shows:\n${text.slice(0, 2000)}`)
	})
}
