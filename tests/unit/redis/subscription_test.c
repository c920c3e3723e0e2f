#include "redis/subscription.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "peer.h"
#include "support/redis_server.h"
#include "support/wait.h"
#include "wire/link.h"
#include "wire/ticker.h"

struct scene {
	struct redis_server server;
	subscription *subscription;
	wire_ticker *ticker;

	pthread_mutex_t lock;
	unsigned began;
	unsigned ended;
	char why[256];
	char heard[1024]; /* "channel payload\n" each */
};

static void on_message(void *owner, span channel, span payload)
{
	struct scene *s = owner;
	size_t at;

	pthread_mutex_lock(&s->lock);
	at = strlen(s->heard);
	(void)snprintf(s->heard + at, sizeof(s->heard) - at, "%.*s %.*s\n", SPAN_FMT(channel), SPAN_FMT(payload));
	pthread_mutex_unlock(&s->lock);
}

static void on_began(void *owner)
{
	struct scene *s = owner;

	pthread_mutex_lock(&s->lock);
	s->began++;
	pthread_mutex_unlock(&s->lock);
}

static void on_ended(void *owner, const char *why, const char *remedy)
{
	struct scene *s = owner;

	(void)remedy;
	pthread_mutex_lock(&s->lock);
	s->ended++;
	(void)snprintf(s->why, sizeof(s->why), "%s", why);
	pthread_mutex_unlock(&s->lock);
}

static void on_tick(void *owner)
{
	subscription_tick(((struct scene *)owner)->subscription, wire_now_ms());
}

static unsigned count_of(struct scene *s, const unsigned *counter)
{
	unsigned count;

	pthread_mutex_lock(&s->lock);
	count = *counter;
	pthread_mutex_unlock(&s->lock);
	return count;
}

static bool has(struct scene *s, const char *text, const char *part)
{
	bool found;

	pthread_mutex_lock(&s->lock);
	found = strstr(text, part) != NULL;
	pthread_mutex_unlock(&s->lock);
	return found;
}

/* Text is given away to show that it is copied. */
static void subscribe(struct scene *s, const char *given_url, const char *given_user, const char *given_password)
{
	char url[256], user[32], password[32], first[] = "one", second[] = "two";

	(void)snprintf(url, sizeof(url), "%s", given_url);
	(void)snprintf(user, sizeof(user), "%s", given_user == NULL ? "" : given_user);
	(void)snprintf(password, sizeof(password), "%s", given_password == NULL ? "" : given_password);
	s->subscription = subscription_new(&(struct subscription_options){
	    .url = url,
	    .greeting.user = given_user == NULL ? NULL : user,
	    .greeting.password = given_password == NULL ? NULL : password,
	    .channels = {first, second},
	    .connect_timeout_ms = 1000,
	    .message = on_message,
	    .began = on_began,
	    .ended = on_ended,
	    .owner = s,
	});
	memset(url, 'x', sizeof(url));
	memset(user, 'x', sizeof(user));
	memset(password, 'x', sizeof(password));
	memset(first, 'x', sizeof(first));
	memset(second, 'x', sizeof(second));
	assert_non_null(s->subscription);
	s->ticker = wire_ticker_start(5, on_tick, s);
	assert_non_null(s->ticker);
}

static void unsubscribe(struct scene *s)
{
	wire_ticker_stop(&s->ticker);
	subscription_free(&s->subscription);
	assert_null(s->subscription);
	assert_true(wire_drain(BOUND_MS));
}

static void start(struct scene *s, const struct redis_server_options *options)
{
	*s = (struct scene){.lock = PTHREAD_MUTEX_INITIALIZER};
	redis_server_init(&s->server, options);
	redis_server_start(&s->server);
}

static void subscribe_to_server(struct scene *s, const char *user, const char *password)
{
	char url[64];

	(void)snprintf(url, sizeof(url), "tcp://127.0.0.1:%u", s->server.port);
	subscribe(s, url, user, password);
}

static void end(struct scene *s)
{
	unsubscribe(s);
	redis_server_remove(&s->server);
}

static long long publish(struct scene *s, const char *channel, const char *payload)
{
	redisReply *reply = redis_server_command(&s->server, "PUBLISH %s %s", channel, payload);
	long long receivers = reply->integer;

	freeReplyObject(reply);
	return receivers;
}

