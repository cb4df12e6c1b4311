/** Certificates and NATS credentials that are made for one test. */
import { join } from 'node:path'
import { nkeys } from 'nats'
import * as assert from 'uvu/assert'
import { run, temporaryFolder } from './processes.ts'

/** A certificate for an address and no name but `name`, that is its own authority. */
export async function selfSigned(
	address = '127.0.0.1',
	name = 'radledger',
): Promise<{ certificate: string; keyFile: string }> {
	const folder = temporaryFolder('tls')
	const [certificate, keyFile] = [join(folder, 'c.pem'), join(folder, 'k.pem')]
	const openssl = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
	const whose = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=IP:${address}`]
	const files = ['-nodes', '-days', '2', '-keyout', keyFile, '-out', certificate]
	assert.is((await run('openssl', [...openssl, ...whose, ...files])).code, 0)
	return { certificate, keyFile }
}

type KeyPair = ReturnType<typeof nkeys.createUser>

/** A server's configuration with an operator and one account, and `.creds` of a user of it and of none. */
export function operatorMode() {
	const operator = nkeys.createOperator()
	const account = nkeys.createAccount()
	const system = nkeys.createAccount()
	// Without these numbers an account has no JetStream.
	const unlimited = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 }
	const limits = {
		...{ subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true },
		...{ conn: -1, leaf: -1, ...unlimited },
	}
	const accounts = [
		`${account.getPublicKey()}: ${jwt(operator, account, 'account', { limits })}`,
		`${system.getPublicKey()}: ${jwt(operator, system, 'account', {})}`,
	]
	return {
		configuration: [
			`operator: ${jwt(operator, operator, 'operator', {})}`,
			'resolver: MEMORY',
			`system_account: ${system.getPublicKey()}`,
			`resolver_preload: {\n${accounts.join('\n')}\n}`,
		].join('\n'),
		credentials: credentialsOf(account),
		stranger: credentialsOf(nkeys.createAccount()),
	}
}

/** A JWT as nats-server reads it: signed with an NKEY. */
function jwt(issuer: KeyPair, subject: KeyPair, type: string, nats: object): string {
	const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
	const claims = {
		...{ jti: crypto.randomUUID(), iat: Math.floor(Date.now() / 1000), name: type },
		...{ iss: issuer.getPublicKey(), sub: subject.getPublicKey() },
		nats: { ...nats, type, version: 2 },
	}
	const text = `${part({ typ: 'JWT', alg: 'ed25519-nkey' })}.${part(claims)}`
	return `${text}.${Buffer.from(issuer.sign(Buffer.from(text))).toString('base64url')}`
}

function credentialsOf(account: KeyPair): string {
	const user = nkeys.createUser()
	const limits = { subs: -1, data: -1, payload: -1 }
	const seed = Buffer.from(user.getSeed()).toString()
	return [
		'-----BEGIN NATS USER JWT-----',
		jwt(account, user, 'user', limits),
		'------END NATS USER JWT------',
		'',
		'-----BEGIN USER NKEY SEED-----',
		seed,
		'------END USER NKEY SEED------',
		'',
	].join('\n')
}
