/** Who is in the demo: people with 802.1X, and devices that know nothing better than a password. */

export type Subscriber = {
	readonly name: string
	readonly password: string
	/** In normal form: upper-case with hyphens. */
	readonly mac: string
	readonly method: 'eap-md5' | 'pap' | 'chap'
	readonly plan: 'gold' | 'silver'
	/** Types a wrong password first, whenever it logs in. */
	readonly mistypes: boolean
	/** Is disconnected by the home server instead of logging off. */
	readonly expelled: boolean
}

const people = Array.from({ length: 50 }, (_, i): Subscriber => {
	const number = String(i + 1).padStart(2, '0')
	return {
		name: `user${number}`,
		password: `pass-phrase-of-user${number}`,
		mac: macOf(0x10, i + 1),
		method: 'eap-md5',
		plan: i % 3 === 0 ? 'gold' : 'silver',
		mistypes: i % 10 === 6,
		expelled: i % 5 === 2,
	}
})

const devices = (['pap', 'chap', 'pap', 'chap'] as const).map((method, i): Subscriber => {
	const name = `${method === 'pap' ? 'printer' : 'camera'}${1 + Math.floor(i / 2)}`
	return {
		name,
		password: `pass-phrase-of-${name}`,
		mac: macOf(0x11, i + 1),
		method,
		plan: 'silver',
		mistypes: false,
		expelled: false,
	}
})

export const subscribers: readonly Subscriber[] = [...people, ...devices]

/** What is typed by those who mistype: no password of anybody. */
export const wrongPassword = 'pass-phrase-of-nobody'

/** A locally administered address, in normal form. */
export function macOf(group: number, number: number): string {
	const octets = [0x02, 0x00, 0x5e, group, number >> 8, number & 255]
	return octets.map(octet => octet.toString(16).padStart(2, '0').toUpperCase()).join('-')
}
