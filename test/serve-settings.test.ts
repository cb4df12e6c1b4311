import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { serveSettings } from '../src/settings.ts'
import { srcAdapterSettings } from '../src/src-adapter-settings.ts'

const needed = ['--config', 'relay.conf', '--data', 'data']

function viewsOf(flags: readonly string[], environment: Record<string, string> = {}): boolean {
	return serveSettings([...needed, ...flags], environment).views
}

test('read models are kept for who asks for them, and for HTTP', () => {
	assert.is(viewsOf([]), false)
	assert.is(viewsOf(['--views']), true)
	assert.is(viewsOf([], { RADLEDGER_VIEWS: '1' }), true)
	assert.is(viewsOf(['--http', '127.0.0.1:8080']), true)
	assert.is(viewsOf([], { RADLEDGER_HTTP: '127.0.0.1:8080' }), true)
})

test('the history is sealed unless that is put off', () => {
	const sealOf = (flags: readonly string[], environment: Record<string, string> = {}) =>
		serveSettings([...needed, ...flags], environment).seal
	assert.is(sealOf([]), true)
	assert.is(sealOf(['--no-seal']), false)
	assert.is(sealOf([], { RADLEDGER_NO_SEAL: '1' }), false)
})

const login = ['--nats-user', 'relay', '--nats-password-file', 'nats.password'] as const
const files = { user: 'relay', passwordFile: 'nats.password' }

test('whom NATS takes us for: a user with a password in a file, and one login at most', () => {
	const set = (flags: readonly string[], environment: Record<string, string> = {}) =>
		serveSettings([...needed, ...flags], environment)
	assert.equal(set(login).natsSecurity, files)
	const environment = {
		RADLEDGER_NATS_USER: 'relay',
		RADLEDGER_NATS_PASSWORD_FILE: 'nats.password',
	}
	assert.equal(set([], environment).natsSecurity, files)
	assert.equal(set([...login, '--nats', 'nats://n1']).feed!.security, files)
	const own = ['--nats', 'nats://feed:word@n1']
	const both = set([...login, ...own, '--nats-ca', 'ca.pem'])
	const tls = { caFile: 'ca.pem' }
	assert.equal(both.feed!.security, { user: 'feed', password: 'word', tls })
	assert.equal(both.natsSecurity, { ...files, tls })
	for (const [flags, why] of [
		[login.slice(0, 2), '--nats-user needs --nats-password-file.'],
		[login.slice(2), '--nats-password-file needs --nats-user.'],
		[[...login, '--nats-nkey', 'seed'], '--nats-user is another login than --nats-nkey'],
	] as const) {
		assert.throws(
			() => set(flags),
			(error: Error) => error.message.startsWith(why),
		)
	}
	assert.throws(
		() => srcAdapterSettings(['--rules', 'r', '--nats', 'nats://n1', ...login.slice(0, 2)], {}),
		/needs --nats-password-file/,
	)
	const adapter = ['--rules', 'r', '--nats', 'nats://n1', ...login]
	assert.equal(srcAdapterSettings(adapter, {}).nats.security, files)
})

test.run()
