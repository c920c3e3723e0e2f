/* What was forgotten is never served again: not by a fill that was under way, nor after a failover. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "history.h"
#include "support/cache.h"

static void a_key_is_forgotten(void **state)
{
	struct stage *s = *state;

	load(s, "k", "yes");
	load(s, "other", "yes");
	assert_true(forget_key(s, "k"));
	assert_false(forget_key(s, "never seen"));
	assert_int_equal(look_up(s, "k").state, AUTH_MISS);
	assert_int_equal(look_up(s, "other").state, AUTH_HIT);
}

static void a_subject_is_forgotten(void **state)
{
	struct stage *s = *state;

	load(s, "a", "yes");
	load(s, "b", NULL);
	forget_subject(s, "bob");
	assert_int_equal(look_up(s, "a").state, AUTH_HIT);
	forget_subject(s, "ann");
	assert_int_equal(look_up(s, "a").state, AUTH_MISS);
	assert_int_equal(look_up(s, "b").state, AUTH_MISS);
}

static void a_fill_that_was_under_way_is_refused(void **state)
{
	struct stage *s = *state;
	const struct looked before = look_up(s, "k");
	struct looked after;

	assert_false(forget_key(s, "k"));
	assert_false(fill(s, "k", lease_of(&before), "old"));
	after = look_up(s, "k");
	assert_int_equal(after.state, AUTH_MISS);
	assert_true(after.lease_len > 0);
	forget_subject(s, "ann");
	assert_false(fill(s, "k", lease_of(&after), "old"));
	/* Nobody has to wait for the lease that was forgotten. */
	assert_int_equal(look_up(s, "k").state, AUTH_MISS);
}

/* Of a stale answer, too. */
static void a_refresh_that_was_under_way_is_refused(void **state)
{
	struct stage *s = *state;
	struct looked l;

	load(s, "k", "old");
	make_older(s, "k", CACHE_TTL_S * 1000 + 100);
	l = look_up(s, "k");
	assert_int_equal(l.state, AUTH_STALE);
	assert_true(forget_key(s, "k"));
	assert_false(fill(s, "k", lease_of(&l), "old too"));
	assert_int_equal(look_up(s, "k").state, AUTH_MISS);
}

/* A lost reply: the second run says what the first one did. */
static void forgetting_twice_says_the_same(void **state)
{
	const struct auth_forget_request req = {.subject = SPAN_LIT("ann"), .key = SPAN_LIT("k")};
	struct stage *s = *state;
	struct auth_forget_result result;
	struct plan plan;

	load(s, "k", "yes");
	assert_int_equal(auth_forget_plan(&s->world.env, &req, &plan, &s->st), STATUS_OK);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(auth_forget_answer(&s->world.env, &plan, carry_out(s, &plan), &result, &s->st),
				 STATUS_OK);
		assert_true(result.is_forgotten);
	}
}

static void logging_out_everywhere_forgets(void **state)
{
	struct stage *s = *state;
	const struct held_token one = login(s, "ann", "");
	const struct looked under_way = look_up(s, "under way");

	load(s, "k", "yes");
	assert_int_equal(end_all(s, token_of(&one), ""), 0);
	assert_int_equal(look_up(s, "k").state, AUTH_MISS);
	assert_false(fill(s, "under way", lease_of(&under_way), "old"));
	load(s, "again", "yes");
	assert_int_equal(end_all(s, SPAN_EMPTY, "remember"), 0);
	assert_int_equal(look_up(s, "again").state, AUTH_MISS);
	/* Of a user without sessions as well. */
	load(s, "once more", "yes");
	assert_int_equal(end_all(s, SPAN_EMPTY, ""), 1);
	load(s, "then", "yes");
	s->world.env.now_ms += 1000;
	assert_int_equal(end_all(s, SPAN_EMPTY, ""), 0);
	assert_int_equal(look_up(s, "then").state, AUTH_MISS);
}

/* A primary that had the answer and lost what came after. */
static void expect_redo_forgets(struct stage *s, void (*forget)(struct stage *s))
{
	char names[2][64];
	redisReply *values[2];
	struct looked l;
	size_t i;

	load(s, "k", "old");
	answer_key(s, "k", names[0]);
	epoch_key(s, "ann", names[1]);
	for (i = 0; i < 2; i++)
		values[i] = real_redis_ask(&s->redis, "GET %s", names[i]);
	s->kept_count = 0;
	forget(s);
	assert_true(s->kept_count > 0);
	flush(s);
	for (i = 0; i < 2; i++) {
		freeReplyObject(
		    real_redis_ask(&s->redis, "SET %s %b PX 60000", names[i], values[i]->str, (size_t)values[i]->len));
		freeReplyObject(values[i]);
	}
	assert_int_equal(look_up(s, "k").state, AUTH_HIT);
	for (int times = 0; times < 2; times++)
		for (i = 0; i < s->kept_count; i++)
			assert_string_equal(redo(s, i), times == 0 ? "done" : "there");
	l = look_up(s, "k");
	assert_int_equal(l.state, AUTH_MISS);
	assert_true(fill(s, "k", lease_of(&l), "new"));
}

static void forget_k(struct stage *s)
{
	assert_true(forget_key(s, "k"));
}

static void forget_ann(struct stage *s)
{
	forget_subject(s, "ann");
}

static void log_ann_out(struct stage *s)
{
	assert_int_equal(end_all(s, SPAN_EMPTY, ""), 0);
}

