/* What a touch interval saves: sessions that are polled once a second for a minute, in realms without one and with one of
 * 5 s and of 60 s, and the commands with which Redis was written to. The minute is a real one: Redis goes by its own
 * clock. */

#include <math.h>

#include "bench/crowd.h"
#include "bench/sections.h"
#include "support/wait.h"

#define SESSIONS 50
/* The longer interval, once. */
#define POLLS 60

struct polled {
	const char *line; /* NULL: only for comparison */
	const char *realm;
	unsigned interval_s;
	struct crowd crowd;
	long long writes;
};

static long long writes_of(redisContext *c)
{
	static const char *const commands[] = {"getex", "pexpire", "set", "setrange", "append", "zadd", "del"};
	long long calls = 0;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		calls += redis_command_calls(c, commands[i]);
	return calls;
}

static void poll_all(struct bench *b, redisContext *c, struct polled *p)
{
	const long long before = writes_of(c);

	for (unsigned i = 0; i < SESSIONS; i++) {
		struct lk_session_get_request request = LK_SESSION_GET_REQUEST_INIT;
		struct lk_error error = LK_ERROR_INIT;
		enum lk_verdict verdict;

		request.realm = p->realm;
		request.token = lk_text(p->crowd.tokens[i]);
		if (lk_session_get(b->stage.client, &request, &verdict, NULL, &error) != LK_OK || verdict != LK_VALID)
			bench_die("a polled session is not valid", &error);
	}
	p->writes += writes_of(c) - before;
}

static void print_polled(struct bench *b, struct polled *p)
{
	const double gets = SESSIONS * POLLS;
	const double saved = 100 * (1 - (double)p->writes / gets);

	(void)printf("%-20s %10u %10.0f %10lld %9.1f%%\n", p->realm, p->interval_s, gets, p->writes, saved);
	if (p->line != NULL)
		report_result(&b->report, p->line, saved, NAN);
	crowd_free(&p->crowd);
}

void bench_touch(struct bench *b)
{
	struct polled polled[] = {
	    {.realm = "default"},
	    {.line = "touch-5s", .realm = REALM_POLLED_5, .interval_s = 5},
	    {.line = "touch-60s", .realm = REALM_POLLED_60, .interval_s = 60},
	};
	const size_t count = sizeof(polled) / sizeof(polled[0]);
	redisContext *c = redis_server_connect(&b->stage.redis);
	uint64_t due_us;

	for (size_t i = 0; i < count; i++)
		(void)crowd_make(b->stage.client, "poller", &(struct crowd_policy){.realm = polled[i].realm}, SESSIONS,
				 1, &polled[i].crowd);
	due_us = bench_now_us();
	for (unsigned poll = 0; poll < POLLS; poll++) {
		uint64_t now_us;

		due_us += 1000000;
		now_us = bench_now_us();
		if (now_us < due_us)
			nap_ms((uint32_t)((due_us - now_us) / 1000));
		for (size_t i = 0; i < count; i++)
			poll_all(b, c, &polled[i]);
	}
	(void)printf("%-20s %10s %10s %10s %10s\n", "polled once a second", "interval s", "gets", "writes", "saved");
	for (size_t i = 0; i < count; i++)
		print_polled(b, &polled[i]);
	redisFree(c);
}
