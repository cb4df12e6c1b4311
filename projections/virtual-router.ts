import { subscriberStream, virtualRouterOf } from '../domain/event.ts'

/** Characters of a normalised MAC address, such as `02-00-00-00-00-01`. */
const macLength = 17

/**
 * Makes a reader that gives the virtual router of a stream, like `virtualRouterOf`, but without
 * taking the name apart while subscribers of one virtual router follow each other. The same text
 * object is handed out each time, which makes comparing it cheap.
 */
export function createVirtualRouterReader(): (stream: string) => string {
	let name = ''
	let prefix = subscriberStream(name, '')
	return stream => {
		// The length tells `subscriber-a.` from `subscriber-a.b.`: what follows must be just a MAC.
		if (stream.length === prefix.length + macLength && stream.startsWith(prefix)) return name
		const found = virtualRouterOf(stream)
		if (found === name) return name
		if (stream.startsWith('subscriber-')) {
			name = found
			prefix = subscriberStream(found, '')
		}
		return found
	}
}
