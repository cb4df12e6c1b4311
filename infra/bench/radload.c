/*
 * radload: a RADIUS load generator and an answering home server ("sink"), for comparing relays
 * side by side on one machine. One thread, batched system calls, so that it stays cheaper than
 * whatever it measures (about 5 us of CPU per transaction on each side).
 *
 *   cc -O2 -o radload radload.c -lcrypto
 *   ./radload --sink 1912                    answers every request until it is ended
 *   ./radload --port 1812 --mode eap --window 64 --warmup 0.5 --seconds 5
 *   ./radload --port 1812 --mode acct --window 4096 --rate 10000 --seconds 10
 *
 * Modes: pap (User-Password), eap (EAP-Message identity), both with Message-Authenticator, and
 * acct (Start, Interim-Update, Stop). Every answer's Response Authenticator is verified. A request
 * unanswered for 1 s is sent again, twice at most, and then counted as lost.
 *
 * Without --rate, --window requests are always outstanding. With it, requests leave one by one at
 * their times: after a stall of this process the schedule moves on instead of bursting, since many
 * access points would not burst either; per_s then shows whether the rate was held.
 *
 * Prints one JSON line. sent and ok cover the whole run; per_s and the quantiles (microseconds, of
 * requests sent in it) cover the measured time after --warmup; cpu_us is its own use. Exit code 1: something was lost.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/md5.h>

typedef unsigned char u8;
enum { BATCH = 64, IDS = 256, MAX_SOCKETS = 256, MAX_SLOTS = IDS * MAX_SOCKETS };
enum { BUCKET_NS = 10000, BUCKETS = 1 << 19 }; /* latencies in steps of 10 us, up to 5.2 s */
enum { MAX_CATCH_UP = 16, MAX_TRIES = 3 };
enum code { ACCESS_REQUEST = 1, ACCESS_ACCEPT = 2, ACCOUNTING_REQUEST = 4, ACCOUNTING_RESPONSE = 5, STATUS_SERVER = 12 };
enum mode { PAP, ACCT, EAP };

static const uint64_t SECOND = 1000000000ull, SWEEP_EVERY = 200000000ull;
static const char *secret = "testing123";
static int secret_len;