static void hears_its_channels(void **state)
{
	struct scene s;

	(void)state;
	start(&s, NULL);
	subscribe_to_server(&s, NULL, NULL);
	assert_becomes(count_of(&s, &s.began) == 1, BOUND_MS);
	assert_true(subscription_is_live(s.subscription));
	assert_int_equal(publish(&s, "one", "first"), 1);
	assert_int_equal(publish(&s, "other", "unheard"), 0);
	assert_int_equal(publish(&s, "two", ""), 1);
	assert_int_equal(publish(&s, "one", "last"), 1);
	assert_becomes(has(&s, s.heard, "last"), BOUND_MS);
	assert_string_equal(s.heard, "one first\ntwo \none last\n");
	assert_int_equal(count_of(&s, &s.ended), 0);
	subscription_end(s.subscription);
	assert_false(subscription_is_live(s.subscription));
	assert_becomes(subscription_has_ended(s.subscription), BOUND_MS);
	end(&s);
	assert_int_equal(s.ended, 0);
}

static void comes_back_after_a_kick(void **state)
{
	struct scene s;

	(void)state;
	start(&s, NULL);
	subscribe_to_server(&s, NULL, NULL);
	for (unsigned round = 1; round <= 3; round++) {
		char payload[32];

		assert_becomes(count_of(&s, &s.began) == round, BOUND_MS);
		(void)snprintf(payload, sizeof(payload), "message-%u", round);
		assert_int_equal(publish(&s, "two", payload), 1);
		assert_becomes(has(&s, s.heard, payload), BOUND_MS);
		freeReplyObject(redis_server_command(&s.server, "CLIENT KILL TYPE pubsub"));
		assert_becomes(count_of(&s, &s.ended) == round, BOUND_MS);
	}
	assert_becomes(count_of(&s, &s.began) == 4, BOUND_MS);
	end(&s);
}

static void comes_back_after_a_restart(void **state)
{
	struct scene s;

	(void)state;
	start(&s, &(struct redis_server_options){.user = "latchkey", .password = "pass"});
	subscribe_to_server(&s, "latchkey", "pass");
	assert_becomes(count_of(&s, &s.began) == 1, BOUND_MS);
	redis_server_kill(&s.server);
	assert_becomes(count_of(&s, &s.ended) >= 1, BOUND_MS);
	assert_false(subscription_is_live(s.subscription));
	redis_server_start(&s.server);
	assert_becomes(count_of(&s, &s.began) == 2, BOUND_MS);
	assert_int_equal(publish(&s, "one", "again"), 1);
	assert_becomes(has(&s, s.heard, "one again"), BOUND_MS);
	end(&s);
}

static void finds_out_about_a_frozen_server(void **state)
{
	struct scene s;

	(void)state;
	start(&s, NULL);
	subscribe_to_server(&s, NULL, NULL);
	assert_becomes(count_of(&s, &s.began) == 1, BOUND_MS);
	redis_server_freeze(&s.server);
	assert_becomes(count_of(&s, &s.ended) >= 1, BOUND_MS);
	redis_server_thaw(&s.server);
	assert_becomes(count_of(&s, &s.began) >= 2, BOUND_MS);
	end(&s);
}

static void says_why_it_is_refused(void **state)
{
	struct scene s;

	(void)state;
	start(&s, &(struct redis_server_options){.password = "pass"});
	subscribe_to_server(&s, NULL, NULL);
	assert_becomes(has(&s, s.why, "NOAUTH"), BOUND_MS);
	unsubscribe(&s);
	subscribe_to_server(&s, NULL, "wrong");
	assert_becomes(has(&s, s.why, "WRONGPASS"), BOUND_MS);
	unsubscribe(&s);
	assert_int_equal(s.began, 0);

	/* Greeted well and refused then: as good as no connection, also for the pauses between attempts. */
	freeReplyObject(redis_server_command(&s.server, "ACL SETUSER narrow on >pass ~* +@all resetchannels &one"));
	subscribe_to_server(&s, "narrow", "pass");
	assert_becomes(has(&s, s.why, "NOPERM"), BOUND_MS);
	/* Each attempt tells, however long that lasts: what is said meanwhile goes on being missed. */
	assert_becomes(count_of(&s, &s.ended) >= 8, BOUND_MS);
	assert_int_equal(s.began, 0);
	freeReplyObject(redis_server_command(&s.server, "ACL SETUSER narrow &two"));
	assert_becomes(count_of(&s, &s.began) == 1, BOUND_MS);
	end(&s);
}

#define SUBSCRIBED                                                                                                     \
	"*3\r\n$9\r\nsubscribe\r\n$3\r\none\r\n:1\r\n"                                                                 \
	"*3\r\n$9\r\nsubscribe\r\n$3\r\ntwo\r\n:2\r\n"

