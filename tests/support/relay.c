/* One thread polls the listener, every socket and an eventfd. Settings are plain fields under one lock; who changes them
 * writes the eventfd and waits until the thread has seen the change, so a mode holds when its call returns.
 *
 * A link is a caller's socket and one to the target, with a pipe for each direction: chunks of bytes with the time at
 * which they are due. Links belong to the thread alone, except for the counts. */

#include "support/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/port.h"
#include "support/wait.h"

/* Two descriptors each, of the 1024 that a process has by default. */
#define LINKS_MAX 400
/* Bytes waiting in one direction, above which nothing more is read: a second of delay at 4 MiB/s. */
#define WAITING_BYTES_MAX (4 << 20)
#define CHUNK_BYTES	  (64 << 10)
/* Steps in which a rate is kept: small enough that the other direction does not wait for this one. */
#define RATE_STEP_MS 5

struct chunk {
	struct chunk *next;
	uint64_t due_ms;
	size_t len;
	size_t sent;
	uint8_t bytes[];
};

struct pipe {
	int from;
	int to;
	struct chunk *first;
	struct chunk *last;
	size_t waiting_bytes;
	uint64_t may_write_ms; /* when the rate lets more through */
	bool has_ended;	       /* `from` did */
	bool has_passed_end;   /* and `to` was told */
};

struct link {
	int caller;
	int target;
	bool is_connecting;
	bool is_deaf; /* RELAY_HALF_OPEN touched it */
	struct pipe up;
	struct pipe down;
};

struct settings {
	enum relay_mode mode;
	uint32_t up_ms;
	uint32_t down_ms;
	uint32_t bytes_per_second;
	uint16_t target_port;
	unsigned resets; /* asked for so far */
	bool is_ending;
};

struct relay {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t was_seen;
	int wake;
	uint16_t port;

	/* Under the lock. */
	struct settings wanted;
	uint64_t asked; /* changes of `wanted` */
	uint64_t seen;	/* of them, by the thread */
	struct relay_counts counts;

	/* The thread's. */
	struct settings now;
	int listener; /* -1: RELAY_CUT */
	size_t link_count;
	struct link links[LINKS_MAX];
	struct pollfd polled[2 + 2 * LINKS_MAX];
};

static void count(struct relay *r, uint64_t *counter, uint64_t by)
{
	pthread_mutex_lock(&r->lock);
	*counter += by;
	pthread_mutex_unlock(&r->lock);
}

static int tcp_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		abort();
	return fd;
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
}

/* -1: the port is taken. */
static int listen_on(uint16_t port)
{
	struct sockaddr_in address = loopback(port);
	int fd = tcp_socket();
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 128) == 0)
		return fd;
	close(fd);
	return -1;
}

static void close_by_reset(int fd)
{
	struct linger at_once = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}

static void pipe_empty(struct pipe *p)
{
	while (p->first != NULL) {
		struct chunk *c = p->first;

		p->first = c->next;
		free(c);
	}
	p->last = NULL;
	p->waiting_bytes = 0;
}

static void link_end(struct relay *r, struct link *l, bool by_reset)
{
	pipe_empty(&l->up);
	pipe_empty(&l->down);
	if (by_reset) {
		close_by_reset(l->caller);
		close_by_reset(l->target);
	} else {
		close(l->caller);
		close(l->target);
	}
	*l = r->links[--r->link_count];
	count(r, &r->counts.open, (uint64_t)-1);
}

static void reset_all(struct relay *r)
{
	while (r->link_count > 0)
		link_end(r, &r->links[r->link_count - 1], true);
}

static void link_connect(struct link *l, uint16_t port)
{
	struct sockaddr_in address = loopback(port);

	l->is_connecting = true;
	/* Also when it fails at once: poll() reports it. */
	(void)connect(l->target, (struct sockaddr *)&address, sizeof(address));
}

/* Of a target that is not connected nothing is heard: its socket gives an error, which counts as its end. */
static void deafen(struct link *l)
{
	l->is_deaf = true;
	l->is_connecting = false;
	pipe_empty(&l->up);
	pipe_empty(&l->down);
}