static uint64_t now_ns(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

static uint64_t random64(void) { /* xorshift; seeded the same in every run, except for --seed */
	static uint64_t s = 88172645463325252ull;
	s ^= s << 13, s ^= s >> 7, s ^= s << 17;
	return s;
}

static void md5_with_secret(const u8 *data, int len, u8 *out) {
	MD5_CTX c;
	MD5_Init(&c), MD5_Update(&c, data, len), MD5_Update(&c, secret, secret_len), MD5_Final(out, &c);
}

static void hmac_md5(const u8 *data, int len, u8 *out) {
	u8 inner[64], outer[64], digest[16];
	MD5_CTX c;
	memset(inner, 0x36, 64), memset(outer, 0x5c, 64);
	for (int i = 0; i < secret_len && i < 64; i++) inner[i] ^= secret[i], outer[i] ^= secret[i];
	MD5_Init(&c), MD5_Update(&c, inner, 64), MD5_Update(&c, data, len), MD5_Final(digest, &c);
	MD5_Init(&c), MD5_Update(&c, outer, 64), MD5_Update(&c, digest, 16), MD5_Final(out, &c);
}

static int put(u8 *p, int type, const void *value, int len) {
	p[0] = type, p[1] = len + 2, memcpy(p + 2, value, len);
	return len + 2;
}

static int put32(u8 *p, int type, uint32_t value) {
	value = htonl(value);
	return put(p, type, &value, 4);
}

/* ---- the home server ---------------------------------------------------------------------- */

/* RFC 5997 section 4: Status-Server is answered by Access-Accept, or on an accounting port by Accounting-Response. */
static int answer_code(int request, int accounting_port) {
	if (request == ACCESS_REQUEST) return ACCESS_ACCEPT;
	if (request == ACCOUNTING_REQUEST) return ACCOUNTING_RESPONSE;
	if (request == STATUS_SERVER) return accounting_port ? ACCOUNTING_RESPONSE : ACCESS_ACCEPT;
	return 0;
}

/* Writes the answer to request p into q and returns its length, 0 for none. */
static int answer(const u8 *p, int received, u8 *q, int accounting_port) {
	int len = p[2] << 8 | p[3], w = 20, ma = 0;
	q[0] = received < 20 || len > received ? 0 : answer_code(p[0], accounting_port);
	if (!q[0]) return 0;
	q[1] = p[1], memcpy(q + 4, p + 4, 16);
	if (q[0] == ACCESS_ACCEPT) { /* Message-Authenticator first, then what an ISP would send */
		u8 zero[16] = {0}, bundle[10] = {0, 0, 0x13, 0x0a, 31, 6, 'g', 'o', 'l', 'd'};
		ma = w + 2, w += put(q + w, 80, zero, 16);
		w += put32(q + w, 27, 3600), w += put(q + w, 25, "class-0123456789", 16), w += put(q + w, 26, bundle, 10);
	}
	for (int x = 20; x + 2 <= len && p[x + 1] >= 2 && x + p[x + 1] <= len; x += p[x + 1])
		if (p[x] == 33) memcpy(q + w, p + x, p[x + 1]), w += p[x + 1]; /* Proxy-State comes back */
	q[2] = w >> 8, q[3] = w;
	if (ma) hmac_md5(q, w, q + ma);
	u8 authenticator[16];
	md5_with_secret(q, w, authenticator);
	memcpy(q + 4, authenticator, 16);
	return w;
}

static int sink(int port, int accounting_port) {
	static u8 in[BATCH][4096], out[BATCH][4608];
	static struct sockaddr_in from[BATCH];
	struct mmsghdr received[BATCH], sent[BATCH];
	struct iovec in_iov[BATCH], out_iov[BATCH];
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port)};
	int s = socket(AF_INET, SOCK_DGRAM, 0), size = 8 << 20;
	setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
	inet_aton("127.0.0.1", &here.sin_addr);
	if (bind(s, (void *)&here, sizeof here)) return perror("radload: bind"), 1;
	for (;;) {
		for (int i = 0; i < BATCH; i++) {
			in_iov[i] = (struct iovec){in[i], sizeof in[i]};
			received[i] = (struct mmsghdr){.msg_hdr = {&from[i], sizeof from[i], &in_iov[i], 1, 0, 0, 0}};
		}
		int n = recvmmsg(s, received, BATCH, MSG_WAITFORONE, NULL), k = 0;
		for (int i = 0; i < n; i++) {
			int len = answer(in[i], received[i].msg_len, out[k], accounting_port);
			if (!len) continue;
			out_iov[k] = (struct iovec){out[k], len};
			sent[k] = (struct mmsghdr){.msg_hdr = {&from[i], sizeof from[i], &out_iov[k], 1, 0, 0, 0}};
			k++;
		}
		if (k) sendmmsg(s, sent, k, 0);
	}
}

/* ---- the requests ------------------------------------------------------------------------- */

