/**
 * Text for a field of comma-separated values: a user name is whatever somebody typed into a login, and
 * a spreadsheet takes text that begins with one of these for a formula. An apostrophe before it says
 * that it is text.
 */
export function harmlessText(text: string): string {
	return /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
}
