/** Answers to Disconnect- and CoA-Requests. */
import type { Verdict } from '../../domain/disconnect.ts'
import { writeDynamicAnswer } from '../../domain/dynamic-request.ts'
import { reserve } from './answer-cache.ts'
import type { DynamicExchange } from './dynamic-listener.ts'
import type { Engine } from './engine.ts'
import { queueAnswer } from './record.ts'

/** Writes the answer to where it is kept and queues it: it leaves when its events are on disk. */
export function answerDynamicRequest(
	engine: Engine,
	exchange: DynamicExchange,
	verdict: Verdict,
): void {
	const { answerCache, scratch } = engine
	const length = writeDynamicAnswer(exchange.request, scratch, verdict, exchange.key)
	const at = reserve(answerCache, length)
	answerCache.memory.bytes.set(scratch.subarray(0, length), at)
	exchange.state = 'answered'
	exchange.answerAt = at
	exchange.answerLength = length
	exchange.answerMark = answerCache.written
	exchange.answeredAt = engine.now
	sendAnswer(engine, exchange)
	queueAnswer(engine, exchange.listener)
}

export function sendAnswer(engine: Engine, exchange: DynamicExchange): void {
	const { listener, answerAt, answerLength, address, port, local } = exchange
	listener.socket.send(engine.answerCache.memory, answerAt, answerLength, address, port, local)
}
