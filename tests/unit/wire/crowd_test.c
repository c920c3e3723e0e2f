/* Events that wait behind one another share one write to the link that all of them send to; one that nobody waits behind
 * does not wait either. How often is written, and how often a write is put off, is seen between this folder and nng:
 * the functions below stand in front of nng's. */

#include "support/wait.h"

#include <dlfcn.h>
#include <linux/sockios.h>
#include <nng/nng.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "support/ends.h"
#include "support/peer.h"
#include "support/tmpdir.h"

#define CALLERS HALL_ENDS_MAX
/* One round is enough unless other programs keep this one from running just then. */
#define ROUNDS_MAX 200

static atomic_int writes;
static atomic_int posts;

void nng_stream_send(nng_stream *stream, nng_aio *aio)
{
	static void (*of_nng)(nng_stream *, nng_aio *);

	if (of_nng == NULL)
		of_nng = (void (*)(nng_stream *, nng_aio *))dlsym(RTLD_NEXT, "nng_stream_send");
	atomic_fetch_add(&writes, 1);
	of_nng(stream, aio);
}

void nng_aio_finish(nng_aio *aio, int rv)
{
	static void (*of_nng)(nng_aio *, int);

	if (of_nng == NULL)
		of_nng = (void (*)(nng_aio *, int))dlsym(RTLD_NEXT, "nng_aio_finish");
	atomic_fetch_add(&posts, 1);
	of_nng(aio, rv);
}

/* Callers on one side, the peer to whom all that they send is passed on on the other. */
struct stage {
	struct tmpdir dir;
	struct hall hall;
	struct end upstream;
	int listener;
	int peer;
	int callers[CALLERS];
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_shut; /* events wait */
	atomic_int passed_on;
};

static struct stage *stage; /* an end that a hall accepts has no context */

static ssize_t pass_on(struct end *e, wire_link *link, const uint8_t *data, size_t len)
{
	(void)e;
	(void)link;
	pthread_mutex_lock(&stage->lock);
	while (stage->is_shut)
		pthread_cond_wait(&stage->changed, &stage->lock);
	pthread_mutex_unlock(&stage->lock);
	end_send(&stage->upstream, data, len);
	atomic_fetch_add(&stage->passed_on, 1);
	return (ssize_t)len;
}

static void set_gate(struct stage *s, bool is_shut)
{
	pthread_mutex_lock(&s->lock);
	s->is_shut = is_shut;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static int set_up(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));
	char url[TMPDIR_FILE_BYTES + 8];
	char path[TMPDIR_FILE_BYTES];
	char upstream[PEER_URL_BYTES];

	stage = s;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	tmpdir_make(&s->dir);
	tmpdir_file(&s->dir, "s", path);
	(void)snprintf(url, sizeof(url), "ipc://%s", path);
	s->listener = peer_listen(1, upstream);
	end_init(&s->upstream);
	end_dial(&s->upstream, upstream, &end_limits);
	s->peer = peer_accept(s->listener);
	s->hall.input = pass_on;
	hall_open(&s->hall, url, &end_limits, NULL);
	for (int i = 0; i < CALLERS; i++)
		s->callers[i] = peer_connect(url);
	assert_true(
	    WAIT_FOR(atomic_load(&s->hall.count) == CALLERS && atomic_load(&s->upstream.opened) == 1, BOUND_MS));
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct stage *s = *state;

	for (int i = 0; i < CALLERS; i++)
		peer_close(s->callers[i]);
	peer_close(s->peer);
	peer_close(s->listener);
	end_finish(&s->upstream);
	hall_close(&s->hall);
	tmpdir_remove(&s->dir);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
	return 0;
}

static bool is_read(int fd)
{
	int left = 0;

	assert_int_equal(ioctl(fd, SIOCOUTQ, &left), 0);
	return left == 0;
}

/* All callers' events at once: some have begun, the others wait behind them. */
static void let_all_come(struct stage *s)
{
	set_gate(s, true);
	for (int i = 0; i < CALLERS; i++)
		peer_send(s->callers[i], "x", 1);
	for (int i = 0; i < CALLERS; i++)
		assert_true(WAIT_FOR(is_read(s->callers[i]), BOUND_MS));
	set_gate(s, false);
}

static void a_crowd_shares_writes(void **state)
{
	struct stage *s = *state;
	char bytes[CALLERS];
	int least = CALLERS;

	for (int round = 0; round < ROUNDS_MAX && least > CALLERS / 2; round++) {
		const int before = atomic_load(&writes);
		int taken;

		let_all_come(s);
		peer_receive(s->peer, bytes, sizeof(bytes));
		taken = atomic_load(&writes) - before;
		least = taken < least ? taken : least;
	}
	assert_in_range(least, 1, CALLERS / 2);
}

static void who_comes_alone_does_not_wait(void **state)
{
	struct stage *s = *state;
	const int posts_before = atomic_load(&posts);
	const int writes_before = atomic_load(&writes);
	char byte;

	for (int round = 0; round < ROUNDS_MAX; round++) {
		peer_send(s->callers[0], "x", 1);
		peer_receive(s->peer, &byte, 1);
	}
	assert_int_equal(atomic_load(&posts) - posts_before, 0);
	assert_int_equal(atomic_load(&writes) - writes_before, ROUNDS_MAX);
}

static void what_was_put_off_goes_before_the_end(void **state)
{
	struct stage *s = *state;
	char bytes[CALLERS];

	let_all_come(s);
	assert_true(WAIT_FOR(atomic_load(&s->passed_on) == CALLERS, BOUND_MS));
	wire_link_close(s->upstream.link, WIRE_CLOSED, true);
	peer_receive(s->peer, bytes, sizeof(bytes));
	assert_true(peer_is_closed(s->peer, BOUND_MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_crowd_shares_writes, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(who_comes_alone_does_not_wait, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_was_put_off_goes_before_the_end, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
