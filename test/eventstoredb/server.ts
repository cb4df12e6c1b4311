/**
 * An EventStoreDB node on loopback, speaking the client package's own gRPC definitions, which can be
 * told to misbehave as networks and nodes do. Several nodes over one store are a cluster.
 */

import gossipRpc from '@eventstore/db-client/generated/gossip_grpc_pb.js'
import gossip from '@eventstore/db-client/generated/gossip_pb.js'
import featuresRpc from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js'
import features from '@eventstore/db-client/generated/serverfeatures_pb.js'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import streamsRpc from '@eventstore/db-client/generated/streams_grpc_pb.js'
import * as grpc from '@grpc/grpc-js'
import { appending } from './appending.ts'
import { reading } from './reading.ts'
import { newStore, type Store } from './store.ts'

export type Faults = {
	/** Accepts whatever comes and answers nothing. */
	stall: boolean
	/** So many of the next appends are refused as a busy node refuses them. */
	busy: number
	/** So many of the next appends are written, and the connection breaks before the answer. */
	loseAnswers: number
	/** So many of the next appends are neither written nor answered, and the connection breaks. */
	dropAppends: number
	/** Another node's port, where this one is a follower. */
	leader: number | undefined
}

export type EventStoreNode = {
	readonly port: number
	readonly store: Store
	readonly faults: Faults
	/** `maxAppendSize`: octets of one append, by default as many as EventStoreDB takes. */
	readonly settings: { maxAppendSize: number }
	/** How many appends have come, and how many connections' worth of append streams. */
	readonly seen: { appends: number; appendStreams: number; reads: number }
	/** Ends every connection and listens no more; `start` has it back with everything it kept. */
	stop(): void
	start(): Promise<void>
	/** Breaks every connection and goes on listening. */
	drop(): Promise<void>
}

export async function startEventStoreNode(
	options: {
		store?: Store
		port?: number
		cluster?: () => readonly EventStoreNode[]
		tls?: { readonly certificate: Buffer; readonly key: Buffer }
		/** `USER:PASSWORD` of the only user. */
		login?: string
	} = {},
): Promise<EventStoreNode> {
	const store = options.store ?? newStore()
	let server: grpc.Server | undefined
	let port = options.port ?? 0
	const node: EventStoreNode = {
		get port() {
			return port
		},
		store,
		faults: { stall: false, busy: 0, loseAnswers: 0, dropAppends: 0, leader: undefined },
		settings: { maxAppendSize: 2 ** 20 },
		seen: { appends: 0, appendStreams: 0, reads: 0 },
		stop() {
			server?.forceShutdown()
			server = undefined
		},
		async start() {
			server = new grpc.Server({ 'grpc.max_receive_message_length': 17 * 2 ** 20 })
			const streams = { ...appending(node), ...reading(node) }
			server.addService(streamsRpc.StreamsService, guarded(streams, options.login))
			server.addService(gossipRpc.GossipService, {
				read: answering(() => clusterInfo(options.cluster?.() ?? [node])),
			})
			server.addService(featuresRpc.ServerFeaturesService, {
				getSupportedMethods: answering(supportedMethods),
			})
			port = await bind(server, port, options.tls)
		},
		async drop() {
			node.stop()
			await node.start()
		},
	}
	await node.start()
	return node

	function answering<Answer>(make: () => Answer) {
		return (_: unknown, callback: (error: null, answer: Answer) => void) => {
			if (!node.faults.stall) callback(null, make())
		}
	}
}

/** What a follower says to a caller who asked for the leader; undefined where it need not. */
export function notLeader(node: EventStoreNode, metadata: grpc.Metadata) {
	const { leader } = node.faults
	if (leader === undefined || metadata.get('requires-leader')[0] !== 'true') return undefined
	const trailers = new grpc.Metadata()
	trailers.set('exception', 'not-leader')
	trailers.set('leader-endpoint-host', '127.0.0.1')
	trailers.set('leader-endpoint-port', String(leader))
	return {
		name: 'NotLeader',
		message: 'Leader info available',
		code: grpc.status.NOT_FOUND,
		details: 'Leader info available',
		metadata: trailers,
	}
}

async function bind(
	server: grpc.Server,
	port: number,
	tls: { readonly certificate: Buffer; readonly key: Buffer } | undefined,
): Promise<number> {
	const { promise, resolve, reject } = Promise.withResolvers<number>()
	const credentials =
		tls === undefined
			? grpc.ServerCredentials.createInsecure()
			: grpc.ServerCredentials.createSsl(null, [
					{ cert_chain: tls.certificate, private_key: tls.key },
				])
	server.bindAsync(`127.0.0.1:${port}`, credentials, (error, bound) =>
		error === null ? resolve(bound) : reject(error),
	)
	return promise
}

type Handler = (call: grpc.ServerDuplexStream<unknown, unknown>, callback?: Refuse) => void
type Refuse = (error: object) => void

/** The same methods for those who log in; for all where there is no login. */
function guarded<M extends object>(methods: M, login: string | undefined): M {
	if (login === undefined) return methods
	const expected = `Basic ${Buffer.from(login).toString('base64')}`
	const wrapped = Object.entries(methods).map(([name, method]) => {
		const handler: Handler = (call, callback) => {
			if (call.metadata.get('authorization')[0] === expected) {
				;(method as Handler)(call, callback)
				return
			}
			const metadata = new grpc.Metadata()
			metadata.set('exception', 'access-denied')
			const code = grpc.status.PERMISSION_DENIED
			const denied = { name: 'Denied', message: 'Access Denied', code, details: '', metadata }
			if (callback !== undefined) callback(denied)
			else call.emit('error', denied)
		}
		return [name, handler]
	})
	return Object.fromEntries(wrapped) as M
}

function supportedMethods() {
	const methods = ['append', 'batchappend', 'delete', 'read', 'tombstone'].map(name =>
		new features.SupportedMethod()
			.setServiceName('event_store.client.streams.streams')
			.setMethodName(name),
	)
	return new features.SupportedMethods()
		.setEventStoreServerVersion('23.10.0.0')
		.setMethodsList(methods)
}

function clusterInfo(nodes: readonly EventStoreNode[]) {
	const { LEADER, FOLLOWER } = gossip.MemberInfo.VNodeState
	const members = nodes.map(node =>
		new gossip.MemberInfo()
			.setInstanceId(new shared.UUID().setString(crypto.randomUUID()))
			.setTimeStamp(String(Date.now()))
			.setState(node.faults.leader === undefined ? LEADER : FOLLOWER)
			.setIsAlive(true)
			.setHttpEndPoint(new gossip.EndPoint().setAddress('127.0.0.1').setPort(node.port)),
	)
	return new gossip.ClusterInfo().setMembersList(members)
}
