/* Locks that are kept: extended by themselves, lost and told so, released; against a scripted server. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client_util.h"
#include "latchkey/lock.h"
#include "latchkey/v1/locks.pb-c.h"

#define OK LATCHKEY__V1__CODE__OK

static char owner[] = "an owner's secret";

static struct {
	bool refuses;		    /* to acquire */
	uint32_t slow_ms;	    /* an acquisition takes so long */
	atomic_bool refuses_extend; /* it is another's */
	atomic_bool is_away;
	atomic_bool is_silent; /* extensions are not answered */
	atomic_uint acquisitions;
	atomic_uint extensions;
	atomic_uint releases;
	char realm[16];
} locks;

static struct fake_server server;
static lk_client *client;

static bool is_method(const struct fake_call *call, const char *method)
{
	return call->call->method.len == strlen(method) && memcmp(call->call->method.data, method, strlen(method)) == 0;
}

static void on_acquire(const struct fake_call *call)
{
	Latchkey__V1__AcquireLockResponse response = LATCHKEY__V1__ACQUIRE_LOCK_RESPONSE__INIT;

	atomic_fetch_add(&locks.acquisitions, 1);
	nanosleep(&(struct timespec){.tv_nsec = (long)locks.slow_ms * 1000000}, NULL);
	response.has_acquired = true;
	response.acquired = !locks.refuses;
	response.has_owner = response.has_fencing_token = response.acquired;
	response.owner = (ProtobufCBinaryData){strlen(owner), (uint8_t *)owner};
	response.fencing_token = 7;
	fake_reply(call->channel, call->route, OK, NULL, &response.base, 0);
}

static void on_extend(const struct fake_call *call)
{
	Latchkey__V1__ExtendLockRequest *request =
	    latchkey__v1__extend_lock_request__unpack(NULL, call->call->body.len, call->call->body.data);
	Latchkey__V1__ExtendLockResponse response = LATCHKEY__V1__EXTEND_LOCK_RESPONSE__INIT;

	if (request->owner.len != strlen(owner) || memcmp(request->owner.data, owner, strlen(owner)) != 0)
		abort();
	memcpy(locks.realm, request->realm.data, request->realm.len);
	latchkey__v1__extend_lock_request__free_unpacked(request, NULL);
	atomic_fetch_add(&locks.extensions, 1);
	if (atomic_load(&locks.is_silent))
		return;
	if (atomic_load(&locks.is_away)) {
		fake_reply(call->channel, call->route, LATCHKEY__V1__CODE__UNAVAILABLE, "away", NULL, LONG_MS);
		return;
	}
	response.has_held = true;
	response.held = !atomic_load(&locks.refuses_extend);
	fake_reply(call->channel, call->route, OK, NULL, &response.base, 0);
}

static void serve(const struct fake_call *call)
{
	Latchkey__V1__ReleaseLockResponse released = LATCHKEY__V1__RELEASE_LOCK_RESPONSE__INIT;

	if (is_method(call, "/latchkey.v1.Locks/Acquire")) {
		on_acquire(call);
	} else if (is_method(call, "/latchkey.v1.Locks/Extend")) {
		on_extend(call);
	} else {
		atomic_fetch_add(&locks.releases, 1);
		fake_reply(call->channel, call->route, OK, NULL, &released.base, 0);
	}
}

static int open_all(void **state)
{
	(void)state;
	memset(&locks, 0, sizeof(locks));
	fake_start(&server, "tcp://127.0.0.1:0", serve, NULL);
	client = open_to(NULL, fake_url(&server), NULL);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	lk_client_close(&client);
	fake_stop(&server);
	return 0;
}

static bool comes(const atomic_uint *counter, unsigned wanted)
{
	uint64_t until_ms = now_ms() + LONG_MS;

	while (atomic_load(counter) < wanted && now_ms() < until_ms)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	return atomic_load(counter) >= wanted;
}

static atomic_uint lost;

static void note_lost(lk_lock *lock, void *arg)
{
	(void)arg;
	/* By then it is known. */
	if (lk_lock_is_held(lock))
		abort();
	atomic_fetch_add(&lost, 1);
}

static lk_lock *hold(uint32_t ttl_ms)
{
	struct lk_lock_acquire_request request = LK_LOCK_ACQUIRE_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_lock *lock = NULL;

	atomic_store(&lost, 0);
	request.realm = "shop";
	request.name = lk_text("report");
	request.ttl_ms = ttl_ms;
	if (lk_lock_hold(client, &request, note_lost, NULL, &lock, &error) != LK_OK)
		fail_msg("%s", error.message);
	return lock;
}

