import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseConfiguration } from '../domain/junose/configuration-text.ts'
import { relayPorts } from '../infra/demo/relay.ts'

const root = resolve(import.meta.dirname, '..')
const sample = readFileSync(join(root, 'infra/sample.conf'), 'utf8')

test('the sample configuration is for two networks of access points with two home servers each', () => {
	const parsed = parseConfiguration(sample, 'sample.conf')
	if (!('configuration' in parsed)) throw new Error(JSON.stringify(parsed.errors))
	const { virtualRouters } = parsed.configuration
	assert.equal(
		virtualRouters.map(({ name }) => name),
		['default', 'branches'],
	)
	for (const { relay, upstream } of virtualRouters) {
		for (const service of ['authentication', 'accounting'] as const) {
			assert.ok(relay[service]!.clients.length > 0)
			assert.is(upstream[service].length, 2)
			assert.ok(upstream[service].every(({ key }) => key !== undefined))
		}
	}
})

test('the relay starts with the sample configuration', async () => {
	const folder = mkdtempSync(join(tmpdir(), 'radledger-sample-'))
	try {
		const config = join(folder, 'sample.conf')
		writeFileSync(config, await onFreePorts(sample))
		const { ready, code } = await startAndStop(config, join(folder, 'data'))
		assert.is(ready?.listening.length, 4)
		assert.is(code, 0)
	} finally {
		rmSync(folder, { recursive: true, force: true })
	}
})

/** The sample on this machine, where its own ports may be taken: all else stays as it is. */
async function onFreePorts(text: string): Promise<string> {
	const ports = [await relayPorts(), await relayPorts()]
	const free = ports.flatMap(({ authentication, accounting }) => [authentication, accounting])
	let used = 0
	const moved = text.replace(/^ udp-port \d+$/gm, () => {
		return ` listen-address 127.0.0.1\n udp-port ${free[used++]}`
	})
	assert.is(used, free.length)
	return moved
}

type Ready = { readonly listening: readonly string[] }

async function startAndStop(
	config: string,
	data: string,
): Promise<{ ready?: Ready; code: number }> {
	const args = ['src/main.ts', 'serve', '--config', config, '--data', data]
	const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] })
	const closed = once(child, 'close')
	const limit = setTimeout(() => child.kill('SIGKILL'), 20_000)
	let ready: Ready | undefined
	const lines: string[] = []
	createInterface({ input: child.stderr }).on('line', line => {
		lines.push(line)
		if (!line.includes('"id":"ready"')) return
		ready = JSON.parse(line)
		child.kill('SIGTERM')
	})
	const [code] = await closed
	clearTimeout(limit)
	if (ready === undefined) throw new Error(`The relay did not get ready:\n${lines.join('\n')}`)
	return { ready, code }
}

test.run()
