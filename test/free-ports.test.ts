/** Ports for servers of tests, demo and bench: free by UDP and TCP, and out of the system's own hand. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { freePorts, isFree } from '../infra/free-ports.ts'

test('they are all different, and below those that sockets get which ask for none', async () => {
	const ports = [...(await freePorts(50)), ...(await freePorts(50))]
	assert.is(new Set(ports).size, 100)
	assert.ok(ports.every(port => port >= 20_000 && port < 32_768))
})

test('a port that somebody has by UDP or by TCP, on one address only, is not free', async () => {
	const socket = createSocket('udp4')
	socket.bind(0, '127.0.0.1')
	await once(socket, 'listening')
	const server = createServer().listen(0, '127.0.0.1')
	await once(server, 'listening')
	const address = server.address() as { readonly port: number }
	assert.not(await isFree(socket.address().port))
	assert.not(await isFree(address.port))
	socket.close()
	server.close()
	const [port] = (await freePorts(1)) as [number]
	assert.ok(await isFree(port))
})

test.run()
