#ifndef LK_TESTS_REDIS_ACTOR_H
#define LK_TESTS_REDIS_ACTOR_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A Redis server played by a function: any number of connections on a loopback port, one command at a time. Greetings it
 * answers by itself. */
#define ACTOR_CONNECTIONS_MAX 16
#define ACTOR_REPLY_BYTES     4096

struct actor {
	/* Called from the actor's thread. Writes the reply; leaves it empty to say nothing now, or writes "close". */
	void (*play)(void *owner, struct actor *a, const char *words, char reply[ACTOR_REPLY_BYTES]);
	void *owner;
	const char *role;   /* "master" or "slave" */
	atomic_uint run;    /* shown as run_id: another number is another run */
	atomic_uint offset; /* in the stream of replication, which is one for all actors */
	uint16_t port;
	char address[32];     /* 127.0.0.1:port */
	atomic_uint commands; /* that `play` got */
	pthread_t thread;
	bool is_frozen;
	int listener;
	int wake[2];
	int fds[ACTOR_CONNECTIONS_MAX];
	char buffers[ACTOR_CONNECTIONS_MAX][65536];
	unsigned lens[ACTOR_CONNECTIONS_MAX];
};

void actor_open(struct actor *a,
		void (*play)(void *owner, struct actor *a, const char *words, char reply[ACTOR_REPLY_BYTES]),
		void *owner);
/* Closes all connections; new ones are taken. */
void actor_drop(struct actor *a);
/* Reads nothing, as after SIGSTOP; goes on. */
void actor_freeze(struct actor *a);
void actor_thaw(struct actor *a);
void actor_close(struct actor *a);

#endif
