/* With some of nng's threads kept waiting, the others do all that there is to be done. */

#include "support/wait.h"

#include <nng/nng.h>
#include <unistd.h>

#include "support/callers.h"
#include "wire/spare.h"

#define CALLERS	  16
#define QUESTIONS 50
/* More than nng has threads. */
#define BLOCKS 64

static void ask_all(struct desk *d)
{
	struct caller callers[CALLERS];

	for (int i = 0; i < CALLERS; i++) {
		caller_init(&callers[i]);
		caller_dial(&callers[i], desk_url(d), &caller_limits, NULL);
		assert_true(WAIT_FOR(atomic_load(&callers[i].ready) == 1, BOUND_MS));
	}
	for (uint32_t n = 1; n <= QUESTIONS; n++)
		for (int i = 0; i < CALLERS; i++)
			caller_ask(&callers[i], WIRE_ID_BIT | n, 100);
	for (int i = 0; i < CALLERS; i++) {
		assert_true(WAIT_FOR(atomic_load(&callers[i].replies) == QUESTIONS, BOUND_MS));
		assert_int_equal(atomic_load(&callers[i].wrong), 0);
		caller_finish(&callers[i]);
	}
}

static void one_thread_answers_all(void **state)
{
	wire_spare *spare = wire_spare_threads(1);
	struct desk d = {0};

	(void)state;
	assert_non_null(spare);
	desk_open(&d, "tcp://127.0.0.1:0", &caller_limits, NULL);
	ask_all(&d);
	wire_spare_release(&spare);
	assert_null(spare);
	ask_all(&d);
	desk_close(&d);
}

struct blocks {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_over;
	atomic_int begun;
	nng_aio *aios[BLOCKS];
};

static void block(void *arg)
{
	struct blocks *b = arg;

	atomic_fetch_add(&b->begun, 1);
	pthread_mutex_lock(&b->lock);
	while (!b->is_over)
		pthread_cond_wait(&b->changed, &b->lock);
	pthread_mutex_unlock(&b->lock);
}

static void begin_blocks(struct blocks *b)
{
	*b = (struct blocks){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
	for (int i = 0; i < BLOCKS; i++) {
		assert_int_equal(nng_aio_alloc(&b->aios[i], block, b), 0);
		assert_true(nng_aio_begin(b->aios[i]));
		nng_aio_finish(b->aios[i], 0);
	}
}

static void end_blocks(struct blocks *b)
{
	pthread_mutex_lock(&b->lock);
	b->is_over = true;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
	for (int i = 0; i < BLOCKS; i++) {
		nng_aio_wait(b->aios[i]);
		nng_aio_free(b->aios[i]);
	}
}

static void expect_left(unsigned keep)
{
	wire_spare *spare = wire_spare_threads(keep);
	struct blocks b;

	assert_non_null(spare);
	begin_blocks(&b);
	assert_true(WAIT_FOR(atomic_load(&b.begun) >= (int)keep, BOUND_MS));
	assert_int_equal(atomic_load(&b.begun), keep);
	/* The next ones begin when the spared are back. */
	wire_spare_release(&spare);
	end_blocks(&b);
	assert_int_equal(atomic_load(&b.begun), BLOCKS);
}

/* nng has two at least. */
static void as_many_are_left_as_are_to_be_kept(void **state)
{
	(void)state;
	expect_left(1);
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
		expect_left(2);
}

static void none_is_spared_where_all_are_wanted(void **state)
{
	(void)state;
	assert_null(wire_spare_threads(1000));
}

static void nothing_is_released_twice(void **state)
{
	wire_spare *spare = NULL;

	(void)state;
	wire_spare_release(&spare);
	assert_null(spare);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_thread_answers_all),
	    cmocka_unit_test(as_many_are_left_as_are_to_be_kept),
	    cmocka_unit_test(none_is_spared_where_all_are_wanted),
	    cmocka_unit_test(nothing_is_released_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
