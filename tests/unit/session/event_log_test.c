/* The log of events: its ring, what it drops as known, where it has gaps, and its cursors. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/metrics.h"
#include "session/event_log.h"

#define TAG	 "0123456789A"
#define REALM	 7
#define ELSE	 (REALM + 1)
#define READ_ALL EVENT_LOG_MAX

/* Characters of a name in base64url, whose last has spare bits. */
struct names {
	char chars[4 * NAME_CHARS];
};

static struct names name_of(unsigned n)
{
	struct names out;

	memset(out.chars, 'A', sizeof(out.chars));
	for (int i = 0; i < 8; i++)
		out.chars[NAME_CHARS - 2 - i] = (char)('A' + (n >> (4 * i) & 15));
	return out;
}

static void hear_by(event_log *l, enum session_event_kind kind, uint16_t realm, unsigned n, uint64_t at_ms,
		    uint64_t source)
{
	const struct names names = name_of(n);

	event_log_hear(l,
		       &(struct announcement){.kind = kind,
					      .realm_tag = realm,
					      .reason = kind == EVENT_REVOKED ? REASON_LOGOUT : REASON_NONE,
					      .at_ms = at_ms,
					      .tag = SPAN_LIT(TAG),
					      .names = span_of(names.chars, NAME_CHARS)},
		       source);
}

static void hear(event_log *l, uint16_t realm, unsigned n)
{
	hear_by(l, EVENT_REVOKED, realm, n, n, 1);
}

static void assert_event(const struct event *e, enum session_event_kind kind, unsigned n, uint64_t at_ms)
{
	const struct names names = name_of(n);

	assert_int_equal(e->kind, kind);
	assert_int_equal(e->at_ms, at_ms);
	assert_true(e->has_handle);
	assert_memory_equal(e->handle, TAG ".", USER_TAG_CHARS + 1);
	assert_memory_equal(e->handle + USER_TAG_CHARS + 1, names.chars, NAME_CHARS);
}

static struct event_page count_after(event_log *l, uint16_t realm, uint64_t after)
{
	struct event_page page;

	event_log_read(l, realm, after, READ_ALL, NULL, &page);
	return page;
}

/* The realm's events after that number: these and no others. */
static void expect(event_log *l, uint16_t realm, uint64_t after, bool is_gap, unsigned first, unsigned count)
{
	struct event *events = calloc(count + 1, sizeof(*events));
	struct event_page page;

	event_log_read(l, realm, after, count + 1, events, &page);
	assert_int_equal(page.is_gap, is_gap);
	assert_int_equal(page.count, count);
	for (unsigned i = 0; i < count; i++)
		assert_event(&events[i], EVENT_REVOKED, first + i, first + i);
	free(events);
}

static void realms_read_their_own(void **state)
{
	event_log *l = event_log_new();
	struct event events[2];
	struct event_page page;

	(void)state;
	assert_int_equal(event_log_newest(l), 0);
	expect(l, REALM, 0, false, 0, 0);
	hear(l, REALM, 1);
	hear(l, ELSE, 7);
	hear(l, REALM, 2);
	hear(l, REALM, 3);
	assert_int_equal(event_log_newest(l), 4);
	expect(l, REALM, 0, false, 1, 3);
	expect(l, REALM, 1, false, 2, 2);
	expect(l, ELSE, 0, false, 7, 1);
	expect(l, 99, 0, false, 0, 0);
	/* Page by page; the last event of a page is not lost, nor does it come twice. */
	event_log_read(l, REALM, 0, 2, events, &page);
	assert_int_equal(page.count, 2);
	assert_event(&events[1], EVENT_REVOKED, 2, 2);
	event_log_read(l, REALM, page.cursor, 2, events, &page);
	assert_int_equal(page.count, 1);
	assert_event(&events[0], EVENT_REVOKED, 3, 3);
	assert_int_equal(page.cursor, 4);
	event_log_free(&l);
	assert_null(l);
	event_log_free(&l);
}

