import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { serveSettings } from '../src/settings.ts'

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

test.run()
