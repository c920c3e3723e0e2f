#include "fake_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client_util.h"

#define OK LATCHKEY__V1__CODE__OK

struct fake_cache cache;

static struct fake_server server;

static ProtobufCBinaryData bytes_of(const char *text)
{
	return (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
}

/* Under the lock. */
static Latchkey__V1__LookupAuthResponse response_now(void)
{
	Latchkey__V1__LookupAuthResponse response = LATCHKEY__V1__LOOKUP_AUTH_RESPONSE__INIT;
	bool is_leased = cache.leases && (cache.state == STATE(MISS) || cache.state == STATE(STALE));

	response.has_state = true;
	response.state = cache.state;
	response.has_answer = cache.state == STATE(HIT) || cache.state == STATE(STALE);
	response.answer = bytes_of(cache.answer);
	response.has_lease = is_leased;
	response.lease = bytes_of("lease");
	if (is_leased && cache.state == STATE(MISS))
		cache.state = STATE(WAIT);
	if (is_leased)
		cache.leases = false;
	return response;
}

void fake_cache_answer_held(void)
{
	Latchkey__V1__LookupAuthResponse response;
	unsigned count;

	pthread_mutex_lock(&server.lock);
	count = server.held_count;
	pthread_mutex_unlock(&server.lock);
	for (unsigned i = 0; i < count; i++) {
		response = response_now();
		fake_answer_held(&server, i, OK, &response.base);
	}
	fake_release_held(&server);
}

static void on_lookup(const struct fake_call *call)
{
	Latchkey__V1__LookupAuthRequest *request =
	    latchkey__v1__lookup_auth_request__unpack(NULL, call->call->body.len, call->call->body.data);
	Latchkey__V1__LookupAuthResponse response;

	cache.lookups++;
	cache.waits += request->wait_ms > 0;
	cache.lease_ms = request->lease_ms;
	if (cache.is_away) {
		fake_reply(call->channel, call->route, LATCHKEY__V1__CODE__UNAVAILABLE, "away", NULL, LONG_MS);
	} else if (cache.is_denied) {
		fake_reply(call->channel, call->route, LATCHKEY__V1__CODE__PERMISSION_DENIED, "no", NULL, 0);
	} else if (cache.state == STATE(WAIT) && request->wait_ms > 0 && cache.parks) {
		fake_hold(call);
	} else {
		response = response_now();
		fake_reply(call->channel, call->route, OK, NULL, &response.base, 0);
	}
	latchkey__v1__lookup_auth_request__free_unpacked(request, NULL);
}

static void on_fill(const struct fake_call *call)
{
	Latchkey__V1__FillAuthRequest *request =
	    latchkey__v1__fill_auth_request__unpack(NULL, call->call->body.len, call->call->body.data);
	Latchkey__V1__FillAuthResponse response = LATCHKEY__V1__FILL_AUTH_RESPONSE__INIT;

	cache.fills++;
	cache.load_ms = request->load_ms;
	cache.filled_negative = !request->has_answer;
	response.has_stored = true;
	response.stored = !cache.refuses;
	response.has_expires_at_ms = response.stored;
	response.expires_at_ms = 1700000000123;
	if (response.stored) {
		cache.state = request->has_answer ? STATE(HIT) : STATE(NEGATIVE);
		(void)snprintf(cache.answer, sizeof(cache.answer), "%.*s", (int)request->answer.len,
			       (const char *)request->answer.data);
		fake_cache_answer_held();
	}
	fake_reply(call->channel, call->route, OK, NULL, &response.base, 0);
	latchkey__v1__fill_auth_request__free_unpacked(request, NULL);
}

static bool is_method(const struct fake_call *call, const char *method)
{
	return call->call->method.len == strlen(method) && memcmp(call->call->method.data, method, strlen(method)) == 0;
}

static void serve(const struct fake_call *call)
{
	Latchkey__V1__ForgetAuthResponse forgotten = LATCHKEY__V1__FORGET_AUTH_RESPONSE__INIT;

	pthread_mutex_lock(&cache.lock);
	if (is_method(call, "/latchkey.v1.AuthCache/Lookup")) {
		on_lookup(call);
	} else if (is_method(call, "/latchkey.v1.AuthCache/Fill")) {
		on_fill(call);
	} else {
		cache.forgets++;
		cache.state = STATE(MISS);
		cache.leases = true;
		fake_reply(call->channel, call->route, OK, NULL, &forgotten.base, 0);
	}
	pthread_cond_broadcast(&cache.changed);
	pthread_mutex_unlock(&cache.lock);
}

int fake_cache_open(void **state)
{
	(void)state;
	memset(&cache, 0, sizeof(cache));
	pthread_mutex_init(&cache.lock, NULL);
	pthread_cond_init(&cache.changed, NULL);
	cache.state = STATE(MISS);
	cache.leases = true;
	cache.parks = true;
	fake_start(&server, "tcp://127.0.0.1:0", serve, NULL);
	cache.client = open_to(NULL, fake_url(&server), NULL);
	return 0;
}

int fake_cache_close(void **state)
{
	(void)state;
	fake_release_held(&server);
	lk_client_close(&cache.client);
	fake_stop(&server);
	pthread_cond_destroy(&cache.changed);
	pthread_mutex_destroy(&cache.lock);
	return 0;
}

void fake_cache_wait_for(const unsigned *counter, unsigned wanted)
{
	struct timespec until;
	int waited = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LONG_MS / 1000;
	pthread_mutex_lock(&cache.lock);
	while (*counter < wanted && waited == 0)
		waited = pthread_cond_timedwait(&cache.changed, &cache.lock, &until);
	pthread_mutex_unlock(&cache.lock);
	assert_int_equal(waited, 0);
}