static void announcements_become_events(void **state)
{
	const struct names names = name_of(1);
	struct announcement n = {.kind = EVENT_ROTATED, .realm_tag = REALM, .at_ms = 5, .tag = SPAN_LIT(TAG)};
	event_log *l = event_log_new();
	struct event events[8];
	struct event_page page;

	(void)state;
	n.names = span_of(names.chars, 2UL * NAME_CHARS);
	event_log_hear(l, &n, 1);
	n = (struct announcement){
	    .kind = EVENT_REALM_REVOKED, .realm_tag = REALM, .at_ms = 9000, .reason = REASON_REALM_REVOKED};
	n.tag = SPAN_LIT("00000000000");
	event_log_hear(l, &n, 1);
	n = (struct announcement){.kind = EVENT_EVICTED, .realm_tag = REALM, .at_ms = 6, .reason = REASON_EVICTED};
	n.tag = SPAN_LIT(TAG);
	n.names = span_of(names.chars, 2UL * NAME_CHARS);
	event_log_hear(l, &n, 1);
	event_log_read(l, REALM, 0, 8, events, &page);
	assert_int_equal(page.count, 4);
	assert_event(&events[0], EVENT_ROTATED, 1, 5);
	assert_true(events[0].has_successor);
	assert_memory_equal(events[0].successor, TAG ".AAAAAAAAAAAAAAAA", HANDLE_CHARS);
	assert_int_equal(events[1].kind, EVENT_REALM_REVOKED);
	assert_int_equal(events[1].at_ms, 9000);
	assert_false(events[1].has_handle);
	assert_event(&events[2], EVENT_EVICTED, 1, 6);
	assert_int_equal(events[2].reason, REASON_EVICTED);
	assert_false(events[2].has_successor);
	assert_event(&events[3], EVENT_EVICTED, 0, 6);
	event_log_free(&l);
}

static void what_is_no_handle_is_dropped(void **state)
{
	static const char *const bad[] = {
	    TAG "\x1b[31mAAAAAAAAAAA",
	    TAG "AAAAAAA AAAAAAAA",
	    "0123456789B"
	    "AAAAAAAAAAAAAAAA",
	    "\n123456789A"
	    "AAAAAAAAAAAAAAAA",
	};
	event_log *l = event_log_new();

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		event_log_hear(l,
			       &(struct announcement){.kind = EVENT_REVOKED,
						      .realm_tag = REALM,
						      .tag = span_of(bad[i], USER_TAG_CHARS),
						      .names = span_of(bad[i] + USER_TAG_CHARS, NAME_CHARS)},
			       1);
	assert_int_equal(event_log_newest(l), 0);
	event_log_free(&l);
}

/* ---- Duplicates ---- */

static void what_comes_again_is_dropped(void **state)
{
	const uint64_t heard = metric_get(METRIC_EVENTS_HEARD);
	const uint64_t duplicate = metric_get(METRIC_EVENTS_DUPLICATE);
	event_log *l = event_log_new();

	(void)state;
	for (uint64_t source = 1; source <= 3; source++)
		for (unsigned n = 0; n < 100; n++)
			hear_by(l, EVENT_CREATED, REALM, n, 1000, source);
	assert_int_equal(event_log_newest(l), 100);
	assert_int_equal(metric_get(METRIC_EVENTS_HEARD), heard + 100);
	assert_int_equal(metric_get(METRIC_EVENTS_DUPLICATE), duplicate + 200);
	/* A script that was carried out twice announces by the same way. */
	hear_by(l, EVENT_CREATED, REALM, 5, 1000, 1);
	assert_int_equal(event_log_newest(l), 100);
	/* Anything else about the same session is another event. */
	hear_by(l, EVENT_CREATED, REALM, 5, 1001, 2);
	hear_by(l, EVENT_REVOKED, REALM, 5, 1000, 2);
	hear_by(l, EVENT_CREATED, ELSE, 5, 1000, 2);
	assert_int_equal(event_log_newest(l), 103);
	event_log_free(&l);
}

/* Twice in a millisecond, by each of two connections in any order. */
static void two_updates_at_once_are_two(void **state)
{
	static const uint64_t orders[][4] = {{1, 1, 2, 2}, {1, 2, 1, 2}, {1, 2, 2, 1}, {2, 1, 1, 2}};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		event_log *l = event_log_new();

		for (size_t k = 0; k < 4; k++)
			hear_by(l, EVENT_UPDATED, REALM, 1, 1000, orders[i][k]);
		assert_int_equal(event_log_newest(l), 2);
		event_log_free(&l);
	}
}

/* Chains lose their entries at the far end when the ring goes round. */
static void duplicates_are_known_as_long_as_the_ring_has_them(void **state)
{
	event_log *l = event_log_new();
	unsigned seed = 1;

	(void)state;
	for (unsigned n = 0; n < 3 * EVENT_LOG_MAX; n++) {
		const unsigned back = (unsigned)rand_r(&seed) % EVENT_LOG_MAX;

		hear(l, REALM, n);
		assert_int_equal(event_log_newest(l), n + 1);
		if (back <= n)
			hear(l, REALM, n - back);
		assert_int_equal(event_log_newest(l), n + 1);
	}
	/* The one just overwritten is new again. */
	hear(l, REALM, 3 * EVENT_LOG_MAX - 1 - EVENT_LOG_MAX);
	assert_int_equal(event_log_newest(l), 3 * EVENT_LOG_MAX + 1);
	event_log_free(&l);
}

