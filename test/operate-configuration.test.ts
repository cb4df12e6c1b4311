/** Commands whose sense depends on the machine: files that they name, interfaces that it has. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseIpv4 } from '../domain/address.ts'
import { type OperatedRelay, operatedRelay } from './operated-relay.ts'

const folder = mkdtempSync(join(tmpdir(), 'radledger-operate-'))
const configurationFile = join(folder, 'radledger.conf')
test.after(() => rmSync(folder, { recursive: true, force: true }))
writeFileSync(join(folder, 'good.rules'), 'default\n  pool campus\n')
writeFileSync(join(folder, 'bad.rules'), 'default\n  pol x\n  lease y\n')

const src = (router: { readonly src: object } | undefined) => JSON.stringify(router?.src)

function changesOf(relay: OperatedRelay): number {
	return relay.events().filter(({ type }) => type === 'ConfigurationChanged').length
}

// ---- Rules of SRC

test('rules that are missing or bad are refused when they are typed, with SRC off', async () => {
	const relay = await operatedRelay('', { configurationFile })
	const before = src(relay.engine.configuration.virtualRouters[0])
	const missing = await relay.type('configure terminal', 'sscc local rules nowhere.rules')
	assert.not.ok(missing.ok)
	assert.match(
		missing.lines.join('\n'),
		`% There is no rules file ${join(folder, 'nowhere.rules')}. Write one`,
	)
	const bad = await relay.type('configure terminal', 'sscc local rules bad.rules')
	assert.not.ok(bad.ok)
	assert.is(bad.lines.length, 2, 'every error has a line')
	for (const line of bad.lines) assert.match(line, /^% .*bad\.rules:[23]:\d+: /)
	assert.is(src(relay.engine.configuration.virtualRouters[0]), before)
	assert.is(changesOf(relay), 0)
})

test('good rules are accepted, and from then on their file is not in the way of other commands', async () => {
	const relay = await operatedRelay('', { configurationFile })
	const file = join(folder, 'late.rules')
	writeFileSync(file, 'default\n  pool campus\n')
	const lines = ['configure terminal', 'sscc local rules late.rules'] as const
	assert.equal((await relay.type(...lines)).lines, [])
	assert.match(src(relay.engine.configuration.virtualRouters[0]) ?? '', 'late.rules')
	rmSync(file)
	assert.ok((await relay.type('configure terminal', 'hostname other')).ok)
	assert.ok((await relay.type('configure terminal', 'no sscc local rules')).ok)
})

test('a start with SRC off needs no rules: they are read by who turns it on', async () => {
	const text = 'sscc local rules nowhere.rules\n'
	const relay = await operatedRelay(text, { configurationFile })
	assert.match(src(relay.engine.configuration.virtualRouters[0]) ?? '', 'nowhere.rules')
	assert.ok((await relay.type('configure terminal', 'hostname other')).ok)
})

// ---- Interfaces

const campusInterface = { index: 2, name: 'eth0', addresses: [parseIpv4('10.0.0.1')!] }
const machine = () => ({
	interfaces: () => [campusInterface],
	ping: async () => false,
	watch: () => ({ close() {}, takeLost: () => 0 }),
})

test('an interface that the machine does not have now is accepted, and the operator is told', async () => {
	const relay = await operatedRelay('', { dhcp: machine() })
	for (const words of ['ip dhcp-local interface', 'ip dhcp-external interface']) {
		const { ok, lines } = await relay.type('configure terminal', `${words} nosuch0`)
		assert.ok(ok)
		assert.equal(lines, [
			'Warning: This machine has no interface nosuch0 now that is up and has an IPv4 address; clients are served there once it has.',
		])
		assert.equal((await relay.type('configure terminal', `${words} eth0`)).lines, [])
		assert.equal((await relay.type('configure terminal', `no ${words} nosuch0`)).lines, [])
	}
	assert.is(changesOf(relay), 6)
})

test('where nobody can say what interfaces there are, nobody is warned', async () => {
	const relay = await operatedRelay('')
	const { ok, lines } = await relay.type('configure terminal', 'ip dhcp-local interface nosuch0')
	assert.ok(ok)
	assert.equal(lines, [])
})

test.run()
