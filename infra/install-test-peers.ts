/**
 * Installs the programs that the end-to-end tests talk to, where that is allowed (root on Debian),
 * and otherwise says which ones are left out and why. Does nothing when all are there.
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

type Peer = { readonly command: string; readonly debianPackage: string; readonly purpose: string }

const peers: readonly Peer[] = [
	{ command: 'freeradius', debianPackage: 'freeradius', purpose: 'the home server' },
	{ command: 'radclient', debianPackage: 'freeradius-utils', purpose: 'PAP, CHAP, accounting' },
	{ command: 'eapol_test', debianPackage: 'eapoltest', purpose: '802.1X logins' },
	{ command: 'radsecproxy', debianPackage: 'radsecproxy', purpose: 'a proxy in front' },
	{ command: 'tshark', debianPackage: 'tshark', purpose: 'a second opinion on every packet' },
	{ command: 'sqlite3', debianPackage: 'sqlite3', purpose: 'a second opinion on the journal' },
	{ command: 'nats-server', debianPackage: 'nats-server', purpose: 'the SRC protocol' },
	{ command: 'dhclient', debianPackage: 'isc-dhcp-client', purpose: 'a DHCP client' },
	{ command: 'udhcpc', debianPackage: 'udhcpc', purpose: 'another DHCP client' },
	{ command: 'dhcrelay', debianPackage: 'isc-dhcp-relay', purpose: 'DHCP across a relay agent' },
	{ command: 'kea-dhcp4', debianPackage: 'kea-dhcp4-server', purpose: 'an external DHCP server' },
	{ command: 'perfdhcp', debianPackage: 'kea-admin', purpose: 'many DHCP clients at once' },
	{ command: 'ip', debianPackage: 'iproute2', purpose: 'network namespaces for DHCP' },
	{ command: 'chromium', debianPackage: 'chromium', purpose: 'the web page' },
	{ command: 'openssl', debianPackage: 'openssl', purpose: 'certificates for EAP-TLS' },
]

/** Servers are in /usr/sbin, which the PATH of an ordinary user lacks on Debian. */
process.env['PATH'] = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`

export function installed(command: string): boolean {
	return fileOf(command) !== undefined
}

/** Where a command is; undefined where it is not installed. */
export function fileOf(command: string): string | undefined {
	const files = process.env['PATH']!.split(':').map(folder => join(folder, command))
	return files.find(file => {
		try {
			accessSync(file, constants.X_OK)
			return true
		} catch {
			return false
		}
	})
}

/** Why nothing can be installed here; undefined when it can. */
function obstacle(): string | undefined {
	if (!existsSync('/etc/debian_version') || !installed('apt-get')) return 'this is not Debian'
	if (process.getuid?.() !== 0) return 'only root may install it'
	return undefined
}

/**
 * Runs apt-get without a question, its output in a file. Debian starts a server when it installs
 * one; the tests bring their own configurations, so `policy-rc.d` forbids that while this runs.
 */
function aptInstall(packages: readonly string[]): { failed: boolean; logFile: string } {
	const logFile = join(tmpdir(), 'radledger-apt.log')
	const log = openSync(logFile, 'w')
	const policy = '/usr/sbin/policy-rc.d'
	const mayForbid = !existsSync(policy)
	if (mayForbid) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
	const apt = (...args: string[]) =>
		spawnSync('apt-get', ['-o', 'DPkg::Lock::Timeout=300', ...args], {
			stdio: ['ignore', log, log],
			env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
			timeout: 15 * 60_000,
		}).status
	try {
		apt('update') // a stale list may still do
		return {
			failed: apt('install', '-y', '--no-install-recommends', ...packages) !== 0,
			logFile,
		}
	} finally {
		if (mayForbid) rmSync(policy, { force: true })
	}
}

/** Prints one line for what it installs, and one for each program that stays away. */
export function installTestPeers(): void {
	const absent = peers.filter(peer => !installed(peer.command))
	if (absent.length === 0) return
	let reason = obstacle()
	if (!reason) {
		const packages = absent.map(peer => peer.debianPackage)
		console.log(`installing for the end-to-end tests: ${packages.join(' ')}`)
		const { failed, logFile } = aptInstall(packages)
		reason = failed ? `apt-get failed, see ${logFile}` : `its package has no such command`
	}
	for (const peer of absent) {
		if (installed(peer.command)) continue
		console.log(
			`left out: ${peer.command} (${peer.purpose}): ${reason}; package ${peer.debianPackage}`,
		)
	}
}

if (import.meta.main) installTestPeers()
