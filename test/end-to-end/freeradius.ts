/**
 * FreeRADIUS as home server, in a folder of its own on a loopback address: EAP-MD5, TLS, TTLS and
 * PEAP with certificates made for this run, PAP, CHAP, MS-CHAP, Status-Server, and detail files
 * that show which attributes of a request arrived.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePorts } from '../../infra/free-ports.ts'
import { type Program, start, temporaryFolder, until } from './processes.ts'

export const password = 'correct horse battery'

/** What FreeRADIUS answers to whom, in the language of its `users` file. */
const users = `
bob Cleartext-Password := "${password}"
	Reply-Message = "welcome, bob",
	Class = 0x676f6c64,
	ERX-Service-Bundle = "gold"

carol Cleartext-Password := "${password}"
	Framed-Pool = "staff",
	ERX-Service-Bundle = "silver"

# RFC 2759 §9.2, the example's user
User Cleartext-Password := "clientPass"

tunnel Cleartext-Password := "${password}"
	Tunnel-Type:1 = L2TP,
	Tunnel-Password:1 = "a tunnel's secret, longer than one block of MD5",
	Tunnel-Type:2 = GRE,
	Tunnel-Password:2 = "second",
	Tunnel-Password:0 += "untagged",
	ERX-LI-Action = 1,
	ERX-Med-Dev-Handle = 0x0102030405060708,
	ERX-Med-Ip-Address = 192.0.2.7,
	ERX-Med-Port-Number = 6514
`

const modules = (folder: string, certificates: string) => `
always ok {
	rcode = ok
}
pap {
}
chap {
}
mschap {
	use_mppe = yes
	require_encryption = yes
	require_strong = yes
}
files {
	usersfile = ${folder}/users
}
detail {
	filename = ${folder}/detail-%{Packet-Type}
	escape_filenames = no
	permissions = 0600
}
eap {
	default_eap_type = md5
	timer_expire = 60
	max_sessions = 4096
	md5 {
	}
	gtc {
		auth_type = PAP
	}
	mschapv2 {
	}
	tls-config local {
		private_key_file = ${certificates}/server.key
		certificate_file = ${certificates}/server.pem
		ca_file = ${certificates}/ca.pem
		fragment_size = 1024
		tls_min_version = "1.2"
		tls_max_version = "1.2"
		cipher_list = "DEFAULT"
	}
	tls {
		tls = local
	}
	ttls {
		tls = local
		default_eap_type = md5
		virtual_server = inner
	}
	peap {
		tls = local
		default_eap_type = mschapv2
		virtual_server = inner
	}
}
`

const configuration = (folder: string, address: string, ports: Ports, secret: string) => `
prefix = /usr
libdir = /usr/lib/freeradius
name = radiusd
run_dir = ${folder}
db_dir = ${folder}
logdir = ${folder}
radacctdir = ${folder}
pidfile = ${folder}/radiusd.pid
max_request_time = 10
cleanup_delay = 2
max_requests = 16384
log {
	destination = files
	file = ${folder}/radius.log
	auth = yes
}
security {
	max_attributes = 200
	reject_delay = 0
	status_server = yes
}
proxy_requests = no
thread pool {
	start_servers = 2
	max_servers = 4
	min_spare_servers = 1
	max_spare_servers = 2
	max_requests_per_server = 0
}
client relay {
	ipaddr = 127.0.0.0/8
	secret = ${secret}
	require_message_authenticator = yes
	limit {
		max_connections = 0
	}
}
modules {
	$INCLUDE ${folder}/modules.conf
}
server home {
	listen {
		type = auth
		ipaddr = ${address}
		port = ${ports.authentication}
	}
	listen {
		type = acct
		ipaddr = ${address}
		port = ${ports.accounting}
	}
	authorize {
		detail
		chap
		mschap
		files
		eap {
			ok = return
		}
		pap
		Autz-Type Status-Server {
			ok
		}
	}
	authenticate {
		Auth-Type PAP {
			pap
		}
		Auth-Type CHAP {
			chap
		}
		Auth-Type MS-CHAP {
			mschap
		}
		eap
	}
	accounting {
		detail
		Acct-Type Status-Server {
			ok
		}
	}
}
server inner {
	authorize {
		files
		mschap
		eap {
			ok = return
		}
		pap
	}
	authenticate {
		Auth-Type PAP {
			pap
		}
		Auth-Type MS-CHAP {
			mschap
		}
		eap
	}
}
`

