/* Ends of links and channels from every side at once. What is held is what the recorders abort on: two events at once,
 * an event after `closed`, a second `closed`; and that everything is gone at the end. */

#include "support/wait.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/callers.h"
#include "support/ends.h"
#include "support/peer.h"
#include "support/tmpdir.h"

#define CLOSERS 4
#define ROUNDS	60

/* Threads that wait for a common start. */
struct rush {
	struct end *end;
	pthread_barrier_t *start;
	enum wire_error reason;
	bool flush;
};

static void *close_in_a_rush(void *arg)
{
	struct rush *r = arg;
	wire_link *link = r->end->link;

	pthread_barrier_wait(r->start);
	end_send(r->end, "last", 4);
	wire_link_close(link, r->reason, r->flush);
	end_send(r->end, "later", 5);
	wire_link_release(&link);
	return NULL;
}

static void rush_at(struct end *e, bool opened)
{
	pthread_t threads[CLOSERS];
	struct rush rushes[CLOSERS];
	pthread_barrier_t start;

	pthread_barrier_init(&start, NULL, CLOSERS);
	if (opened)
		assert_becomes(atomic_load(&e->opened) == 1, BOUND_MS);
	for (int i = 0; i < CLOSERS; i++) {
		wire_link_retain(e->link);
		rushes[i] = (struct rush){
		    .end = e, .start = &start, .reason = (enum wire_error)(WIRE_CLOSED + i), .flush = i % 2};
		pthread_create(&threads[i], NULL, close_in_a_rush, &rushes[i]);
	}
	for (int i = 0; i < CLOSERS; i++)
		pthread_join(threads[i], NULL);
	assert_becomes(atomic_load(&e->closed) == 1, BOUND_MS);
	assert_true(e->reason >= WIRE_CLOSED && e->reason < WIRE_CLOSED + CLOSERS);
	end_finish(e);
	pthread_barrier_destroy(&start);
}

static void many_threads_close_one_link(void **state)
{
	struct tmpdir dir;
	char url[TMPDIR_URL_BYTES];
	struct desk *desk = calloc(1, sizeof(*desk));

	(void)state;
	tmpdir_make(&dir);
	tmpdir_url(&dir, "s", url);
	desk_open(desk, url, &caller_limits, NULL);
	for (int round = 0; round < ROUNDS; round++) {
		struct end e;

		end_init(&e);
		end_dial(&e, url, &end_limits);
		rush_at(&e, round % 2);
	}
	desk_close(desk);
	tmpdir_remove(&dir);
	free(desk);
}

static void many_threads_close_a_dialing_link(void **state)
{
	char url[PEER_URL_BYTES];
	int listener = peer_listen(ROUNDS, url);

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct end e;

		end_init(&e);
		end_dial(&e, url, &end_limits);
		if (round % 3 == 0)
			sched_yield();
		rush_at(&e, false);
	}
	peer_close(listener);
	assert_true(wire_drain(BOUND_MS));
}

/* A link that is closed by the far end, by itself and by its input, all while it is being written to. */
static ssize_t close_sometimes(struct end *e, wire_link *link, const uint8_t *data, size_t len)
{
	(void)data;
	end_send(e, "answer", 6);
	if (atomic_load(&e->inputs) % 5 == 4)
		wire_link_close(link, WIRE_FAILED, len % 2);
	return (ssize_t)len;
}

static void *write_and_leave(void *arg)
{
	const char *url = arg;

	for (int round = 0; round < ROUNDS; round++) {
		int fd = peer_connect(url);

		for (int i = 0; i < round % 10; i++) {
			if (!peer_try_send(fd, "some bytes", 10))
				break;
		}
		if (round % 2)
			nap_ms(1);
		peer_close(fd);
	}
	return NULL;
}

struct crowd {
	struct end *ends;
	atomic_int count;
};

static const struct wire_link_events *take_all(void *owner, wire_link *link, void **ret_owner)
{
	struct crowd *c = owner;
	struct end *e = &c->ends[atomic_load(&c->count)];

	end_init(e);
	e->link = link;
	e->input = close_sometimes;
	*ret_owner = e;
	atomic_fetch_add(&c->count, 1);
	return &end_events;
}

