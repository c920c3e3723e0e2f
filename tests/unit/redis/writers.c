#include "writers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "support/wait.h"

enum { THREADS_MAX = 8, KEYS_MAX = 100000, BATCH = 500 };

struct writer {
	struct writers *writers;
	pthread_t thread;
	unsigned number;
	unsigned written;
	bool is_acknowledged[KEYS_MAX];
	struct writers_result result;
};

struct writers {
	redis *redis;
	uint32_t wait_ms;
	atomic_bool is_stopping;
	atomic_uint acknowledged;
	unsigned count;
	struct writer writers[THREADS_MAX];
};

static void run(struct writer *w, struct call *c)
{
	c->op.deadline_ms = clock_mono_ms() + w->writers->wait_ms;
	call_start(c, w->writers->redis);
	while (atomic_load(&c->done) == 0)
		nap_ms(0);
}

/* True: it may be acknowledged. */
static bool write_one(struct writer *w, unsigned key)
{
	struct store_command redo;
	struct call c;
	char words[64];

	(void)snprintf(words, sizeof(words), "SET w%u:%u v%u", w->number, key, key);
	for (int attempt = 0; attempt < 5; attempt++) {
		call_init_write(&c, words);
		redo = c.op.command;
		run(w, &c);
		if (c.outcome != STORE_REPLIED)
			break;
		if (store_keep(redis_store(w->writers->redis), &c.op, &redo, 60000))
			return true;
		w->result.late++;
	}
	w->result.failed++;
	w->result.failure = c.outcome;
	(void)snprintf(w->result.error, sizeof(w->result.error), "%u: %s", c.outcome, c.text);
	return false;
}

static void *work(void *owner)
{
	struct writer *w = owner;
	uint64_t last_ms = clock_mono_ms();

	while (!atomic_load(&w->writers->is_stopping) && w->written < KEYS_MAX) {
		uint64_t now_ms;

		if (write_one(w, w->written)) {
			now_ms = clock_mono_ms();
			if (now_ms - last_ms > w->result.longest_ms)
				w->result.longest_ms = now_ms - last_ms;
			last_ms = now_ms;
			w->is_acknowledged[w->written] = true;
			w->result.acknowledged++;
			atomic_fetch_add(&w->writers->acknowledged, 1);
		}
		w->written++;
		/* About 2,000 a second from four threads: as many as can be checked. */
		nap_ms(1);
	}
	return NULL;
}

struct writers *writers_start(redis *r, unsigned threads, uint32_t wait_ms)
{
	struct writers *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_true(threads <= THREADS_MAX);
	w->redis = r;
	w->wait_ms = wait_ms;
	w->count = threads;
	for (unsigned i = 0; i < threads; i++) {
		w->writers[i].writers = w;
		w->writers[i].number = i;
		assert_int_equal(pthread_create(&w->writers[i].thread, NULL, work, &w->writers[i]), 0);
	}
	return w;
}

unsigned writers_count(const struct writers *w)
{
	return atomic_load(&w->acknowledged);
}

void writers_stop(struct writers *w, struct writers_result *ret)
{
	*ret = (struct writers_result){0};
	atomic_store(&w->is_stopping, true);
	for (unsigned i = 0; i < w->count; i++) {
		const struct writers_result *one = &w->writers[i].result;

		assert_int_equal(pthread_join(w->writers[i].thread, NULL), 0);
		ret->acknowledged += one->acknowledged;
		ret->failed += one->failed;
		ret->late += one->late;
		if (one->longest_ms > ret->longest_ms)
			ret->longest_ms = one->longest_ms;
		if (one->failed > 0) {
			ret->failure = one->failure;
			memcpy(ret->error, one->error, sizeof(ret->error));
		}
	}
	print_message("acknowledged %u, late %u, failed %u (%s), longest gap %llu ms\n", ret->acknowledged, ret->late,
		      ret->failed, ret->error, (unsigned long long)ret->longest_ms);
}

/* How many of these acknowledged ones are not there. */
static unsigned check_batch(struct writers *w, unsigned number, unsigned first, unsigned end)
{
	static struct call calls[BATCH];
	static char words[BATCH][64];
	unsigned lost = 0;

	for (unsigned key = first; key < end; key++) {
		(void)snprintf(words[key - first], sizeof(words[0]), "GET w%u:%u", number, key);
		call_init(&calls[key - first], words[key - first]);
		call_start(&calls[key - first], w->redis);
	}
	for (unsigned key = first; key < end; key++) {
		struct call *c = &calls[key - first];
		char value[32];

		(void)snprintf(value, sizeof(value), "v%u", key);
		call_await(c);
		lost += w->writers[number].is_acknowledged[key] &&
			(c->outcome != STORE_REPLIED || strcmp(c->text, value) != 0);
	}
	return lost;
}

void writers_check(struct writers **w)
{
	struct writers *old = *w;
	unsigned lost = 0;

	*w = NULL;
	for (unsigned i = 0; i < old->count; i++) {
		const unsigned written = old->writers[i].written;

		for (unsigned key = 0; key < written; key += BATCH)
			lost += check_batch(old, i, key, key + BATCH < written ? key + BATCH : written);
	}
	free(old);
	if (lost > 0)
		fail_msg("%u acknowledged writes are not there", lost);
}
