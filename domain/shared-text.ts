/** Texts that many subscribers share, such as an access point's name, as one object each. */

/** With more, all are forgotten: then a text is there twice, which is a matter of memory only. */
const limit = 65_536
const shared = new Map<string, string>()

/** The same text; equal ones are one object. */
export function sharedText<T extends string | undefined>(text: T): T {
	if (text === undefined) return text
	const known = shared.get(text)
	if (known !== undefined) return known as T
	if (shared.size >= limit) shared.clear()
	shared.set(text, text)
	return text
}