#define LEAVERS 3

static void both_sides_close_in_the_middle(void **state)
{
	static const struct wire_listener_events events = {.accepted = take_all};
	struct wire_listener_options options = {.url = "tcp://127.0.0.1:0", .limits = end_limits};
	struct crowd crowd = {.ends = calloc(LEAVERS * ROUNDS, sizeof(struct end))};
	pthread_t threads[LEAVERS];
	wire_listener *l;
	char url[PEER_URL_BYTES];

	(void)state;
	assert_int_equal(wire_listener_open(&options, &events, &crowd, &l), WIRE_OK);
	snprintf(url, sizeof(url), "%s", wire_listener_url(l));
	for (int i = 0; i < LEAVERS; i++)
		pthread_create(&threads[i], NULL, write_and_leave, url);
	for (int i = 0; i < LEAVERS; i++)
		pthread_join(threads[i], NULL);
	assert_becomes(atomic_load(&crowd.count) == LEAVERS * ROUNDS, BOUND_MS);
	wire_listener_close(&l);
	for (int i = 0; i < LEAVERS * ROUNDS; i++) {
		assert_becomes(atomic_load(&crowd.ends[i].closed) == 1, BOUND_MS);
		end_finish(&crowd.ends[i]);
	}
	assert_true(wire_drain(BOUND_MS));
	free(crowd.ends);
}

static void *ask_until_closed(void *arg)
{
	struct caller *c = arg;

	for (uint32_t i = 0; atomic_load(&c->closed) == 0; i++)
		caller_ask(c, i, i % 200);
	return NULL;
}

static void a_channel_is_closed_under_its_askers(void **state)
{
	struct desk *desk = calloc(1, sizeof(*desk));

	(void)state;
	desk_open(desk, "tcp://127.0.0.1:0", &caller_limits, NULL);
	for (int round = 0; round < 20; round++) {
		pthread_t threads[3];
		struct caller c;

		caller_init(&c);
		caller_dial(&c, desk_url(desk), &caller_limits, NULL);
		for (int i = 0; i < 3; i++)
			pthread_create(&threads[i], NULL, ask_until_closed, &c);
		assert_becomes(atomic_load(&c.replies) > round, BOUND_MS);
		if (round % 2) {
			pthread_mutex_lock(&desk->lock);
			wire_channel_close(desk->last, WIRE_FAILED, round % 4 == 1);
			pthread_mutex_unlock(&desk->lock);
		} else {
			wire_channel_close(c.ch, WIRE_FAILED, round % 4 == 0);
		}
		for (int i = 0; i < 3; i++)
			pthread_join(threads[i], NULL);
		assert_int_equal(c.wrong, 0);
		caller_finish(&c);
	}
	desk_close(desk);
	free(desk);
}

static void idle_and_input_and_close_meet(void **state)
{
	struct wire_limits limits = end_limits;
	struct hall *hall = calloc(1, sizeof(*hall));

	(void)state;
	limits.idle_timeout_ms = 1;
	hall->stays = true;
	hall->input = end_echo;
	hall_open(hall, "tcp://127.0.0.1:0", &limits, NULL);
	for (int round = 0; round < 20; round++) {
		int fd = peer_connect(hall_url(hall));
		char back[1];

		for (int i = 0; i < 10; i++) {
			nap_ms(3);
			peer_send(fd, "x", 1);
			peer_receive(fd, back, 1);
		}
		assert_becomes(atomic_load(&hall->ends[round].idles) > 0, BOUND_MS);
		wire_link_close(hall->ends[round].link, WIRE_CLOSED, round % 2);
		peer_close(fd);
	}
	hall_close(hall);
	free(hall);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(many_threads_close_one_link),    cmocka_unit_test(many_threads_close_a_dialing_link),
	    cmocka_unit_test(both_sides_close_in_the_middle), cmocka_unit_test(a_channel_is_closed_under_its_askers),
	    cmocka_unit_test(idle_and_input_and_close_meet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
