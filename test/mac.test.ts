/** MAC addresses as numbers and as texts. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ethernetKey, macNumber, macText, readMac } from '../domain/mac.ts'

const macs = fc.uint8Array({ minLength: 6, maxLength: 6 })

test('six octets are one number, and each text has all twelve digits in their order', () => {
	fc.assert(
		fc.property(macs, fc.nat(4), (octets, at) => {
			const pairs = Array.from(octets, octet => octet.toString(16).padStart(2, '0'))
			const bytes = Uint8Array.of(...new Uint8Array(at).fill(255), ...octets, 255)
			const mac = readMac(bytes, at)
			assert.is(mac, Number.parseInt(pairs.join(''), 16))
			assert.is(macText(mac), pairs.join('-').toUpperCase())
			assert.is(macNumber(macText(mac)), mac)
			assert.is(ethernetKey('hw', mac), `hw:01${pairs.join('')}`)
			assert.is(ethernetKey('id', mac), `id:01${pairs.join('')}`)
		}),
	)
})

test('what is not in normal form has no number', () => {
	assert.is(macNumber('02-00-00-00-00-0F'), 0x02_00_00_00_00_0f)
	for (const text of [
		...['', '02-00-00-00-00-0f', '02:00:00:00:00:0F', '02-00-00-00-00', '0200.0000.000F'],
		...['02-00-00-00-00-0F-', '02-00-00-00-00-0F-00', '02-00-00-00-0G-0F', '02-00-00-00_00-0F'],
		...['subscriber-abcdef', '-02-00-00-00-00-0', '02-00-00-00-00-ÿÿ', 'é2-00-00-00-00-00'],
	]) {
		assert.is(macNumber(text), -1, text)
	}
})

test.run()