static int build(u8 *p, int id, enum mode mode, int stations) {
	static uint64_t sequence;
	static const int status[] = {1, 3, 2};
	char mac[20], called[40], user[48], session[24];
	uint64_t m = random64() % stations, r1 = random64(), r2 = random64();
	int ap = m % 500, w = 20, ma = 0;
	snprintf(mac, sizeof mac, "02-00-%02X-%02X-%02X-%02X", (int)(m >> 24) & 255, (int)(m >> 16) & 255, (int)(m >> 8) & 255, (int)m & 255);
	snprintf(called, sizeof called, "00-11-22-33-%02X-%02X:campus", ap >> 8, ap & 255);
	snprintf(user, sizeof user, "user%lu@example.org", (unsigned long)m);
	p[0] = mode == ACCT ? ACCOUNTING_REQUEST : ACCESS_REQUEST, p[1] = id;
	memcpy(p + 4, &r1, 8), memcpy(p + 12, &r2, 8);
	if (mode != ACCT) {
		u8 zero[16] = {0};
		ma = w + 2, w += put(p + w, 80, zero, 16);
	}
	w += put(p + w, 1, user, strlen(user)), w += put(p + w, 31, mac, 17), w += put(p + w, 30, called, strlen(called));
	w += put32(p + w, 4, 0x0a000000 + ap), w += put32(p + w, 61, 19), w += put32(p + w, 5, ap);
	if (mode == PAP) {
		u8 password[16] = "password", pad[16];
		MD5_CTX c;
		MD5_Init(&c), MD5_Update(&c, secret, secret_len), MD5_Update(&c, p + 4, 16), MD5_Final(pad, &c);
		for (int i = 0; i < 16; i++) password[i] ^= pad[i];
		w += put(p + w, 2, password, 16);
	}
	if (mode == EAP) {
		u8 eap[64];
		int n = strlen(user) + 5;
		eap[0] = 2, eap[1] = id, eap[2] = 0, eap[3] = n, eap[4] = 1, memcpy(eap + 5, user, n - 5);
		w += put(p + w, 79, eap, n), w += put32(p + w, 12, 1400);
	}
	if (mode == ACCT) {
		snprintf(session, sizeof session, "%08lX", (unsigned long)m);
		w += put32(p + w, 40, status[sequence++ % 3]), w += put(p + w, 44, session, strlen(session));
		w += put32(p + w, 46, sequence % 3600), w += put32(p + w, 42, 1000), w += put32(p + w, 43, 2000);
	}
	p[2] = w >> 8, p[3] = w;
	if (ma) hmac_md5(p, w, p + ma);
	if (mode == ACCT) {
		u8 authenticator[16];
		memset(p + 4, 0, 16), md5_with_secret(p, w, authenticator), memcpy(p + 4, authenticator, 16);
	}
	return w;
}

/* ---- the load ----------------------------------------------------------------------------- */

/* One identifier of one socket, and the request that holds it. */
struct slot {
	uint64_t first_sent, last_sent;
	u8 busy, tries, authenticator[16], packet[320];
	int len;
};
static struct slot slots[MAX_SLOTS];
static int fd[MAX_SOCKETS], sockets, free_ids[MAX_SLOTS], free_head, free_count, in_flight;
static uint64_t histogram[BUCKETS], measured_from, measured_until;
static uint64_t sent, ok, bad, again, lost, answered_in_time, in_histogram;

static void release(int id) { /* first in, first out: an identifier rests as long as it can before its next use */
	slots[id].busy = 0, in_flight--;
	free_ids[(free_head + free_count++) % (sockets * IDS)] = id;
}

/* Hands all messages to the kernel, waiting where its buffer is full. */
static void send_all(int s, struct mmsghdr *messages, int count) {
	for (int done = 0; done < count;) {
		int n = sendmmsg(s, messages + done, count - done, 0);
		if (n > 0) { done += n; continue; }
		if (errno != EAGAIN && errno != ECONNREFUSED && errno != EINTR) return;
		struct pollfd writable = {s, POLLOUT, 0};
		poll(&writable, 1, 1);
	}
}

static void send_new(long count, enum mode mode, int stations) {
	struct mmsghdr out[BATCH];
	struct iovec out_iov[BATCH];
	int k = 0, current = -1;
	for (; count > 0 && free_count > 0; count--) {
		int id = free_ids[free_head];
		free_head = (free_head + 1) % (sockets * IDS), free_count--;
		if (current != id / IDS || k == BATCH) {
			if (k) send_all(fd[current], out, k);
			k = 0, current = id / IDS;
		}
		struct slot *q = &slots[id];
		q->len = build(q->packet, id % IDS, mode, stations);
		memcpy(q->authenticator, q->packet + 4, 16);
		q->busy = 1, q->tries = 1, q->first_sent = q->last_sent = now_ns(), in_flight++, sent++;
		out_iov[k] = (struct iovec){q->packet, q->len};
		out[k] = (struct mmsghdr){.msg_hdr = {0, 0, &out_iov[k], 1, 0, 0, 0}};
		k++;
	}
	if (k) send_all(fd[current], out, k);
}

