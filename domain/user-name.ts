/**
 * User names as people look for them: whoever asks about `Ada@Example.ORG` may remember `ada@example.org`.
 * What is recorded stays as it was sent. Only A to Z are folded, as SQLite's NOCASE does it, so that
 * an index and a comparison here agree.
 */
export function foldedName(name: string): string {
	return name.replace(/[A-Z]+/g, letters => letters.toLowerCase())
}

export function isSameName(a: unknown, b: string): boolean {
	return typeof a === 'string' && foldedName(a) === foldedName(b)
}
