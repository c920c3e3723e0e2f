#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target.h"

/* Everything at once: putters, one who expires and ticks, replays one after the other, answered by other threads. */
enum { TAGS = 64, PUTTERS = 2, ANSWERERS = 2, REPLAYS = 30 };

struct crowd {
	journal *journal;
	atomic_uint_fast64_t now_ms;
	atomic_bool has_replayed;
	atomic_bool is_over;
	pthread_mutex_t lock;
	struct store_op *first;
	size_t waiting;
	size_t most_waiting;
	unsigned last_of_tag[PUTTERS][TAGS]; /* that this replay has sent */
	unsigned in_flight_of_tag[TAGS];
	unsigned broken;
	atomic_uint done;
	size_t counted;
};

static bool wants_all(void *owner, uint16_t slot)
{
	(void)owner;
	(void)slot;
	return true;
}

struct putter {
	struct crowd *crowd;
	unsigned number;
};

static void *put_many(void *owner)
{
	const struct putter *p = owner;

	for (unsigned i = 1; !atomic_load(&p->crowd->has_replayed); i++) {
		char key[16];
		char text[32];
		struct store_command redo;

		(void)snprintf(key, sizeof(key), "{%u}", i % TAGS);
		(void)snprintf(text, sizeof(text), "%u %u %u", p->number, i % TAGS, i);
		redo = redo_of(key, text);
		(void)!journal_put(p->crowd->journal, &redo, 0, i % 2 == 0 ? old_primary : new_primary, UINT64_MAX,
				   atomic_load(&p->crowd->now_ms));
	}
	return NULL;
}

static void *pass_time(void *owner)
{
	struct crowd *c = owner;

	while (!atomic_load(&c->is_over)) {
		uint64_t now_ms = atomic_fetch_add(&c->now_ms, 7) + 7;

		journal_expire(c->journal, trusts_all, NULL, now_ms);
		journal_tick(c->journal, now_ms);
		(void)state_of(c->journal);
	}
	return NULL;
}

static void read_text(const struct store_op *op, unsigned ret[static 3])
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%.*s", SPAN_FMT(op->command.argv[1]));
	if (sscanf(text, "%u %u %u", &ret[0], &ret[1], &ret[2]) != 3)
		abort();
}

static void hold(void *owner, struct store_op *op)
{
	struct crowd *c = owner;
	unsigned n[3];

	read_text(op, n);
	pthread_mutex_lock(&c->lock);
	/* The same one comes again after `again`. */
	c->broken += n[2] < c->last_of_tag[n[0]][n[1]];
	c->last_of_tag[n[0]][n[1]] = n[2];
	c->broken += c->in_flight_of_tag[n[1]]++ > 0;
	op->next = c->first;
	c->first = op;
	c->waiting++;
	if (c->waiting > c->most_waiting)
		c->most_waiting = c->waiting;
	pthread_mutex_unlock(&c->lock);
}

static struct store_op *take(struct crowd *c, unsigned *ret_serial)
{
	struct store_op *op;
	unsigned n[3];

	pthread_mutex_lock(&c->lock);
	op = c->first;
	if (op != NULL) {
		c->first = op->next;
		c->waiting--;
		read_text(op, n);
		c->in_flight_of_tag[n[1]]--;
		*ret_serial = n[2];
	}
	pthread_mutex_unlock(&c->lock);
	return op;
}

static void *answer_many(void *owner)
{
	const struct store_result good = {.outcome = STORE_REPLIED, .reply = &yes};
	const struct store_result later = {.outcome = STORE_REPLIED, .reply = &again};
	const struct store_result bad = {.outcome = STORE_LOST};
	struct crowd *c = owner;
	unsigned seed = 1;

	while (!atomic_load(&c->is_over)) {
		unsigned serial;
		struct store_op *op = take(c, &serial);

		if (op == NULL) {
			nap_ms(1);
			continue;
		}
		seed = seed * 1103515245U + 12345U;
		if (seed >> 16 & 1023)
			op->done(op, serial % 7 == 0 ? &bad : &good);
		else
			op->done(op, &later);
	}
	return NULL;
}

static void count_done(void *owner, size_t carried_out, size_t failed)
{
	struct crowd *c = owner;

	c->counted += carried_out + failed;
	atomic_fetch_add(&c->done, 1);
}

static void replay_to_crowd(struct crowd *c, unsigned number)
{
	const struct journal_replay task = {.is_wanted = wants_all,
					    .submit = hold,
					    .done = count_done,
					    .owner = c,
					    .origin = {.node = "crowd", .tenure = number},
					    .deadline_ms = 1};

	memset(c->last_of_tag, 0, sizeof(c->last_of_tag));
	journal_replay(c->journal, &task, atomic_load(&c->now_ms));
	assert_becomes(atomic_load(&c->done) == number + 1, BOUND_MS);
}

static void bears_everything_at_once(void **state)
{
	static struct crowd c = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct putter putters[PUTTERS];
	pthread_t putting[PUTTERS];
	pthread_t answering[ANSWERERS];
	pthread_t passing;

	(void)state;
	/* Room for some 3000: putting evicts, passing time expires, replaying hands over. */
	c.journal = open_journal((size_t)500 * 1024);
	atomic_store(&c.now_ms, 1000);
	for (unsigned i = 0; i < PUTTERS; i++) {
		putters[i] = (struct putter){.crowd = &c, .number = i};
		assert_int_equal(pthread_create(&putting[i], NULL, put_many, &putters[i]), 0);
	}
	for (unsigned i = 0; i < ANSWERERS; i++)
		assert_int_equal(pthread_create(&answering[i], NULL, answer_many, &c), 0);
	assert_int_equal(pthread_create(&passing, NULL, pass_time, &c), 0);
	assert_becomes(state_of(c.journal).entries > 100, BOUND_MS);
	for (unsigned i = 0; i < REPLAYS; i++)
		replay_to_crowd(&c, i);
	atomic_store(&c.has_replayed, true);
	for (unsigned i = 0; i < PUTTERS; i++)
		assert_int_equal(pthread_join(putting[i], NULL), 0);
	replay_to_crowd(&c, REPLAYS);
	atomic_store(&c.is_over, true);
	assert_int_equal(pthread_join(passing, NULL), 0);
	for (unsigned i = 0; i < ANSWERERS; i++)
		assert_int_equal(pthread_join(answering[i], NULL), 0);
	assert_int_equal(c.broken, 0);
	assert_int_equal(c.waiting, 0);
	assert_true(c.most_waiting <= JOURNAL_IN_FLIGHT);
	assert_true(c.counted > 0);
	close_journal(&c.journal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bears_everything_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