static void link_begin(struct relay *r, int caller)
{
	struct link *l = &r->links[r->link_count++];
	int target = tcp_socket();
	int one = 1;

	*l = (struct link){.caller = caller, .target = target};
	l->up = (struct pipe){.from = caller, .to = target};
	l->down = (struct pipe){.from = target, .to = caller};
	setsockopt(caller, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(target, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (r->now.mode == RELAY_HALF_OPEN)
		deafen(l);
	else
		link_connect(l, r->now.target_port);
	count(r, &r->counts.accepted, 1);
	count(r, &r->counts.open, 1);
}

static void accept_all(struct relay *r)
{
	while (r->link_count < LINKS_MAX) {
		int caller = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (caller < 0)
			return;
		link_begin(r, caller);
	}
}

static void take_in(struct pipe *p, const uint8_t *bytes, size_t len, uint32_t delay_ms)
{
	struct chunk *c = malloc(sizeof(*c) + len);

	if (c == NULL)
		abort();
	*c = (struct chunk){.due_ms = now_mono_ms() + delay_ms, .len = len};
	memcpy(c->bytes, bytes, len);
	if (p->last == NULL)
		p->first = c;
	else
		p->last->next = c;
	p->last = c;
	p->waiting_bytes += len;
}

/* False: the connection broke. */
static bool pipe_read(struct relay *r, struct link *l, struct pipe *p)
{
	uint8_t bytes[CHUNK_BYTES];
	ssize_t got = recv(p->from, bytes, sizeof(bytes), 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (got < 0 && !l->is_deaf)
		return false;
	if (got <= 0)
		p->has_ended = true;
	else if (l->is_deaf)
		count(r, &r->counts.bytes_lost, (uint64_t)got);
	else
		take_in(p, bytes, (size_t)got, p == &l->up ? r->now.up_ms : r->now.down_ms);
	return true;
}

/* How much of the chunk may go now. */
static size_t allowance(const struct relay *r, const struct chunk *c)
{
	size_t left = c->len - c->sent;
	size_t step = (size_t)r->now.bytes_per_second * RATE_STEP_MS / 1000 + 1;

	return r->now.bytes_per_second == 0 || left < step ? left : step;
}

static bool may_write(const struct pipe *p, uint64_t now)
{
	return p->first != NULL && p->first->due_ms <= now && p->may_write_ms <= now;
}

/* Writes what is due. False: the connection broke. */
static bool pipe_write(struct relay *r, struct link *l, struct pipe *p)
{
	uint64_t now = now_mono_ms();

	while (may_write(p, now)) {
		struct chunk *c = p->first;
		size_t len = allowance(r, c);
		ssize_t sent = send(p->to, c->bytes + c->sent, len, MSG_NOSIGNAL);

		if (sent < 0)
			return errno == EAGAIN || errno == EINTR;
		if (r->now.bytes_per_second != 0)
			p->may_write_ms = now + (uint64_t)sent * 1000 / r->now.bytes_per_second;
		count(r, p == &l->up ? &r->counts.bytes_up : &r->counts.bytes_down, (uint64_t)sent);
		c->sent += (size_t)sent;
		p->waiting_bytes -= (size_t)sent;
		if (c->sent < c->len)
			continue;
		p->first = c->next;
		if (p->first == NULL)
			p->last = NULL;
		free(c);
	}
	return true;
}

static void pipe_pass_end(struct pipe *p)
{
	if (!p->has_ended || p->has_passed_end || p->first != NULL)
		return;
	shutdown(p->to, SHUT_WR);
	p->has_passed_end = true;
}

/* False: the target refused. */
static bool link_connected(struct link *l)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(l->target, SOL_SOCKET, SO_ERROR, &err, &len) != 0 || err != 0)
		return false;
	l->is_connecting = false;
	return true;
}

/* Moves what can be moved. False: it broke. */
static bool link_move(struct relay *r, struct link *l, short caller_events, short target_events)
{
	if ((caller_events & (POLLIN | POLLHUP | POLLERR)) && !l->up.has_ended && !pipe_read(r, l, &l->up))
		return false;
	if (!l->is_connecting && (target_events & (POLLIN | POLLHUP | POLLERR)) && !l->down.has_ended &&
	    !pipe_read(r, l, &l->down))
		return false;
	/* A dead route tells of no end. */
	if (l->is_deaf)
		return true;
	if (!pipe_write(r, l, &l->down))
		return false;
	pipe_pass_end(&l->down);
	if (l->is_connecting)
		return true;
	if (!pipe_write(r, l, &l->up))
		return false;
	pipe_pass_end(&l->up);
	return true;
}

static void link_serve(struct relay *r, struct link *l, short caller_events, short target_events)
{
	if (l->is_connecting && (target_events & (POLLOUT | POLLERR | POLLHUP)) && !link_connected(l)) {
		count(r, &r->counts.unconnected, 1);
		link_end(r, l, true);
		return;
	}
	if (!link_move(r, l, caller_events, target_events))
		link_end(r, l, true);
	else if ((l->up.has_passed_end && l->down.has_passed_end) ||
		 (l->is_deaf && l->up.has_ended && l->down.has_ended))
		link_end(r, l, false);
}

static short wants_read(const struct relay *r, const struct pipe *p)
{
	return r->now.mode != RELAY_STALL && !p->has_ended && p->waiting_bytes < WAITING_BYTES_MAX ? POLLIN : 0;
}

static short wants_write(const struct relay *r, const struct pipe *p, uint64_t now)
{
	return r->now.mode != RELAY_STALL && may_write(p, now) ? POLLOUT : 0;
}

/* poll() reports POLLHUP and POLLERR unasked: a socket nothing is wanted of would spin. */
static void watch(struct pollfd *polled, int fd, short events)
{
	*polled = (struct pollfd){.fd = events == 0 ? -1 : fd, .events = events};
}

/* Milliseconds until a pipe may go on by itself; -1: never. */
static int sooner(int timeout_ms, const struct pipe *p, uint64_t now)
{
	uint64_t at;

	if (p->first == NULL || may_write(p, now))
		return timeout_ms;
	at = p->first->due_ms > p->may_write_ms ? p->first->due_ms : p->may_write_ms;
	return timeout_ms < 0 || at - now < (uint64_t)timeout_ms ? (int)(at - now) : timeout_ms;
}

static int prepare(struct relay *r)
{
	uint64_t now = now_mono_ms();
	int timeout_ms = -1;

	watch(&r->polled[0], r->wake, POLLIN);
	watch(&r->polled[1], r->listener, r->link_count < LINKS_MAX && r->listener >= 0 ? POLLIN : 0);
	for (size_t i = 0; i < r->link_count; i++) {
		const struct link *l = &r->links[i];
		short caller = (short)(wants_read(r, &l->up) | wants_write(r, &l->down, now));
		short target = (short)(wants_read(r, &l->down) | wants_write(r, &l->up, now));

		watch(&r->polled[2 + 2 * i], l->caller, caller);
		watch(&r->polled[3 + 2 * i], l->target, l->is_connecting ? POLLOUT : target);
		if (r->now.mode == RELAY_STALL)
			continue;
		timeout_ms = sooner(timeout_ms, &l->up, now);
		timeout_ms = sooner(timeout_ms, &l->down, now);
	}
	return timeout_ms;
}

static void deafen_all(struct relay *r)
{
	for (size_t i = 0; i < r->link_count; i++)
		deafen(&r->links[i]);
}

static void apply(struct relay *r, const struct settings *wanted)
{
	if (wanted->resets != r->now.resets || wanted->mode == RELAY_CUT || wanted->is_ending)
		reset_all(r);
	r->now = *wanted;
	if (wanted->mode == RELAY_HALF_OPEN)
		deafen_all(r);
	if (wanted->mode == RELAY_CUT && r->listener >= 0) {
		close(r->listener);
		r->listener = -1;
	}
	if (wanted->mode != RELAY_CUT && r->listener < 0)
		r->listener = listen_on(r->port);
}

static void take_settings(struct relay *r)
{
	struct settings wanted;
	eventfd_t ignored;
	uint64_t asked;

	(void)eventfd_read(r->wake, &ignored);
	/* Callers in the backlog came before the change. */
	if (r->listener >= 0)
		accept_all(r);
	pthread_mutex_lock(&r->lock);
	wanted = r->wanted;
	asked = r->asked;
	pthread_mutex_unlock(&r->lock);
	apply(r, &wanted);
	pthread_mutex_lock(&r->lock);
	r->seen = asked;
	pthread_cond_broadcast(&r->was_seen);
	pthread_mutex_unlock(&r->lock);
}

static void *run(void *arg)
{
	struct relay *r = arg;

	while (!r->now.is_ending) {
		int timeout_ms = prepare(r);

		if (poll(r->polled, (nfds_t)(2 + 2 * r->link_count), timeout_ms) < 0)
			continue;
		/* From the last: an ended link's place is taken by the last one, which was served already. */
		for (size_t i = r->link_count; i-- > 0;)
			if (r->now.mode != RELAY_STALL)
				link_serve(r, &r->links[i], r->polled[2 + 2 * i].revents, r->polled[3 + 2 * i].revents);
		if (r->polled[1].revents != 0)
			accept_all(r);
		if (r->polled[0].revents != 0)
			take_settings(r);
	}
	return NULL;
}

struct relay *relay_open(uint16_t target_port)
{
	struct relay *r = calloc(1, sizeof(*r));

	if (r == NULL)
		abort();
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->was_seen, NULL);
	r->wanted.target_port = target_port;
	r->now = r->wanted;
	r->port = port_free();
	r->listener = listen_on(r->port);
	r->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->listener < 0 || r->wake < 0 || pthread_create(&r->thread, NULL, run, r) != 0)
		fail_msg("no relay: %s", strerror(errno));
	return r;
}

