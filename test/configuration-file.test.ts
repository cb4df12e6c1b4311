/** The configuration file: read whole or refused whole, replaced whole or not at all. */
import {
	chmodSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { initialConfiguration } from '../domain/configuration.ts'
import { loadConfiguration, saveConfiguration, whyExposed } from '../src/configuration-file.ts'

let folder = ''
test.before.each(() => {
	folder = mkdtempSync(join(tmpdir(), 'radledger-configuration-'))
})
test.after.each(() => rmSync(folder, { recursive: true }))

test('a file that is not there is refused with what to do', () => {
	const loaded = loadConfiguration(join(folder, 'none.conf'))
	assert.ok('refused' in loaded)
	assert.match(
		loaded.refused,
		/There is no configuration file .*none\.conf\. Name one with --config/,
	)
})

test('an empty file is the initial configuration', () => {
	const file = join(folder, 'empty.conf')
	writeFileSync(file, '')
	assert.equal(loadConfiguration(file), { configuration: initialConfiguration() })
})

test('secrets that everybody may read are warned of', () => {
	const file = join(folder, 'open.conf')
	writeFileSync(file, 'radius authentication server 192.0.2.1\n key not-told\nexit\n')
	chmodSync(file, 0o644)
	const warned = (of: string) => {
		const loaded = loadConfiguration(of)
		assert.ok('configuration' in loaded)
		return whyExposed(of, loaded.configuration)
	}
	assert.match(warned(file)!, /open\.conf has secrets in it.*"chmod o-r .*open\.conf" ends that/)
	assert.not.match(warned(file)!, /not-told/)
	chmodSync(file, 0o640)
	assert.is(warned(file), undefined)
	writeFileSync(file, 'hostname x\n')
	chmodSync(file, 0o644)
	assert.is(warned(file), undefined, 'there is no secret in it')
})

test('every error is named with file, line and column, and nothing is loaded', () => {
	const file = join(folder, 'bad.conf')
	writeFileSync(file, 'hostname one two\nradius authentication server 192.0.2.1\n timeout 0\n')
	const loaded = loadConfiguration(file)
	assert.ok('refused' in loaded)
	const lines = loaded.refused.split('\n')
	assert.is(lines.length, 2)
	assert.ok(lines[0]!.startsWith(`${file}:1:14: `), lines[0])
	assert.ok(lines[1]!.startsWith(`${file}:3:10: `), lines[1])
})

test('what is saved loads again, keeps the mode of the old file, and leaves no other file', () => {
	const file = join(folder, 'relay.conf')
	writeFileSync(file, '')
	chmodSync(file, 0o640)
	const configuration = { ...initialConfiguration(), hostname: 'host1' }
	saveConfiguration(file, configuration)
	assert.equal(loadConfiguration(file), { configuration })
	assert.is(statSync(file).mode & 0o777, 0o640)
	assert.equal(readdirSync(folder), ['relay.conf'])
})

test('a new file is for its owner only: it holds secrets', () => {
	const file = join(folder, 'new.conf')
	saveConfiguration(file, initialConfiguration())
	assert.is(statSync(file).mode & 0o777, 0o600)
})

test('when it cannot be replaced the old file stands as it was', () => {
	const file = join(folder, 'relay.conf')
	writeFileSync(file, 'hostname old\n')
	writeFileSync(join(folder, 'unrelated'), '')
	assert.throws(() =>
		saveConfiguration(join(folder, 'unrelated', 'relay.conf'), initialConfiguration()),
	)
	assert.is(readFileSync(file, 'utf8'), 'hostname old\n')
})

test.run()
