/** The constants of the packet path say what the dictionary says. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { attribute, erx, microsoft, vendor } from '../domain/radius/attribute.ts'
import { type Attribute, builtInDictionary } from '../domain/radius/dictionary.ts'

/** `calledStationId` is what RFC 2865 spells Called-Station-Id. */
function plain(name: string): string {
	return name.toLowerCase().replace(/[^a-z0-9]/g, '')
}

function assertNamed(found: Attribute | undefined, name: string, number: number): void {
	assert.ok(found, `${name} [${number}] is in the dictionary`)
	assert.ok(
		plain(found.name).includes(plain(name)),
		`[${number}] is ${found.name} there, not ${name}`,
	)
}

test('every attribute has its number', () => {
	for (const [name, number] of Object.entries(attribute)) {
		const found = builtInDictionary.byNumber[number]
		assertNamed(found, name, number)
		assert.is(plain(found!.name), plain(name))
	}
})

test('no two names have one number', () => {
	for (const numbers of [attribute, erx, microsoft, vendor]) {
		const all = Object.values(numbers)
		assert.is(new Set(all).size, all.length)
	}
})

test('every vendor has its number', () => {
	assert.is(builtInDictionary.vendors.get(vendor.microsoft)?.name, 'Microsoft')
	assert.match(builtInDictionary.vendors.get(vendor.juniperErx)!.name, /ERX/i)
})

test("the vendors' attributes have theirs", () => {
	for (const [name, number] of Object.entries(erx)) {
		assertNamed(builtInDictionary.byVendor.get(vendor.juniperErx)?.get(number), name, number)
	}
	for (const [name, number] of Object.entries(microsoft)) {
		assertNamed(builtInDictionary.byVendor.get(vendor.microsoft)?.get(number), name, number)
	}
})

test('what the packet path reads as a number or an address is one', () => {
	const four = [
		'nasIpAddress',
		'nasPort',
		'framedIpAddress',
		'framedIpNetmask',
		'sessionTimeout',
		'idleTimeout',
		'acctStatusType',
		'acctDelayTime',
		'acctInputOctets',
		'acctOutputOctets',
		'acctSessionTime',
		'acctInputPackets',
		'acctOutputPackets',
		'acctTerminateCause',
		'acctInputGigawords',
		'acctOutputGigawords',
	] as const
	for (const name of four) {
		const { type } = builtInDictionary.byNumber[attribute[name]]!
		assert.ok(type === 'integer' || type === 'ipaddr', `${name} is ${type}`)
	}
})

test.run()
