import { test } from 'uvu'
import * as assert from 'uvu/assert'

// The zone is that of the process, and is read when a date is used first.
process.env['TZ'] = 'Europe/Berlin'
const { parsePointInTime, pointInTimeText } = await import('../domain/point-in-time.ts')

/** A Wednesday, 12:00 in Berlin. */
const now = Date.UTC(2027, 0, 6, 11)
const read = (text: string) => {
	const ms = parsePointInTime(text, now)
	return ms === undefined ? undefined : new Date(ms).toISOString()
}

test('ISO 8601 with a zone is that instant', () => {
	assert.is(read('2027-01-05T14:02:00Z'), '2027-01-05T14:02:00.000Z')
	assert.is(read('2027-01-05t14:02z'), '2027-01-05T14:02:00.000Z')
	assert.is(read('2027-01-05 14:02:00.25+02:00'), '2027-01-05T12:02:00.250Z')
})

test('without a zone it is local time, summer and winter', () => {
	assert.is(read('2027-01-05 14:02'), '2027-01-05T13:02:00.000Z')
	assert.is(read('2026-07-05T14:02:03.5'), '2026-07-05T12:02:03.500Z')
	assert.is(read('2027-01-05'), '2027-01-04T23:00:00.000Z')
})

test('a time of day is of today, a weekday the last one', () => {
	assert.is(read('9:30'), '2027-01-06T08:30:00.000Z')
	assert.is(read('yesterday 14:02'), '2027-01-05T13:02:00.000Z')
	assert.is(read('Tuesday 14:02'), '2027-01-05T13:02:00.000Z')
	assert.is(read('tue at 14:02:30'), '2027-01-05T13:02:30.000Z')
	assert.is(read('wednesday 9:00'), '2027-01-06T08:00:00.000Z')
	// Not yet come today: a week ago.
	assert.is(read('wed 13:00'), '2026-12-30T12:00:00.000Z')
	assert.is(read('thursday 08:00'), '2026-12-31T07:00:00.000Z')
})

test('so long ago', () => {
	assert.is(read('now'), new Date(now).toISOString())
	assert.is(read('-2h'), '2027-01-06T09:00:00.000Z')
	assert.is(read('-90s'), '2027-01-06T10:58:30.000Z')
	assert.is(read('-1.5d'), '2027-01-04T23:00:00.000Z')
})

test('what is no time is not guessed at', () => {
	const wrong = ['', '2h', '-2', '2027-13-01', '2027-02-31', '25:00', '14:61', 'someday 14:02']
	for (const text of [...wrong, '2027-01-05T14:02:00+99:00Z', '2027-01-32', '14', 'tuesday']) {
		assert.is(read(text), undefined, text)
	}
})

test('is written in UTC', () => {
	assert.is(pointInTimeText(Date.UTC(2027, 0, 5, 14, 2)), '2027-01-05 14:02:00 UTC')
	assert.is(pointInTimeText(Date.UTC(2027, 0, 5, 14, 2, 3, 7)), '2027-01-05 14:02:03.007 UTC')
})

test.run()
