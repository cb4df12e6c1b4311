/*
 * 4-way DHCP exchanges as fast as a server does them: a relay agent with so many clients at once, each
 * of which begins another exchange as soon as it has its address. Prints one line of JSON.
 *
 *   dhcpload --server ADDRESS --agent ADDRESS [--window N] [--seconds S] [--first N]
 *
 * The agent's address is this machine's, and is the giaddr. Client number n has the MAC 0e:00 and n
 * in four octets; --first is the first n.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WINDOW_MAX 1024
#define BATCH 64
#define SIZE 1500
#define LATENCIES (1 << 22)
#define TIMEOUT_US 1000000

enum { DISCOVER = 1, OFFER = 2, REQUEST = 3, ACK = 5, NAK = 6 };

struct client {
	uint32_t xid;
	uint32_t number;
	int64_t begun;
	int64_t asked;
	int state; /* the message that it has sent */
	uint32_t address;
	uint32_t server;
};

static struct client clients[WINDOW_MAX];
static uint32_t latencies[LATENCIES];
static uint32_t done, lost, naks, strange, next_number, next_xid;
static int window = 64, sock;
static uint32_t agent;
static struct sockaddr_in server;

static struct mmsghdr out[BATCH], in[BATCH];
static struct iovec out_parts[BATCH], in_parts[BATCH];
static uint8_t out_bytes[BATCH][SIZE], in_bytes[BATCH][SIZE];
static int queued;

static int64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void flush(void)
{
	for (int sent = 0; sent < queued;) {
		int n = sendmmsg(sock, out + sent, queued - sent, 0);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			perror("sendmmsg");
			exit(2);
		}
		if (n > 0) sent += n;
	}
	queued = 0;
}

static uint8_t *option(uint8_t *at, int code, int length, const void *value)
{
	*at++ = code;
	*at++ = length;
	memcpy(at, value, length);
	return at + length;
}

/* RFC 2131 section 2, as a relay agent passes it on. */
static void ask(struct client *client, int64_t now)
{
	if (queued == BATCH) flush();
	uint8_t *bytes = out_bytes[queued], type = client->state;
	memset(bytes, 0, 240);
	bytes[0] = 1;
	bytes[1] = 1;
	bytes[2] = 6;
	bytes[3] = 1;
	memcpy(bytes + 4, &client->xid, 4);
	memcpy(bytes + 24, &agent, 4);
	uint32_t number = htonl(client->number);
	bytes[28] = 0x0e;
	memcpy(bytes + 30, &number, 4);
	memcpy(bytes + 236, "\x63\x82\x53\x63", 4);
	uint8_t *at = option(bytes + 240, 53, 1, &type);
	if (type == REQUEST) {
		at = option(at, 50, 4, &client->address);
		at = option(at, 54, 4, &client->server);
	}
	at = option(at, 55, 4, "\x01\x03\x06\x0f");
	*at++ = 255;
	/* RFC 1542 section 2.1: relay agents may drop what is shorter. */
	while (at < bytes + 300) *at++ = 0;
	out_parts[queued].iov_len = at - bytes;
	client->asked = now;
	queued++;
}

static void begin(struct client *client, int64_t now)
{
	/* The low bits find the client again. */
	client->xid = htonl((next_xid++ << 10) | (uint32_t)(client - clients));
	client->number = next_number++;
	client->state = DISCOVER;
	client->begun = now;
	ask(client, now);
}

static const uint8_t *find(const uint8_t *bytes, int length, int code)
{
	for (int at = 240; at + 1 < length && bytes[at] != 255;) {
		if (bytes[at] == 0) {
			at++;
			continue;
		}
		if (at + 2 + bytes[at + 1] > length) return NULL;
		if (bytes[at] == code) return bytes + at + 2;
		at += 2 + bytes[at + 1];
	}
	return NULL;
}

