/** Which transport this machine gets. */

import type { Transport } from './transport.ts'
import { openDgramTransport } from './transport-dgram.ts'
import { openLinuxTransport } from './transport-linux.ts'

export type Opened = {
	readonly transport: Transport
	/** Why it is this one, as a sentence for the log. */
	readonly reason: string
}

/**
 * Batched system calls where Linux and the FFI give them, otherwise `dgram`; `force` takes the one
 * named, or throws an Error with the reason why it cannot be had.
 */
export async function openTransport(
	options: { readonly force?: 'linux' | 'dgram' } = {},
): Promise<Opened> {
	if (options.force === 'dgram') {
		return { transport: openDgramTransport(), reason: 'dgram was asked for' }
	}
	try {
		const reason = options.force === 'linux' ? 'it was asked for' : 'they work on this machine'
		const transport = await openLinuxTransport()
		return { transport, reason: `batched system calls: ${reason}` }
	} catch (error) {
		const why = error instanceof Error ? error.message : String(error)
		if (options.force === 'linux') {
			throw new Error(`batched system calls were asked for and cannot be had: ${why}`)
		}
		const reason = `dgram, because batched system calls cannot be had here: ${why}`
		return { transport: openDgramTransport(), reason }
	}
}
