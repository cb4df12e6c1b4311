/** The access point's side: a socket that sends what it is given, `eapol_test` and `radclient`. */
import { createSocket } from 'node:dgram'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run, temporaryFolder } from './processes.ts'
import { type Attribute, attribute, type } from './wire.ts'

export const calledStation = '00-11-22-33-44-55:campus'

/** User-Name, Calling-Station-Id and Called-Station-Id of the `n`th subscriber. */
export function subscriber(n: number): Attribute[] {
	const digits = n.toString(16).padStart(4, '0')
	return [
		attribute(type.userName, `user${n}`),
		attribute(type.callingStationId, `02-00-00-00-${digits.slice(0, 2)}-${digits.slice(2)}`),
		attribute(type.calledStationId, calledStation),
	]
}

export type Wap = {
	/** Every datagram that came, in order. */
	readonly received: readonly Buffer[]
	send(bytes: Buffer): void
	/** Sends and waits for the next datagram; undefined when none comes within `limitMs`. */
	ask(bytes: Buffer, limitMs?: number): Promise<Buffer | undefined>
	close(): void
}

/** A socket on `address` that talks to a port of the relay. */
export async function openWap(relayPort: number, address = '127.0.0.1'): Promise<Wap> {
	const socket = createSocket('udp4').unref() // a test that fails leaves it open
	const received: Buffer[] = []
	let arrived = () => {}
	socket.on('message', bytes => {
		received.push(bytes)
		arrived()
	})
	await new Promise<void>(resolve => socket.bind(0, address, resolve))
	const send = (bytes: Buffer) => socket.send(bytes, relayPort, '127.0.0.1')
	return {
		received,
		send,
		async ask(bytes, limitMs = 5000) {
			const before = received.length
			send(bytes)
			await new Promise<void>(resolve => {
				const limit = setTimeout(resolve, limitMs)
				arrived = () => {
					clearTimeout(limit)
					resolve()
				}
			})
			return received[before]
		},
		close: () => socket.close(),
	}
}

/**
 * Runs one 802.1X login of wpa_supplicant's `eapol_test`. `network` is the body of its
 * configuration's network block. Unless `keys` is false, the MPPE keys that arrive must be the
 * ones that the EAP method made.
 */
export async function eapolTest(
	port: number,
	secret: string,
	network: string,
	options: {
		keys?: boolean
		mac?: string
		limitSeconds?: number
		/** A command that runs it, such as `ip netns exec`. */
		within?: readonly string[]
	} = {},
): Promise<{ success: boolean; keysMatch: boolean; output: string }> {
	const file = join(temporaryFolder('eapol'), 'eapol.conf')
	writeFileSync(file, `network={\nkey_mgmt=IEEE8021X\neapol_flags=0\n${network}\n}\n`)
	const mac = options.mac ?? '02:00:00:00:00:01'
	const args = ['-c', file, '-a', '127.0.0.1', '-p', String(port), '-s', secret, '-M', mac]
	args.push('-N', `30:s:${calledStation}`, '-t', String(options.limitSeconds ?? 10))
	if (options.keys === false) args.push('-n')
	const [command, ...rest] = [...(options.within ?? []), 'eapol_test', ...args] as [
		string,
		...string[],
	]
	const { code, output } = await run(command, rest)
	return {
		success: code === 0 && /^SUCCESS$/m.test(output),
		keysMatch: /MPPE keys OK: [1-9]\d*\s+mismatch: 0/.test(output),
		output,
	}
}

/** What `radclient` sent and received, printed by itself; `text` is attributes, one a line. */
export async function radclient(
	port: number,
	command: 'auth' | 'acct' | 'status' | 'auto' | 'disconnect' | 'coa',
	secret: string,
	text: string,
	options: readonly string[] = [],
	within: readonly string[] = [],
): Promise<{ code: number | null; output: string }> {
	const radclient = ['radclient', '-x', '-r', '1', '-t', '5', ...options]
	const [program, ...args] = [...within, ...radclient] as [string, ...string[]]
	return run(program, [...args, `127.0.0.1:${port}`, command, secret], { input: `${text}\n` })
}
