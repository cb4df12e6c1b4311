/** The Debian packages that the bench needs: installed where that is allowed, named where not. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/** A file of each package by which it is recognised, wherever it came from. */
const packages: readonly { readonly name: string; readonly files: readonly string[] }[] = [
	{ name: 'gcc', files: ['/usr/bin/cc', '/usr/local/bin/cc'] },
	{ name: 'libc6-dev', files: ['/usr/include/stdio.h'] },
	{ name: 'libssl-dev', files: ['/usr/include/openssl/md5.h'] },
	{ name: 'radsecproxy', files: ['/usr/sbin/radsecproxy'] },
	{ name: 'freeradius', files: ['/usr/sbin/freeradius'] },
	{ name: 'kea-dhcp4-server', files: ['/usr/sbin/kea-dhcp4'] },
	{ name: 'kea-admin', files: ['/usr/sbin/perfdhcp'] },
	{ name: 'iproute2', files: ['/usr/sbin/ip', '/usr/bin/ip', '/sbin/ip'] },
	{ name: 'nats-server', files: ['/usr/sbin/nats-server', '/usr/bin/nats-server'] },
]

/** Installs what is missing. Returns a sentence on what is missing still, or an empty text. */
export function installPackages(): string {
	if (missing().length === 0) return ''
	if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
		process.stderr.write(`Installing ${missing().join(', ')}.\n`)
		if (!aptGet(['install', ...missing()])) {
			aptGet(['update'])
			aptGet(['install', ...missing()])
		}
	}
	const left = missing()
	if (left.length === 0) return ''
	return `Missing: ${left.join(', ')}. As root: apt-get install -y ${left.join(' ')}`
}

function missing(): string[] {
	return packages.filter(({ files }) => !files.some(existsSync)).map(({ name }) => name)
}

function aptGet(args: readonly string[]): boolean {
	const options = ['-y', '-q', '--no-install-recommends']
	const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
	const { status } = spawnSync('apt-get', [...options, ...args], {
		env,
		stdio: 'ignore',
		timeout: 180_000,
	})
	return status === 0
}