/* ---- Gaps ---- */

static void a_gap_is_told_before_what_came_after_it(void **state)
{
	const uint64_t gaps = metric_get(METRIC_EVENT_GAPS);
	event_log *l = event_log_new();
	struct event_page page;
	struct event event;

	(void)state;
	event_log_gap(l);
	event_log_gap(l);
	hear(l, REALM, 1);
	event_log_gap(l);
	hear(l, REALM, 2);
	assert_int_equal(metric_get(METRIC_EVENT_GAPS), gaps + 3);
	event_log_read(l, REALM, 0, 10, &event, &page);
	assert_true(page.is_gap);
	assert_int_equal(page.count, 1);
	assert_event(&event, EVENT_REVOKED, 1, 1);
	event_log_read(l, REALM, page.cursor, 10, &event, &page);
	assert_true(page.is_gap);
	assert_int_equal(page.count, 1);
	assert_event(&event, EVENT_REVOKED, 2, 2);
	expect(l, REALM, page.cursor, false, 0, 0);
	/* From the marks themselves on there is none. */
	expect(l, REALM, 2, false, 1, 1);
	expect(l, REALM, 4, false, 2, 1);
	/* It is everybody's. */
	expect(l, ELSE, 0, true, 0, 0);
	event_log_free(&l);
}

static void what_fell_out_is_a_gap(void **state)
{
	event_log *l = event_log_new();
	struct event_page page;

	(void)state;
	for (unsigned n = 1; n <= EVENT_LOG_MAX; n++)
		hear(l, REALM, n);
	expect(l, REALM, 0, false, 1, EVENT_LOG_MAX);
	hear(l, REALM, EVENT_LOG_MAX + 1);
	expect(l, REALM, 0, true, 2, EVENT_LOG_MAX);
	expect(l, REALM, 1, false, 2, EVENT_LOG_MAX);
	/* A number that is not yet given out was never this run's. */
	page = count_after(l, REALM, EVENT_LOG_MAX + 2);
	assert_true(page.is_gap);
	assert_int_equal(page.cursor, EVENT_LOG_MAX + 1);
	page = count_after(l, REALM, UINT64_MAX);
	assert_true(page.is_gap);
	assert_int_equal(page.cursor, EVENT_LOG_MAX + 1);
	event_log_free(&l);
}

static void a_busy_realm_is_no_gap_for_a_quiet_one(void **state)
{
	event_log *l = event_log_new();

	(void)state;
	hear(l, ELSE, 1);
	for (unsigned n = 1; n <= 2 * EVENT_LOG_MAX; n++)
		hear(l, REALM, n);
	expect(l, ELSE, 1, false, 0, 0);
	assert_int_equal(count_after(l, ELSE, 1).cursor, 2 * EVENT_LOG_MAX + 1);
	expect(l, ELSE, 0, true, 0, 0);
	/* A gap that fell out is still one. */
	event_log_gap(l);
	for (unsigned n = 1; n <= EVENT_LOG_MAX; n++)
		hear_by(l, EVENT_CREATED, REALM, n, n, 1);
	expect(l, ELSE, 2 * EVENT_LOG_MAX + 1, true, 0, 0);
	expect(l, ELSE, 2 * EVENT_LOG_MAX + 2, false, 0, 0);
	event_log_free(&l);
}

static void news_are_seen_without_the_lock(void **state)
{
	event_log *l = event_log_new();

	(void)state;
	assert_false(event_log_has_news(l, REALM, 0));
	hear(l, REALM, 1);
	assert_true(event_log_has_news(l, REALM, 0));
	assert_false(event_log_has_news(l, REALM, 1));
	assert_false(event_log_has_news(l, ELSE, 0));
	event_log_gap(l);
	assert_true(event_log_has_news(l, REALM, 1));
	assert_true(event_log_has_news(l, ELSE, 0));
	assert_false(event_log_has_news(l, ELSE, 2));
	event_log_free(&l);
}

/* ---- Cursors ---- */

#define INSTANCE "fedcba9876543210"

static void cursors_are_read_back(void **state)
{
	static const uint64_t numbers[] = {0, 1, 0x1234, UINT64_MAX};
	char instance[EVENT_INSTANCE_CHARS];
	char text[EVENT_CURSOR_CHARS];
	uint64_t number;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		event_cursor_print(INSTANCE, numbers[i], text);
		assert_true(event_cursor_parse(span_of(text, sizeof(text)), instance, &number));
		assert_int_equal(number, numbers[i]);
		assert_memory_equal(instance, INSTANCE, sizeof(instance));
	}
	assert_true(EVENT_CURSOR_CHARS <= 64);
}

