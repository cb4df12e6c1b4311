/** What is wrong with a database of read models, as a sentence for whoever runs it. */
export class ViewFailure extends Error {
	override readonly name = 'ViewFailure'
}

/** What an error says, without the name of its class. */
export function reason(error: unknown): string {
	return error instanceof Error ? error.message : String(error)
}