static void it_is_extended_until_it_is_dropped(void **state)
{
	lk_lock *lock = hold(600);

	(void)state;
	assert_non_null(lock);
	assert_int_equal(lk_lock_fencing_token(lock), 7);
	assert_true(comes(&locks.extensions, 3));
	assert_string_equal(locks.realm, "shop");
	assert_true(lk_lock_is_held(lock));
	assert_in_range(lk_lock_left_ms(lock), 1, 600);
	lk_lock_drop(&lock);
	assert_null(lock);
	assert_int_equal(locks.releases, 1);
	assert_int_equal(lost, 0);
	/* Accepts that there is none. */
	lk_lock_drop(&lock);
}

static void one_that_is_not_acquired_is_none(void **state)
{
	(void)state;
	locks.refuses = true;
	assert_null(hold(600));
	assert_int_equal(locks.releases, 0);
}

static void its_holder_is_told_what_the_server_says(void **state)
{
	lk_lock *lock = hold(600);

	(void)state;
	atomic_store(&locks.refuses_extend, true);
	assert_true(comes(&lost, 1));
	assert_false(lk_lock_is_held(lock));
	assert_int_equal(lk_lock_left_ms(lock), 0);
	lk_lock_drop(&lock);
	assert_int_equal(lost, 1);
	/* It is another's: there is nothing to release. */
	assert_int_equal(locks.releases, 0);
}

static void its_holder_is_told_when_its_time_is_over(void **state)
{
	lk_lock *lock = hold(300);

	(void)state;
	atomic_store(&locks.is_silent, true);
	assert_true(comes(&lost, 1));
	assert_false(lk_lock_is_held(lock));
	lk_lock_drop(&lock);
	assert_int_equal(lost, 1);
}

static void a_failed_extension_is_tried_again(void **state)
{
	lk_lock *lock = hold(3000);
	unsigned extensions;

	(void)state;
	atomic_store(&locks.is_away, true);
	assert_true(comes(&locks.extensions, 3));
	assert_true(lk_lock_is_held(lock));
	atomic_store(&locks.is_away, false);
	extensions = locks.extensions;
	/* Answered again: more than its first time is over by then. */
	assert_true(comes(&locks.extensions, extensions + 2));
	assert_true(lk_lock_is_held(lock));
	lk_lock_drop(&lock);
	assert_int_equal(lost, 0);
}

static void after_a_long_wait_the_whole_time_is_ahead(void **state)
{
	lk_lock *lock;

	(void)state;
	locks.slow_ms = 250;
	lock = hold(600);
	assert_non_null(lock);
	assert_true(locks.extensions >= 1);
	assert_in_range(lk_lock_left_ms(lock), 1, 600);
	lk_lock_drop(&lock);
	/* Somebody else has taken it by then. */
	atomic_store(&locks.refuses_extend, true);
	assert_null(hold(600));
	assert_int_equal(locks.releases, 2);
}

static void it_may_outlive_its_client(void **state)
{
	lk_lock *lock = hold(60000);

	(void)state;
	lk_client_close(&client);
	lk_lock_drop(&lock);
	assert_int_equal(locks.releases, 0);
	client = open_to(NULL, fake_url(&server), NULL);
}

static void failures_are_handed_on(void **state)
{
	struct lk_lock_acquire_request request = LK_LOCK_ACQUIRE_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_lock *lock = NULL;

	(void)state;
	request.struct_size = 8;
	assert_int_equal(lk_lock_hold(client, &request, NULL, NULL, &lock, &error), LK_E_INVALID_ARGUMENT);
	assert_non_null(strstr(error.message, "lk_lock_acquire_request"));
	request = (struct lk_lock_acquire_request)LK_LOCK_ACQUIRE_REQUEST_INIT;
	request.timeout_ms = LK_TIMEOUT_MS_MAX + 1;
	assert_int_equal(lk_lock_hold(client, &request, NULL, NULL, &lock, &error), LK_E_INVALID_ARGUMENT);
	assert_null(lock);
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, open_all, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENE(it_is_extended_until_it_is_dropped),
	    SCENE(one_that_is_not_acquired_is_none),
	    SCENE(its_holder_is_told_what_the_server_says),
	    SCENE(its_holder_is_told_when_its_time_is_over),
	    SCENE(a_failed_extension_is_tried_again),
	    SCENE(after_a_long_wait_the_whole_time_is_ahead),
	    SCENE(it_may_outlive_its_client),
	    SCENE(failures_are_handed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