static void take_answer(int s, u8 *p, int len, uint64_t t) {
	u8 theirs[16], ours[16];
	int id = s * IDS + p[1];
	struct slot *q = &slots[id];
	if (len < 20 || !q->busy) { bad++; return; }
	memcpy(theirs, p + 4, 16), memcpy(p + 4, q->authenticator, 16), md5_with_secret(p, len, ours);
	if (memcmp(theirs, ours, 16)) { bad++; return; }
	if (t >= measured_from && t < measured_until) answered_in_time++;
	if (q->first_sent >= measured_from && q->first_sent < measured_until) {
		uint64_t bucket = (t - q->first_sent) / BUCKET_NS;
		histogram[bucket < BUCKETS ? bucket : BUCKETS - 1]++, in_histogram++;
	}
	ok++, release(id);
}

static void receive(int s) {
	static u8 in[BATCH][4096];
	struct mmsghdr received[BATCH];
	struct iovec in_iov[BATCH];
	for (int i = 0; i < BATCH; i++) {
		in_iov[i] = (struct iovec){in[i], sizeof in[i]};
		received[i] = (struct mmsghdr){.msg_hdr = {0, 0, &in_iov[i], 1, 0, 0, 0}};
	}
	int n = recvmmsg(fd[s], received, BATCH, MSG_DONTWAIT, NULL);
	uint64_t t = now_ns();
	for (int i = 0; i < n; i++) take_answer(s, in[i], received[i].msg_len, t);
}

static void sweep(uint64_t t) { /* repeats what had no answer for a second, gives up what was repeated enough */
	for (int id = 0; id < sockets * IDS; id++) {
		struct slot *q = &slots[id];
		if (!q->busy || t - q->last_sent < SECOND) continue;
		if (q->tries < MAX_TRIES) q->tries++, q->last_sent = t, again++, send(fd[id / IDS], q->packet, q->len, 0);
		else lost++, release(id);
	}
}

