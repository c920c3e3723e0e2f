#include "bench/pump.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Where answer_has is looked for. */
#define HEAD_BYTES 64
/* More than any answer has. */
#define ANSWER_BYTES 8192
/* Nothing at all for so long: the peer has stopped. */
#define SILENCE_MS 10000

struct connection {
	int fd;
	bool is_greeted;
	uint64_t asked_us;
	size_t have;
	uint8_t in[ANSWER_BYTES];
};

struct running {
	const struct pump *pump;
	int epoll;
	bool is_measured; /* else it is warming up */
	uint64_t asked;
	uint64_t answered;
	struct connection connections[PUMP_CONNECTIONS_MAX];
};

static void send_all(const struct connection *c, const void *bytes, size_t len)
{
	/* One request in flight always fits in the socket's buffer. */
	if (send(c->fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
		bench_die("a peer does not take requests", NULL);
}

static void open_connection(struct running *r, struct connection *c)
{
	const struct framing *framing = r->pump->framing;
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_port = htons(r->pump->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
	const int on = 1;

	*c = (struct connection){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	c->is_greeted = framing->greeting_bytes == 0;
	if (c->fd < 0 || setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
	    connect(c->fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    epoll_ctl(r->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
		bench_die("a peer cannot be connected to", NULL);
	if (!c->is_greeted)
		send_all(c, framing->greeting, framing->greeting_bytes);
}

static void ask_next(struct running *r, struct connection *c)
{
	const struct pump *p = r->pump;
	uint8_t request[PUMP_REQUEST_BYTES_MAX];
	size_t len;

	if (p->count > 0 && r->asked == p->count)
		return;
	len = p->ask(p->arg, r->asked, request);
	if (p->latencies != NULL)
		c->asked_us = bench_now_us();
	send_all(c, request, len);
	r->asked++;
}

static _Noreturn void die_of(const struct connection *c)
{
	(void)fprintf(stderr, "latchkey-bench: answered with: %.*s\n",
		      (int)(c->have < HEAD_BYTES ? c->have : HEAD_BYTES), (const char *)c->in);
	bench_die("that is not the answer that was asked for", NULL);
}

static void check_answer(const struct pump *p, const struct connection *c, size_t len)
{
	const size_t head = len < HEAD_BYTES ? len : HEAD_BYTES;

	if (len < p->answer_bytes_min ||
	    (p->answer_has != NULL && memmem(c->in, head, p->answer_has, strlen(p->answer_has)) == NULL))
		die_of(c);
}

static void on_readable(struct running *r, struct connection *c)
{
	const struct framing *framing = r->pump->framing;
	ssize_t got = recv(c->fd, c->in + c->have, sizeof(c->in) - c->have, 0);
	ssize_t len;

	if (got <= 0)
		bench_die("a peer has closed a connection", NULL);
	c->have += (size_t)got;
	if (!c->is_greeted) {
		if (c->have < framing->greeting_bytes)
			return;
		c->is_greeted = true;
		c->have = 0;
		ask_next(r, c);
		return;
	}
	len = framing->measure(c->in, c->have);
	if (len == 0 && c->have < sizeof(c->in))
		return;
	if (len <= 0 || (size_t)len != c->have)
		die_of(c);
	if (r->is_measured && r->pump->latencies != NULL)
		latencies_note(r->pump->latencies, bench_now_us() - c->asked_us);
	check_answer(r->pump, c, (size_t)len);
	c->have = 0;
	r->answered++;
	ask_next(r, c);
}

/* Until so many have been answered, or the time has come. */
static void run_until(struct running *r, uint64_t answered, uint64_t until_us)
{
	struct epoll_event events[PUMP_CONNECTIONS_MAX];

	while (r->answered < answered && bench_now_us() < until_us) {
		const int ready = epoll_wait(r->epoll, events, PUMP_CONNECTIONS_MAX, SILENCE_MS);

		if (ready == 0 || (ready < 0 && errno != EINTR))
			bench_die("a peer does not answer", NULL);
		for (int i = 0; i < ready; i++)
			on_readable(r, events[i].data.ptr);
	}
}

static double measure(struct running *r, const struct stage *stage, double seconds)
{
	const uint64_t bound = r->pump->count > 0 ? r->pump->count : UINT64_MAX;
	const uint64_t warm_us = r->pump->count > 0 ? 0 : (uint64_t)(seconds * 1e5);
	uint64_t start_us = bench_now_us();
	uint64_t before;

	for (unsigned i = 0; i < r->pump->connections; i++)
		if (r->connections[i].is_greeted)
			ask_next(r, &r->connections[i]);
	run_until(r, bound, start_us + warm_us);
	r->is_measured = true;
	before = r->answered;
	start_us = warm_us > 0 ? bench_now_us() : start_us;
	if (r->pump->cost != NULL)
		cost_start(r->pump->cost, stage);
	run_until(r, bound, r->pump->count > 0 ? UINT64_MAX : start_us + (uint64_t)(seconds * 1e6));
	if (r->pump->cost != NULL)
		cost_stop(r->pump->cost, stage, (double)(r->answered - before));
	return (double)(r->answered - before) * 1e6 / (double)(bench_now_us() - start_us);
}

double pump_run(const struct bench *b, const struct pump *p)
{
	struct running *r = calloc(1, sizeof(*r));
	double rate;

	if (r == NULL)
		bench_die("out of memory", NULL);
	r->pump = p;
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned i = 0; i < p->connections; i++)
		open_connection(r, &r->connections[i]);
	rate = measure(r, &b->stage, b->settings.seconds);
	for (unsigned i = 0; i < p->connections; i++)
		(void)close(r->connections[i].fd);
	(void)close(r->epoll);
	free(r);
	return rate;
}
