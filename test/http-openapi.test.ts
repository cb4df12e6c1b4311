/** The OpenAPI document: valid, and the same as what the server does. */
import { Validator } from '@seriousme/openapi-schema-validator'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parametersOf } from '../adapters/http/openapi.ts'
import { otherRoutes } from '../adapters/http/other-routes.ts'
import { rowRoutes } from '../adapters/http/routes.ts'
import { testServer } from './http-server.ts'

type Operation = {
	readonly operationId: string
	readonly parameters: readonly { name: string; in: string; schema: Record<string, unknown> }[]
	readonly responses: Record<string, unknown>
}
type Document = {
	readonly openapi: string
	readonly paths: Record<string, Record<string, Operation>>
	readonly components: { readonly schemas: Record<string, object> }
}

async function served(): Promise<Document> {
	const { app } = testServer()
	const { body } = await app.inject({ url: '/openapi.json', headers: { host: 'localhost' } })
	await app.close()
	return JSON.parse(body) as Document
}

test('the document is valid OpenAPI 3.1', async () => {
	const document = await served()
	assert.match(document.openapi, /^3\.1\./)
	const result = await new Validator().validate(document as unknown as Record<string, unknown>)
	assert.is(result.valid, true, JSON.stringify(result.errors))
})

test('it has every route of the server, and the server has every route of it', async () => {
	const document = await served()
	const { app } = testServer()
	const described = Object.entries(document.paths).flatMap(([path, operations]) =>
		Object.keys(operations).map(method => `${method.toUpperCase()} ${path}`),
	)
	for (const route of described) {
		const [method, path] = route.split(' ') as ['GET' | 'POST', string]
		const url = path.replace(/\{(\w+)\}/g, ':$1')
		assert.ok(app.hasRoute({ method, url }), `the server has no ${route}`)
	}
	await app.ready()
	const printed = app.printRoutes({ commonPrefix: false, includeHooks: false })
	const count = printed.match(/\((?:GET|POST)[^)]*\)/g)?.length
	assert.is(described.length, count, `document: ${described.join(', ')}\nserver:\n${printed}`)
	assert.is(described.length, rowRoutes.length + otherRoutes.length)
	await app.close()
})

test('every operation has its own name, and every reference leads somewhere', async () => {
	const document = await served()
	const names = Object.values(document.paths).flatMap(path =>
		Object.values(path).map(operation => operation.operationId),
	)
	assert.equal(names.length, new Set(names).size)
	for (const [, name] of JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g)) {
		assert.ok(document.components.schemas[name!], name)
	}
})

test('what the schema of a parameter gives as example or default, its codec takes', () => {
	for (const route of rowRoutes) {
		for (const [name, { value, fallback }] of Object.entries(parametersOf(route))) {
			const examples = (value.schema['examples'] ?? []) as unknown[]
			const words = (value.schema['enum'] ?? []) as unknown[]
			for (const text of [...examples, ...words, ...(fallback === undefined ? [] : [fallback])]) {
				const checked = value.codec.decode(String(text))
				assert.is(checked._tag, 'Right', `${route.operation} ${name}: ${String(text)}`)
			}
		}
	}
})

test('a route refuses every parameter that the document does not have', async () => {
	const document = await served()
	const { app } = testServer()
	for (const [path, operations] of Object.entries(document.paths)) {
		if (operations['get'] === undefined || !path.startsWith('/api/')) continue
		const url = path.replace('{mac}', '02-00-00-00-00-01').replace('{position}', '1')
		const reply = await app.inject({ url: `${url}?nonsense=1`, headers: { host: 'localhost' } })
		assert.is(reply.statusCode, 400, path)
		assert.is(reply.json().parameter, 'nonsense')
	}
	await app.close()
})

test.run()
