/* The same answer from Express with express-session, connect-redis and ioredis: each of 64 connections has logged in, and
 * asks who it is. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/load.h"
#include "bench/peer.h"
#include "bench/pump.h"
#include "bench/sections.h"

#define CONNECTIONS  64
#define COOKIE_BYTES 512

struct express {
	struct crowd crowd;
	struct peer peer;
	char cookies[CONNECTIONS][COOKIE_BYTES];
};

static const char login[] = "POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/* Up to the peer's closing. */
static size_t converse(uint16_t port, char *out, size_t out_size)
{
	const struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t have = 0;
	ssize_t got;

	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
	    send(fd, login, sizeof(login) - 1, MSG_NOSIGNAL) != sizeof(login) - 1)
		bench_die("Express does not listen", NULL);
	while (have + 1 < out_size && (got = recv(fd, out + have, out_size - 1 - have, 0)) > 0)
		have += (size_t)got;
	out[have] = '\0';
	(void)close(fd);
	return have;
}

static void log_in(struct express *e)
{
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		char answer[4096];
		const char *cookie;

		(void)converse(e->peer.port, answer, sizeof(answer));
		cookie = strcasestr(answer, "\r\nset-cookie: ");
		if (cookie == NULL)
			bench_die("Express sets no cookie", NULL);
		cookie += strlen("\r\nset-cookie: ");
		(void)snprintf(e->cookies[i], COOKIE_BYTES, "%.*s", (int)strcspn(cookie, ";\r"), cookie);
	}
}

static size_t put_request(void *arg, uint64_t serial, uint8_t *out)
{
	const struct express *e = arg;

	return (size_t)snprintf((char *)out, PUMP_REQUEST_BYTES_MAX,
				"GET /me HTTP/1.1\r\nHost: localhost\r\nCookie: %s\r\n\r\n",
				e->cookies[serial % CONNECTIONS]);
}

static double theirs(struct bench *b, void *arg)
{
	struct express *e = arg;
	const struct pump pump = {.port = e->peer.port,
				  .connections = CONNECTIONS,
				  .framing = &framing_http,
				  .ask = put_request,
				  .arg = arg,
				  .answer_has = "HTTP/1.1 200",
				  .answer_bytes_min = ATTRIBUTE_BYTES};

	return pump_run(b, &pump);
}

static double ours(struct bench *b, void *arg)
{
	return load_rate(b, &b->stage.client, 1, &((struct express *)arg)->crowd, CONNECTIONS);
}

void bench_get_express(struct bench *b)
{
	struct express e = {0};
	const char *missing = peer_open_express(&e.peer, b->stage.redis.port);

	if (missing != NULL) {
		report_skipped(&b->report, "get-express", "%s", missing);
		return;
	}
	(void)crowd_make(b->stage.client, "express", NULL, CONNECTIONS, 1, &e.crowd);
	log_in(&e);
	bench_in_turn(b, "get-express", ours, theirs, &e);
	crowd_free(&e.crowd);
	peer_close(&e.peer);
}