static void hostile_cursors_are_none(void **state)
{
	static const char *const bad[] = {
	    INSTANCE ":0000000000000001",  INSTANCE ".000000000000000g",	INSTANCE ".000000000000000A",
	    INSTANCE ".00000000000000001", INSTANCE ".000000000000001",		"fedcba987654321x.0000000000000001",
	    INSTANCE "..000000000000001",  ".................................",
	};
	char instance[EVENT_INSTANCE_CHARS];
	char text[EVENT_CURSOR_CHARS];
	uint64_t number;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(event_cursor_parse(span_str(bad[i]), instance, &number));
	event_cursor_print(INSTANCE, 77, text);
	for (size_t len = 0; len < sizeof(text); len++) {
		char *copy = malloc(len + 1);

		memcpy(copy, text, len);
		assert_false(event_cursor_parse(span_of(copy, len), instance, &number));
		free(copy);
	}
	for (size_t at = 0; at < sizeof(text); at++) {
		const char was = text[at];

		text[at] = '\0';
		assert_false(event_cursor_parse(span_of(text, sizeof(text)), instance, &number));
		text[at] = (char)0xff;
		assert_false(event_cursor_parse(span_of(text, sizeof(text)), instance, &number));
		text[at] = was;
	}
	assert_false(event_cursor_parse(SPAN_EMPTY, instance, &number));
}

/* ---- Threads ---- */

#define WRITERS	   2
#define EACH	   20000
#define PAGE	   100
#define ALL_EVENTS ((uint64_t)WRITERS * EACH)

struct writer_thread {
	pthread_t thread;
	event_log *l;
	unsigned number;
};

static void *write_events(void *arg)
{
	struct writer_thread *w = arg;

	for (unsigned n = 0; n < EACH; n++)
		hear_by(w->l, EVENT_CREATED, REALM, 2 * n + w->number, n, w->number);
	return NULL;
}

/* Every event of each writer in its order, or a gap that owns up to what is missing. */
static uint64_t read_to_the_end(event_log *l)
{
	uint64_t next[WRITERS] = {0};
	bool may_leap[WRITERS] = {false}; /* the first of a writer behind a gap */
	struct event events[PAGE];
	struct event_page page = {0};
	uint64_t count = 0;

	while (page.cursor < ALL_EVENTS) {
		event_log_read(l, REALM, page.cursor, PAGE, events, &page);
		for (size_t i = 0; i < WRITERS; i++)
			may_leap[i] |= page.is_gap;
		for (size_t i = 0; i < page.count; i++) {
			const unsigned writer = (unsigned)(events[i].handle[HANDLE_CHARS - 2] - 'A') & 1;

			assert_true(events[i].at_ms == next[writer] ||
				    (may_leap[writer] && events[i].at_ms > next[writer]));
			next[writer] = events[i].at_ms + 1;
			may_leap[writer] = false;
		}
		count += page.count;
	}
	return count;
}

static void a_reader_keeps_up_or_is_told(void **state)
{
	struct writer_thread writers[WRITERS];
	event_log *l = event_log_new();

	(void)state;
	for (unsigned i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer_thread){.l = l, .number = i};
		assert_int_equal(pthread_create(&writers[i].thread, NULL, write_events, &writers[i]), 0);
	}
	assert_in_range(read_to_the_end(l), 1, ALL_EVENTS);
	for (unsigned i = 0; i < WRITERS; i++)
		(void)pthread_join(writers[i].thread, NULL);
	assert_int_equal(event_log_newest(l), ALL_EVENTS);
	event_log_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(realms_read_their_own),
	    cmocka_unit_test(announcements_become_events),
	    cmocka_unit_test(what_is_no_handle_is_dropped),
	    cmocka_unit_test(what_comes_again_is_dropped),
	    cmocka_unit_test(two_updates_at_once_are_two),
	    cmocka_unit_test(duplicates_are_known_as_long_as_the_ring_has_them),
	    cmocka_unit_test(a_gap_is_told_before_what_came_after_it),
	    cmocka_unit_test(what_fell_out_is_a_gap),
	    cmocka_unit_test(a_busy_realm_is_no_gap_for_a_quiet_one),
	    cmocka_unit_test(news_are_seen_without_the_lock),
	    cmocka_unit_test(cursors_are_read_back),
	    cmocka_unit_test(hostile_cursors_are_none),
	    cmocka_unit_test(a_reader_keeps_up_or_is_told),
	};

	if (!crypto_start())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
