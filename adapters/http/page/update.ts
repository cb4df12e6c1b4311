/**
 * Brings what is shown up to date in place. An element that stays keeps the focus, the place that it
 * is scrolled to, and what is marked in it: nobody who reads or types is thrown out by a refresh.
 */
import { append, type Child } from './element.ts'

/** Makes the children of `parent` like these. Elements that stay keep their listeners, too. */
export function update(parent: Element, ...children: readonly Child[]): void {
	const wanted = document.createElement('div')
	append(wanted, children)
	mergeChildren(parent, wanted)
}

/** Rows are known by their first cell, so that a focused link stays that of the same subscriber. */
function keyOf(node: Node): string {
	return node instanceof HTMLTableRowElement
		? `TR ${node.cells[0]?.textContent ?? ''}`
		: node.nodeName
}

function mergeChildren(old: Element, wanted: Element): void {
	const known = new Map<string, ChildNode[]>()
	for (const child of old.childNodes) {
		const key = keyOf(child)
		known.set(key, [...(known.get(key) ?? []), child])
	}
	const pairs = [...wanted.childNodes].map(child => ({
		child,
		kept: known.get(keyOf(child))?.shift(),
	}))
	for (const gone of [...known.values()].flat()) gone.remove()
	let next = old.firstChild
	for (const { child, kept } of pairs) {
		if (kept === undefined) {
			old.insertBefore(child, next)
			continue
		}
		if (kept === next) next = kept.nextSibling
		else old.insertBefore(kept, next)
		merge(kept, child)
	}
}

function merge(old: ChildNode, wanted: ChildNode): void {
	if (!(old instanceof Element && wanted instanceof Element)) {
		if (old.nodeValue !== wanted.nodeValue) old.nodeValue = wanted.nodeValue
		return
	}
	for (const { name } of [...old.attributes]) {
		if (!wanted.hasAttribute(name)) old.removeAttribute(name)
	}
	for (const { name, value } of wanted.attributes) {
		if (old.getAttribute(name) !== value) old.setAttribute(name, value)
	}
	mergeChildren(old, wanted)
}
