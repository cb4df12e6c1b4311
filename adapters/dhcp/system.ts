/**
 * What the DHCP server asks of the machine beside its socket: its interfaces, by the index that
 * datagrams come with, whether somebody answers at an address, and DHCP messages that are routed
 * past it. Linux only, through koffi.
 */
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { parseIpv4 } from '../../domain/address.ts'
import { openPinger, type Pinger } from './ping.ts'
import { openWatch, type PassingDatagram, type Watch } from './watch.ts'

export type DhcpInterface = {
	readonly index: number
	readonly name: string
	/** IPv4 addresses as numbers, the main one first. */
	readonly addresses: readonly number[]
	/** What the operator calls it: `ip link set eth0 alias TEXT`. */
	readonly alias?: string
	/** What the system makes of it, as ifDescr of RFC 2863: kind and name, `vlan eth0.7`. */
	readonly description?: string
}

export type DhcpSystem = Pinger & {
	/** Interfaces that are up and have an IPv4 address. */
	interfaces(): readonly DhcpInterface[]
	/** Watches DHCP messages that this machine routes; throws an Error where it may not. */
	watch(deliver: (datagram: PassingDatagram) => void, delivered: () => void): Watch
}

function fileOf(name: string, file: string): string {
	try {
		return readFileSync(`/sys/class/net/${name}/${file}`, 'utf8').trim()
	} catch {
		// An interface of a container may have no such file.
		return ''
	}
}

/** Hardware types of the kernel (ARPHRD_*) that have no name of their own in `uevent`. */
const hardwareTypes: Readonly<Record<string, string>> = {
	'1': 'ethernet',
	'772': 'loopback',
	'778': 'gre',
	'65534': 'tunnel',
}

function descriptionOf(name: string): string | undefined {
	const kind = /^DEVTYPE=(.+)$/m.exec(fileOf(name, 'uevent'))?.[1]
	const known = kind ?? hardwareTypes[fileOf(name, 'type')]
	return known === undefined ? undefined : `${known} ${name}`
}

/** Throws an Error that says why the FFI cannot be had. */
export async function openDhcpSystem(): Promise<DhcpSystem> {
	const { default: koffi } = await import('koffi')
	/** By index and name: what stays for as long as the interface does is not read again. */
	let descriptions: ReadonlyMap<string, string> = new Map()
	const indexOf = koffi.load(null).func('if_nametoindex', 'uint', ['str'])
	return {
		...openPinger(koffi),
		watch: (deliver, delivered) => openWatch(koffi, deliver, delivered),
		interfaces() {
			const found: DhcpInterface[] = []
			const kept = new Map<string, string>()
			for (const [name, addresses] of Object.entries(networkInterfaces())) {
				const index = Number(indexOf(name))
				const own = (addresses ?? []).filter(({ family }) => family === 'IPv4')
				if (index === 0 || own.length === 0) continue
				const alias = fileOf(name, 'ifalias')
				const description = descriptions.get(`${index} ${name}`) ?? descriptionOf(name)
				if (description !== undefined) kept.set(`${index} ${name}`, description)
				found.push({
					...{ index, name, addresses: own.map(({ address }) => parseIpv4(address) ?? 0) },
					...(alias === '' ? {} : { alias }),
					...(description === undefined ? {} : { description }),
				})
			}
			descriptions = kept
			return found
		},
	}
}
