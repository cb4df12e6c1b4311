/**
 * Numbers of the attributes that the relay itself looks at, as constants for the packet path. The
 * dictionary has every attribute; a test holds these against it.
 */
export const attribute = {
	userName: 1,
	userPassword: 2,
	chapPassword: 3,
	nasIpAddress: 4,
	nasPort: 5,
	serviceType: 6,
	framedIpAddress: 8,
	framedIpNetmask: 9,
	replyMessage: 18,
	state: 24,
	class: 25,
	vendorSpecific: 26,
	sessionTimeout: 27,
	idleTimeout: 28,
	calledStationId: 30,
	callingStationId: 31,
	nasIdentifier: 32,
	proxyState: 33,
	acctStatusType: 40,
	acctDelayTime: 41,
	acctInputOctets: 42,
	acctOutputOctets: 43,
	acctSessionId: 44,
	acctAuthentic: 45,
	acctSessionTime: 46,
	acctInputPackets: 47,
	acctOutputPackets: 48,
	acctTerminateCause: 49,
	acctMultiSessionId: 50,
	acctInputGigawords: 52,
	acctOutputGigawords: 53,
	eventTimestamp: 55,
	chapChallenge: 60,
	tunnelPassword: 69,
	eapMessage: 79,
	messageAuthenticator: 80,
	nasPortId: 87,
	framedPool: 88,
	errorCause: 101,
} as const

export const vendor = { microsoft: 311, juniperErx: 4874 } as const

/** Juniper's E Series attributes (vendor 4874). */
export const erx = {
	addressPool: 2,
	primaryDns: 4,
	secondaryDns: 5,
	primaryWins: 6,
	secondaryWins: 7,
	serviceBundle: 31,
	sdxServiceName: 49,
	radiusClientAddress: 52,
	dhcpOptions: 55,
} as const

/** RFC 2548 §2.4.2, §2.4.3: salt-encrypted keys of the wireless link. */
export const microsoft = { mppeSendKey: 16, mppeRecvKey: 17 } as const