static void take(const uint8_t *bytes, int length, int64_t now)
{
	uint32_t xid;
	if (length < 244 || bytes[0] != 2) return;
	memcpy(&xid, bytes + 4, 4);
	struct client *client = clients + (ntohl(xid) & (WINDOW_MAX - 1));
	const uint8_t *type = find(bytes, length, 53), *from = find(bytes, length, 54);
	if (client->xid != xid || type == NULL || from == NULL) {
		strange++;
		return;
	}
	if (*type == OFFER && client->state == DISCOVER) {
		memcpy(&client->address, bytes + 16, 4);
		memcpy(&client->server, from, 4);
		client->state = REQUEST;
		ask(client, now);
	} else if (*type == ACK && client->state == REQUEST) {
		if (memcmp(bytes + 16, &client->address, 4) != 0) strange++;
		if (done < LATENCIES) latencies[done++] = now - client->begun;
		begin(client, now);
	} else if (*type == NAK) {
		naks++;
		begin(client, now);
	} else strange++;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static uint32_t quantile(double share)
{
	return done == 0 ? 0 : latencies[(uint32_t)((done - 1) * share)];
}

static void run(int64_t until)
{
	for (int64_t now = now_us(); now < until; now = now_us()) {
		flush();
		struct pollfd ready = { .fd = sock, .events = POLLIN };
		poll(&ready, 1, 10);
		int n = recvmmsg(sock, in, BATCH, MSG_DONTWAIT, NULL);
		now = now_us();
		for (int i = 0; i < n; i++) take(in_bytes[i], in[i].msg_len, now);
		for (int i = 0; i < window; i++) {
			if (now - clients[i].asked < TIMEOUT_US) continue;
			lost++;
			begin(clients + i, now);
		}
	}
}

static void prepare(void)
{
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_port = htons(67) };
	own.sin_addr.s_addr = agent;
	sock = socket(AF_INET, SOCK_DGRAM, 0);
	int size = 4 << 20;
	setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	if (sock < 0 || bind(sock, (struct sockaddr *)&own, sizeof own) < 0) {
		perror("the agent's address, port 67");
		exit(2);
	}
	for (int i = 0; i < BATCH; i++) {
		out_parts[i].iov_base = out_bytes[i];
		out[i].msg_hdr.msg_iov = out_parts + i;
		out[i].msg_hdr.msg_iovlen = 1;
		out[i].msg_hdr.msg_name = &server;
		out[i].msg_hdr.msg_namelen = sizeof server;
		in_parts[i] = (struct iovec){ in_bytes[i], SIZE };
		in[i].msg_hdr.msg_iov = in_parts + i;
		in[i].msg_hdr.msg_iovlen = 1;
	}
}

int main(int argc, char **argv)
{
	double seconds = 2;
	server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(67) };
	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--server")) server.sin_addr.s_addr = inet_addr(argv[i + 1]);
		else if (!strcmp(argv[i], "--agent")) agent = inet_addr(argv[i + 1]);
		else if (!strcmp(argv[i], "--window")) window = atoi(argv[i + 1]);
		else if (!strcmp(argv[i], "--seconds")) seconds = atof(argv[i + 1]);
		else if (!strcmp(argv[i], "--first")) next_number = strtoul(argv[i + 1], NULL, 10);
		else argc = 0;
	}
	if (argc < 5 || window < 1 || window > WINDOW_MAX || seconds <= 0) {
		fprintf(stderr, "usage: dhcpload --server A --agent A [--window N] [--seconds S] [--first N]\n");
		return 2;
	}
	prepare();
	for (int i = 0; i < window; i++) begin(clients + i, now_us());
	int64_t start = now_us();
	run(start + (int64_t)(seconds * 1e6));
	qsort(latencies, done, sizeof *latencies, compare);
	printf("{\"exchanges\":%u,\"per_s\":%.1f,\"lost\":%u,\"naks\":%u,\"strange\":%u,"
	       "\"p50_us\":%u,\"p99_us\":%u}\n",
	       done, done / seconds, lost, naks, strange, quantile(0.5), quantile(0.99));
	return 0;
}