type Ports = { readonly authentication: number; readonly accounting: number }

export type FreeRadius = Ports & {
	readonly address: string
	/** Access-Requests as they arrived, one `Name = value` a line. */
	accessDetail(): string
	/** The same for Accounting-Requests. */
	accountingDetail(): string
	/** Ends it; SIGKILL for a crash, SIGSTOP and SIGCONT through its `pid` for a server that hangs. */
	stop(signal?: NodeJS.Signals): Promise<void>
	/** Starts it anew on the same ports. */
	revive(): Promise<void>
	pid(): number
	log(): string
}

export async function startFreeRadius(
	secret: string,
	address = '127.0.0.1',
	ports?: Ports,
	within: readonly string[] = [],
): Promise<FreeRadius> {
	const folder = temporaryFolder('freeradius')
	const [authentication, accounting] = ports
		? [ports.authentication, ports.accounting]
		: ((await freePorts(2)) as [number, number])
	const used = { authentication, accounting }
	writeFileSync(join(folder, 'users'), users)
	writeFileSync(join(folder, 'modules.conf'), modules(folder, certificateFolder()))
	writeFileSync(join(folder, 'radiusd.conf'), configuration(folder, address, used, secret))
	const text = (name: string) =>
		existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : ''
	let program: Program
	async function launch(): Promise<void> {
		const before = text('radius.log').length
		const freeradius = ['freeradius', '-f', '-d', folder, '-n', 'radiusd']
		const [command, ...args] = [...within, ...freeradius] as [string, ...string[]]
		program = start(command, args)
		await until('FreeRADIUS is ready', 15_000, () => {
			if (!program.running()) throw new Error(`FreeRADIUS ended: ${text('radius.log')}`)
			return text('radius.log').slice(before).includes('Ready to process requests')
		})
	}
	await launch()
	return {
		...used,
		address,
		accessDetail: () => text('detail-Access-Request'),
		accountingDetail: () => text('detail-Accounting-Request'),
		async stop(signal) {
			await program.end(signal)
		},
		revive: launch,
		pid: () => program.pid,
		log: () => text('radius.log'),
	}
}

let certificates: string | undefined

/** A folder with ca.pem, server.pem/.key and client.pem/.key, made once for each test file. */
export function certificateFolder(): string {
	if (certificates) return certificates
	const folder = join(temporaryFolder('certificates'), 'pki')
	mkdirSync(folder)
	const openssl = (...args: string[]) =>
		execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
	const key = ['-newkey', 'rsa:2048', '-noenc', '-sha256']
	openssl(
		'req',
		'-x509',
		...key,
		'-days',
		'2',
		'-subj',
		'/CN=test CA',
		'-keyout',
		'ca.key',
		'-out',
		'ca.pem',
	)
	for (const [name, usage] of [
		['server', 'serverAuth'],
		['client', 'clientAuth'],
	] as const) {
		openssl('req', ...key, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`)
		writeFileSync(join(folder, 'usage'), `extendedKeyUsage=${usage}\n`)
		openssl(
			'x509',
			'-req',
			'-in',
			`${name}.csr`,
			'-CA',
			'ca.pem',
			'-CAkey',
			'ca.key',
			'-CAcreateserial',
			'-days',
			'2',
			'-extfile',
			'usage',
			'-out',
			`${name}.pem`,
		)
	}
	certificates = folder
	return folder
}
