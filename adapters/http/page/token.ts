/** Asks for the token of a server that demands one. */
import { setToken, unauthorized } from './api.ts'
import { element } from './element.ts'

/** `onGiven`: what failed for want of it may be tried again. */
export function openToken(onGiven: () => void): void {
	const input = element('input', {
		type: 'password',
		id: 'token',
		autocomplete: 'current-password',
		required: true,
		maxlength: 512,
	})
	const said = element('p', { class: 'note', role: 'status' })
	const form = element(
		'form',
		{ class: 'row' },
		element('label', { for: 'token', class: 'unseen' }, 'Token'),
		input,
		element('button', {}, 'Go on'),
	)
	const dialog = element(
		'dialog',
		{ 'aria-labelledby': 'token-title' },
		element('h2', { id: 'token-title' }, 'This server asks for its token'),
		element('p', { class: 'note' }, 'It is the first line of the file of --http-token-file.'),
		form,
		said,
	)
	let given = false
	form.addEventListener('submit', event => {
		event.preventDefault()
		setToken(input.value.trim())
		input.value = ''
		given = true
		dialog.close()
		dialog.remove()
		onGiven()
	})
	unauthorized.addEventListener('unauthorized', () => {
		if (dialog.open) return
		said.textContent = given ? 'That was not the token.' : ''
		document.body.append(dialog)
		dialog.showModal()
	})
}