static void play(struct scene *s, struct peer *p)
{
	char url[TMPDIR_FILE_BYTES + 16];

	*s = (struct scene){.lock = PTHREAD_MUTEX_INITIALIZER};
	peer_open(p);
	(void)snprintf(url, sizeof(url), "ipc://%s", p->path);
	subscribe(s, url, NULL, NULL);
	peer_welcome(p);
	peer_expect(p, "SUBSCRIBE one two");
}

static void asks_when_nothing_comes(void **state)
{
	struct scene s;
	struct peer p;

	(void)state;
	play(&s, &p);
	peer_send(&p, SUBSCRIBED);
	for (unsigned i = 0; i < 2; i++) {
		peer_expect(&p, "PING");
		peer_send(&p, "*3\r\n$7\r\nmessage\r\n$3\r\none\r\n$2\r\nhi\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n");
	}
	assert_int_equal(count_of(&s, &s.began), 1);
	assert_int_equal(count_of(&s, &s.ended), 0);
	/* Not answered: given up, and dialed anew. */
	peer_expect(&p, "PING");
	assert_true(peer_is_closed(&p));
	assert_becomes(count_of(&s, &s.ended) == 1, BOUND_MS);
	peer_welcome(&p);
	peer_expect(&p, "SUBSCRIBE one two");
	unsubscribe(&s);
	peer_close(&p);
}

static void is_live_when_all_is_confirmed(void **state)
{
	struct scene s;
	struct peer p;

	(void)state;
	play(&s, &p);
	peer_send(&p, "*3\r\n$9\r\nsubscribe\r\n$3\r\none\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$3\r\none\r\n$2\r\nhi\r\n");
	assert_becomes(has(&s, s.heard, "one hi"), BOUND_MS);
	assert_int_equal(count_of(&s, &s.began), 0);
	assert_false(subscription_is_live(s.subscription));
	/* The second confirmation is missing. */
	assert_true(peer_is_closed(&p));
	unsubscribe(&s);
	peer_close(&p);
}

static void leaves_who_talks_nonsense(void **state)
{
	static const char *const nonsense[] = {
	    "HTTP/1.1 400 Bad Request\r\n",
	    "+OK\r\n",
	    ":1\r\n",
	    "*0\r\n",
	    "*-1\r\n",
	    "*1\r\n$7\r\nmessage\r\n",
	    "*2\r\n$7\r\nmessage\r\n$3\r\none\r\n",
	    "*3\r\n$7\r\nmessage\r\n$3\r\none\r\n:1\r\n",
	    "*3\r\n$7\r\nmessage\r\n$-1\r\n$1\r\nx\r\n",
	    "*3\r\n:1\r\n$3\r\none\r\n$1\r\nx\r\n",
	    "*3\r\n$9\r\nsubscribe\r\n$3\r\none\r\n:1\r\n",
	    "*2\r\n$4\r\npong\r\n$0\r\n\r\n",
	    "*3\r\n$11\r\nunsubscribe\r\n$3\r\none\r\n:0\r\n",
	    "-ERR\x1b[2J oh\r\n",
	};
	struct scene s;
	struct peer p;

	(void)state;
	play(&s, &p);
	for (unsigned i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
		peer_send(&p, SUBSCRIBED);
		assert_becomes(count_of(&s, &s.began) == i + 1, BOUND_MS);
		peer_send(&p, nonsense[i]);
		if (!peer_is_closed(&p))
			fail_msg("stays: %s", nonsense[i]);
		assert_becomes(count_of(&s, &s.ended) == i + 1, BOUND_MS);
		peer_welcome(&p);
		peer_expect(&p, "SUBSCRIBE one two");
	}
	assert_string_equal(s.why, "ERR?[2J oh");
	assert_string_equal(s.heard, "");
	unsubscribe(&s);
	peer_close(&p);
}

static void ends_at_any_moment(void **state)
{
	struct scene s;

	(void)state;
	start(&s, NULL);
	for (uint32_t i = 0; i < 40; i++) {
		subscribe_to_server(&s, NULL, NULL);
		nap_ms(i / 4);
		unsubscribe(&s);
	}
	subscribe(&s, "tcp://no-such-host.invalid:1", NULL, NULL);
	nap_ms(10);
	end(&s);
	subscription_free(&(subscription *){NULL});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hears_its_channels),
	    cmocka_unit_test(comes_back_after_a_kick),
	    cmocka_unit_test(comes_back_after_a_restart),
	    cmocka_unit_test(finds_out_about_a_frozen_server),
	    cmocka_unit_test(says_why_it_is_refused),
	    cmocka_unit_test(asks_when_nothing_comes),
	    cmocka_unit_test(is_live_when_all_is_confirmed),
	    cmocka_unit_test(leaves_who_talks_nonsense),
	    cmocka_unit_test(ends_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