/* The lock is held. */
static void wait_until_seen(struct relay *r)
{
	uint64_t asked = ++r->asked;

	(void)eventfd_write(r->wake, 1);
	while (r->seen < asked)
		pthread_cond_wait(&r->was_seen, &r->lock);
}

void relay_close(struct relay **r)
{
	struct relay *old = *r;

	if (old == NULL)
		return;
	pthread_mutex_lock(&old->lock);
	old->wanted.is_ending = true;
	wait_until_seen(old);
	pthread_mutex_unlock(&old->lock);
	pthread_join(old->thread, NULL);
	if (old->listener >= 0)
		close(old->listener);
	close(old->wake);
	pthread_cond_destroy(&old->was_seen);
	pthread_mutex_destroy(&old->lock);
	free(old);
	*r = NULL;
}

uint16_t relay_port(const struct relay *r)
{
	return r->port;
}

void relay_set_mode(struct relay *r, enum relay_mode mode)
{
	pthread_mutex_lock(&r->lock);
	r->wanted.mode = mode;
	wait_until_seen(r);
	pthread_mutex_unlock(&r->lock);
}

void relay_set_delay(struct relay *r, uint32_t up_ms, uint32_t down_ms)
{
	pthread_mutex_lock(&r->lock);
	r->wanted.up_ms = up_ms;
	r->wanted.down_ms = down_ms;
	wait_until_seen(r);
	pthread_mutex_unlock(&r->lock);
}

void relay_set_rate(struct relay *r, uint32_t bytes_per_second)
{
	pthread_mutex_lock(&r->lock);
	r->wanted.bytes_per_second = bytes_per_second;
	wait_until_seen(r);
	pthread_mutex_unlock(&r->lock);
}

void relay_set_target(struct relay *r, uint16_t target_port)
{
	pthread_mutex_lock(&r->lock);
	r->wanted.target_port = target_port;
	wait_until_seen(r);
	pthread_mutex_unlock(&r->lock);
}

void relay_reset(struct relay *r)
{
	pthread_mutex_lock(&r->lock);
	r->wanted.resets++;
	wait_until_seen(r);
	pthread_mutex_unlock(&r->lock);
}

void relay_get_counts(struct relay *r, struct relay_counts *ret)
{
	pthread_mutex_lock(&r->lock);
	*ret = r->counts;
	pthread_mutex_unlock(&r->lock);
}