static void a_failover_does_not_bring_it_back(void **state)
{
	expect_redo_forgets(*state, forget_k);
	(void)cache_reset(state);
	expect_redo_forgets(*state, forget_ann);
}

/* session_bury answers for the mark that it leaves, too. */
static void a_failover_does_not_bring_it_back_after_a_logout(void **state)
{
	struct stage *s = *state;
	char name[64];
	redisReply *epoch;

	load(s, "k", "old");
	epoch_key(s, "ann", name);
	epoch = real_redis_ask(&s->redis, "GET %s", name);
	s->kept_count = 0;
	log_ann_out(s);
	assert_int_equal(s->kept_count, 1);
	freeReplyObject(real_redis_ask(&s->redis, "SET %s %b", name, epoch->str, (size_t)epoch->len));
	freeReplyObject(epoch);
	assert_int_equal(look_up(s, "k").state, AUTH_HIT);
	assert_string_equal(redo(s, 0), "there");
	assert_int_equal(look_up(s, "k").state, AUTH_MISS);
}

/* In the moment before that, instances that heard of it do not believe what they find. */
static void what_was_forgotten_is_not_believed(void **state)
{
	struct stage *s = *state;
	auth_news *news = auth_news_new();
	char name[64];
	struct looked l;

	load(s, "k", "old");
	load(s, "other", "yes");
	s->world.env.mono_ms = 1000;
	s->world.env.auth_news = news;
	answer_key(s, "k", name);
	auth_news_forget(news, span_str(name), 1000);
	assert_int_equal(look_up(s, "k").state, AUTH_HIT);
	s->world.env.is_unsettled = true;
	l = look_up(s, "k");
	assert_int_equal(l.state, AUTH_MISS);
	assert_int_equal(l.lease_len, 0);
	assert_int_equal(look_up(s, "other").state, AUTH_HIT);
	s->world.env.mono_ms = 1000 + AUTH_FORGOTTEN_MS;
	assert_int_equal(look_up(s, "k").state, AUTH_MISS);
	s->world.env.mono_ms++;
	assert_int_equal(look_up(s, "k").state, AUTH_HIT);
	epoch_key(s, "ann", name);
	auth_news_forget(news, span_str(name), s->world.env.mono_ms);
	assert_int_equal(look_up(s, "other").state, AUTH_MISS);
	auth_news_free(&news);
}

/* What is forgotten is announced, and an answer that somebody waits for. */
static void it_is_announced(void **state)
{
	struct stage *s = *state;
	const struct auth_lookup_request waiting = {.subject = SPAN_LIT("ann"), .key = SPAN_LIT("k"), .wait_ms = 1000};
	redisContext *ear = redisConnectUnix(s->redis.socket_path);
	struct looked l;
	char names[3][64];
	void *reply = NULL;

	freeReplyObject(redisCommand(ear, "SUBSCRIBE lk1:e"));
	load(s, "unheard", "nobody waits");
	l = look_up(s, "k");
	assert_true(look_up_as(s, &waiting).is_later);
	assert_true(fill(s, "k", lease_of(&l), "yes"));
	assert_true(forget_key(s, "unheard"));
	forget_subject(s, "ann");
	answer_key(s, "k", names[0]);
	answer_key(s, "unheard", names[1]);
	epoch_key(s, "ann", names[2]);
	for (int i = 0; i < 3; i++) {
		auth_news *news = auth_news_new();
		const redisReply *message;
		span text;

		assert_int_equal(redisGetReply(ear, &reply), REDIS_OK);
		message = ((redisReply *)reply)->element[2];
		text = span_of(message->str, (size_t)message->len);
		assert_true(span_eq(span_of(text.ptr + 2, text.len - 2), span_str(names[i])));
		auth_news_hear(news, text, 5);
		assert_int_equal(auth_news_count(news, auth_news_place(span_str(names[i]))), 1);
		assert_int_equal(auth_news_is_forgotten(news, span_str(names[i]), 5), i > 0);
		freeReplyObject(reply);
		auth_news_free(&news);
	}
	redisFree(ear);
}

static void limits_are_told(void **state)
{
	static const char long_text[USER_BYTES_MAX + 1];
	const span k = SPAN_LIT("k");
	const span too_long = span_of(long_text, sizeof(long_text));
	const struct auth_forget_request bad[] = {
	    {.key = k},
	    {.subject = k, .group = k},
	    {.group = k, .key = k},
	    {.subject = SPAN_EMPTY},
	    {.subject = too_long},
	    {.subject = k, .key = too_long},
	    {.group = span_of(long_text, AUTH_GROUP_BYTES_MAX + 1)},
	};
	struct stage *s = *state;
	struct plan plan;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(auth_forget_plan(&s->world.env, &bad[i], &plan, &s->st), STATUS_INVALID_ARGUMENT);
}

#define TEST(name) cmocka_unit_test_setup(name, cache_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_key_is_forgotten),
	    TEST(a_subject_is_forgotten),
	    TEST(a_fill_that_was_under_way_is_refused),
	    TEST(a_refresh_that_was_under_way_is_refused),
	    TEST(forgetting_twice_says_the_same),
	    TEST(logging_out_everywhere_forgets),
	    TEST(a_failover_does_not_bring_it_back),
	    TEST(a_failover_does_not_bring_it_back_after_a_logout),
	    TEST(what_was_forgotten_is_not_believed),
	    TEST(it_is_announced),
	    TEST(limits_are_told),
	};

	return cmocka_run_group_tests(tests, stage_start, stage_stop);
}
