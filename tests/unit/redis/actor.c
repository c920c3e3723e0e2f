#include "actor.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/wait.h"

static void greet(struct actor *a, const char *words, char *reply)
{
	char info[256];
	int len;

	if (strncmp(words, "INFO", 4) == 0) {
		len = snprintf(info, sizeof(info),
			       "redis_version:7.9.9\r\nrun_id:%040u\r\nrole:%s\r\nmaster_replid:%040u\r\n"
			       "%s_repl_offset:%u\r\n",
			       atomic_load(&a->run), a->role, 7, a->role, atomic_load(&a->offset));
		(void)snprintf(reply, ACTOR_REPLY_BYTES, "$%d\r\n%s\r\n", len, info);
	} else if (strcmp(words, "PING") == 0) {
		(void)snprintf(reply, ACTOR_REPLY_BYTES, "+PONG\r\n");
	} else if (strncmp(words, "CLIENT", 6) == 0 || strcmp(words, "READONLY") == 0) {
		(void)snprintf(reply, ACTOR_REPLY_BYTES, "+OK\r\n");
	}
}

/* Bytes of one whole command at the front, whose arguments are written to words, separated by spaces; 0: not yet. */
static unsigned parse(const char *in, unsigned len, char *words, size_t size)
{
	const char *at = in;
	const char *end = in + len;
	long count = 0;
	size_t out = 0;

	for (long i = -1; i < count; i++) {
		const char *line = memchr(at, '\n', (size_t)(end - at));
		long number;

		if (line == NULL)
			return 0;
		number = strtol(at + 1, NULL, 10);
		at = line + 1;
		if (i < 0) {
			count = number;
			continue;
		}
		if (end - at < number + 2)
			return 0;
		out += (size_t)snprintf(words + out, size - out, "%s%.*s", i > 0 ? " " : "", (int)number, at);
		out = out < size ? out : size - 1;
		at += number + 2;
	}
	return (unsigned)(at - in);
}

static void hang_up(struct actor *a, int i)
{
	(void)close(a->fds[i]);
	a->fds[i] = -1;
	a->lens[i] = 0;
}

/* False: the connection is to be closed. */
static bool answer(struct actor *a, int i, const char *words)
{
	char reply[ACTOR_REPLY_BYTES] = "";

	greet(a, words, reply);
	if (reply[0] == '\0') {
		atomic_fetch_add(&a->commands, 1);
		a->play(a->owner, a, words, reply);
	}
	if (strcmp(reply, "close") == 0)
		return false;
	return reply[0] == '\0' || send(a->fds[i], reply, strlen(reply), MSG_NOSIGNAL) > 0;
}

static void take_input(struct actor *a, int i)
{
	char words[1024];
	unsigned used;
	ssize_t n = read(a->fds[i], a->buffers[i] + a->lens[i], sizeof(a->buffers[i]) - a->lens[i]);

	if (n <= 0) {
		hang_up(a, i);
		return;
	}
	a->lens[i] += (unsigned)n;
	while ((used = parse(a->buffers[i], a->lens[i], words, sizeof(words))) > 0) {
		a->lens[i] -= used;
		memmove(a->buffers[i], a->buffers[i] + used, a->lens[i]);
		if (!answer(a, i, words)) {
			hang_up(a, i);
			return;
		}
	}
}

static void take_connection(struct actor *a)
{
	int fd = accept4(a->listener, NULL, NULL, SOCK_CLOEXEC);

	for (int i = 0; i < ACTOR_CONNECTIONS_MAX; i++) {
		if (a->fds[i] < 0) {
			a->fds[i] = fd;
			return;
		}
	}
	(void)close(fd);
}

static void obey(struct actor *a, char order)
{
	a->is_frozen = order == 'f';
	for (int i = 0; i < ACTOR_CONNECTIONS_MAX && order == 'd'; i++) {
		if (a->fds[i] >= 0)
			hang_up(a, i);
	}
}

static void *act(void *owner)
{
	struct actor *a = owner;

	for (;;) {
		struct pollfd polled[ACTOR_CONNECTIONS_MAX + 2];

		for (int i = 0; i < ACTOR_CONNECTIONS_MAX; i++)
			polled[i] = (struct pollfd){.fd = a->is_frozen ? -1 : a->fds[i], .events = POLLIN};
		polled[ACTOR_CONNECTIONS_MAX] = (struct pollfd){.fd = a->listener, .events = POLLIN};
		polled[ACTOR_CONNECTIONS_MAX + 1] = (struct pollfd){.fd = a->wake[0], .events = POLLIN};
		(void)poll(polled, ACTOR_CONNECTIONS_MAX + 2, -1);
		if (polled[ACTOR_CONNECTIONS_MAX + 1].revents != 0) {
			char byte;

			if (read(a->wake[0], &byte, 1) <= 0 || byte == 'x')
				return NULL;
			obey(a, byte);
			continue;
		}
		for (int i = 0; i < ACTOR_CONNECTIONS_MAX; i++) {
			if (polled[i].fd >= 0 && polled[i].revents != 0)
				take_input(a, i);
		}
		if (polled[ACTOR_CONNECTIONS_MAX].revents != 0)
			take_connection(a);
	}
}

void actor_open(struct actor *a,
		void (*play)(void *owner, struct actor *actor, const char *words, char reply[ACTOR_REPLY_BYTES]),
		void *owner)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	memset(a, 0, sizeof(*a));
	a->play = play;
	a->owner = owner;
	a->role = "master";
	for (int i = 0; i < ACTOR_CONNECTIONS_MAX; i++)
		a->fds[i] = -1;
	a->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(a->listener, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(a->listener, 64), 0);
	assert_int_equal(getsockname(a->listener, (struct sockaddr *)&address, &len), 0);
	a->port = ntohs(address.sin_port);
	(void)snprintf(a->address, sizeof(a->address), "127.0.0.1:%u", a->port);
	assert_int_equal(pipe(a->wake), 0);
	assert_int_equal(pthread_create(&a->thread, NULL, act, a), 0);
}

void actor_drop(struct actor *a)
{
	assert_int_equal(write(a->wake[1], "d", 1), 1);
}

void actor_freeze(struct actor *a)
{
	assert_int_equal(write(a->wake[1], "f", 1), 1);
}

void actor_thaw(struct actor *a)
{
	assert_int_equal(write(a->wake[1], "t", 1), 1);
}

void actor_close(struct actor *a)
{
	assert_int_equal(write(a->wake[1], "x", 1), 1);
	assert_int_equal(pthread_join(a->thread, NULL), 0);
	for (int i = 0; i < ACTOR_CONNECTIONS_MAX; i++) {
		if (a->fds[i] >= 0)
			hang_up(a, i);
	}
	(void)close(a->listener);
	(void)close(a->wake[0]);
	(void)close(a->wake[1]);
}