static int open_sockets(const char *host, int port, int window) {
	struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(port)};
	sockets = (window + IDS - 1) / IDS;
	if (window < 1 || sockets > MAX_SOCKETS || !inet_aton(host, &there.sin_addr)) return fprintf(stderr, "radload: bad --window or --host\n"), 0;
	for (int i = 0; i < sockets; i++) {
		int size = 4 << 20;
		fd[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		setsockopt(fd[i], SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
		if (fd[i] < 0 || connect(fd[i], (void *)&there, sizeof there)) return perror("radload: socket"), 0;
	}
	while (free_count < sockets * IDS) free_ids[free_count] = free_count, free_count++;
	return 1;
}

static void wait_until(struct pollfd *polls, uint64_t due) {
	uint64_t t = now_ns(), wait = due > t ? due - t : 0;
	if (wait > SECOND / 1000) wait = SECOND / 1000;
	struct timespec timeout = {0, wait};
	ppoll(polls, sockets, &timeout, NULL);
}

static void load(enum mode mode, int window, int stations, double rate) {
	static struct pollfd polls[MAX_SOCKETS];
	uint64_t start = now_ns(), end = measured_until, swept = start, due = start;
	uint64_t interval = rate > 0 ? (uint64_t)(SECOND / rate) : 0;
	for (int i = 0; i < sockets; i++) polls[i] = (struct pollfd){fd[i], POLLIN, 0};
	for (uint64_t t = start; t < end || (in_flight > 0 && t < end + 2 * SECOND); t = now_ns()) {
		long can = t < end ? window - in_flight : 0;
		if (interval && can > 0) {
			long late = t < due ? 0 : (long)((t - due) / interval) + 1, now = late < MAX_CATCH_UP ? late : MAX_CATCH_UP;
			if (now > can) now = can;
			due = now < late ? t + interval : due + now * interval;
			can = now;
		}
		if (can > 0) send_new(can, mode, stations);
		wait_until(polls, interval && t < end ? due : UINT64_MAX);
		for (int s = 0; s < sockets; s++)
			if (polls[s].revents) receive(s);
		if (t - swept >= SWEEP_EVERY) swept = t, sweep(now_ns());
	}
}

static double quantile_us(double share) {
	uint64_t seen = 0;
	for (int i = 0; i < BUCKETS && in_histogram; i++)
		if ((seen += histogram[i]) >= in_histogram * share) return (i + 1) * (BUCKET_NS / 1000.0);
	return 0;
}

static long own_cpu_us(void) {
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000l + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

int main(int argc, char **argv) {
	int port = 1812, window = 64, stations = 10000, sink_port = 0, accounting_port = 0, seed = 0, option;
	double rate = 0, seconds = 5, warmup = 0;
	const char *host = "127.0.0.1";
	enum mode mode = PAP;
	static struct option options[] = {{"sink", 1, 0, 's'}, {"accounting-sink", 1, 0, 'a'}, {"port", 1, 0, 'p'}, {"mode", 1, 0, 'm'},
		{"window", 1, 0, 'w'}, {"seconds", 1, 0, 't'}, {"warmup", 1, 0, 'u'}, {"stations", 1, 0, 'n'}, {"rate", 1, 0, 'r'},
		{"secret", 1, 0, 'k'}, {"host", 1, 0, 'h'}, {"seed", 1, 0, 'e'}, {0, 0, 0, 0}};
	while ((option = getopt_long(argc, argv, "", options, 0)) != -1) switch (option) {
		case 's': sink_port = atoi(optarg); break;
		case 'a': sink_port = atoi(optarg), accounting_port = 1; break;
		case 'p': port = atoi(optarg); break;
		case 'm': mode = !strcmp(optarg, "acct") ? ACCT : !strcmp(optarg, "eap") ? EAP : PAP; break;
		case 'w': window = atoi(optarg); break;
		case 't': seconds = atof(optarg); break;
		case 'u': warmup = atof(optarg); break;
		case 'n': stations = atoi(optarg); break;
		case 'r': rate = atof(optarg); break;
		case 'k': secret = optarg; break;
		case 'h': host = optarg; break;
		case 'e': seed = atoi(optarg); break;
		default: fprintf(stderr, "usage: see the head of radload.c\n"); return 2;
		}
	secret_len = strlen(secret);
	prctl(PR_SET_PDEATHSIG, SIGTERM); /* a sink has no end of its own: it goes with whoever started it */
	if (sink_port) return sink(sink_port, accounting_port);
	if (stations < 1 || seconds <= 0 || warmup < 0 || rate < 0) return fprintf(stderr, "radload: --stations and --seconds must be above 0, --warmup and --rate not below\n"), 2;
	if (!open_sockets(host, port, window)) return 2;
	for (int i = 0; i < seed; i++) random64();
	prctl(PR_SET_TIMERSLACK, 1ul); /* the default of 50 us is half the interval at 10,000/s */
	measured_from = now_ns() + (uint64_t)(warmup * SECOND), measured_until = measured_from + (uint64_t)(seconds * SECOND);
	load(mode, window, stations, rate);
	lost += in_flight;
	printf("{\"sent\":%lu,\"ok\":%lu,\"per_s\":%.0f,\"retransmits\":%lu,\"lost\":%lu,\"bad\":%lu,\"p50_us\":%.0f,\"p99_us\":%.0f,\"p999_us\":%.0f,\"cpu_us\":%ld}\n",
		(unsigned long)sent, (unsigned long)ok, answered_in_time / seconds, (unsigned long)again, (unsigned long)lost,
		(unsigned long)bad, quantile_us(0.5), quantile_us(0.99), quantile_us(0.999), own_cpu_us());
	return lost + bad ? 1 : 0;
}
