import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { applyFilter, compileExpression, type Matcher } from '../domain/junose/filter.ts'

function matcher(expression: string): Matcher {
	const compiled = compileExpression(expression)
	if ('why' in compiled) throw new Error(compiled.why)
	return compiled.value
}

function why(expression: string): string {
	const compiled = compileExpression(expression)
	return 'why' in compiled ? compiled.why : ''
}

test('a plain text matches anywhere in the line, and with its case', () => {
	assert.ok(matcher('10.1')('key 10.1.0.0'))
	assert.ok(matcher('10.1')('10x1'))
	assert.not.ok(matcher('10\\.1')('10x1'))
	assert.not.ok(matcher('KEY')('key'))
	assert.ok(matcher('')('anything'))
})

test('an underscore is start, end, comma, space or brace', () => {
	const ten = matcher('_10_')
	for (const line of ['10', 'a 10 b', 'a,10', '{10}', '10 b']) assert.ok(ten(line), line)
	for (const line of ['110', '100', 'a10', 'a_10_b']) assert.not.ok(ten(line), line)
})

test('sets take ranges, negation and a bracket that comes first', () => {
	assert.ok(matcher('^[a-c]+$')('abcab'))
	assert.not.ok(matcher('^[a-c]+$')('abd'))
	assert.ok(matcher('^[^0-9]$')('x'))
	assert.ok(matcher('^[]x]$')(']'))
	assert.ok(matcher('^[a-]$')('-'))
})

test('what cannot be read is refused with a sentence that names the place', () => {
	assert.match(why('(a'), 'a "(" has no ")"')
	assert.match(why('a)'), 'a ")" has no "("')
	assert.match(why('[a'), 'a "[" has no "]"')
	assert.match(why('*a'), '"*" repeats nothing')
	assert.match(why('a|+'), '"+" repeats nothing')
	assert.match(why('a\\'), 'nothing follows its last "\\"')
	assert.match(why('[z-a]'), 'runs backwards')
	assert.match(why('a'.repeat(201)), 'at most 200 characters')
})

test('expressions that take a backtracking matcher for ever are matched at once', () => {
	const line = `${'a'.repeat(2000)}!`
	for (const expression of ['(a+)+$', '^(a|a)*$', '(a*)*b', '^((a?)*)*$', `${'a?'.repeat(60)}b`]) {
		assert.not.ok(matcher(expression)(line), expression)
	}
})

test('matches what the same expression of the language matches', () => {
	const atom = fc.constantFrom('a', 'b', '.', '^', '$', '[ab]', '[^a]', '\\.')
	const expression = fc.letrec<{ e: string }>(tie => ({
		e: fc.oneof(
			{ depthSize: 'small' },
			atom,
			fc.tuple(tie('e'), tie('e')).map(([x, y]) => x + y),
			fc.tuple(tie('e'), tie('e')).map(([x, y]) => `(${x}|${y})`),
			fc.tuple(tie('e'), fc.constantFrom('*', '+', '?')).map(([x, q]) => `(${x})${q}`),
		),
	})).e
	const line = fc.array(fc.constantFrom('a', 'b', '.', 'c'), { maxLength: 8 }).map(c => c.join(''))
	fc.assert(
		fc.property(expression, line, (e, l) => {
			fc.pre(e.length <= 60)
			return matcher(e)(l) === new RegExp(e).test(l)
		}),
		{ numRuns: 1000, seed: 1 },
	)
})

test('begin goes on to the end, include and exclude divide the lines', () => {
	const lines = ['a', 'b', 'ab', 'c']
	assert.equal(applyFilter(lines, 'begin', matcher('b')), ['b', 'ab', 'c'])
	assert.equal(applyFilter(lines, 'begin', matcher('x')), [])
	assert.equal(applyFilter(lines, 'include', matcher('b')), ['b', 'ab'])
	assert.equal(applyFilter(lines, 'exclude', matcher('b')), ['a', 'c'])
})

test.run()
