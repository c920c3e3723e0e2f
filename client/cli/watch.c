/* session watch: a line for each event, until it is interrupted or has shown as many as were asked for.
 *
 * A failure before the first answer ends it. After that the server may go and come back: what fails for now is said once
 * and asked again, with the same cursor, so that nothing is lost, or what is lost is told as a gap. */

#include <errno.h>
#include <latchkey/watch.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>

#include "report.h"
#include "text.h"
#include "verbs.h"

/* Of an answer: the wire's own limit. */
#define EVENTS_MAX 500
/* After a failure, unless the server states a longer one. */
#define PAUSE_MS 1000

struct watch {
	const struct line *line;
	lk_events *last;    /* its cursor is where to go on */
	uint64_t shown;	    /* events */
	bool has_failed;    /* and that was said */
	bool is_unwritable; /* nobody reads what is printed */
};

static struct lk_bytes cursor_of(const struct watch *watch)
{
	return watch->last != NULL ? lk_events_cursor(watch->last) : lk_text(watch->line->cursor);
}

static bool print_object(json_t *object)
{
	bool written = json_dumpf(object, stdout, JSON_COMPACT) == 0 && putchar('\n') != EOF;

	json_decref(object);
	return written;
}

/* `cursor`: from there nothing that was not printed is missed. Empty: there is none yet. */
static json_t *json_of_event(const lk_event *event, struct lk_bytes cursor)
{
	json_t *object = json_pack(
	    "{s:s, s:o, s:o, s:o, s:s}", "kind", lk_event_kind_name(lk_event_kind_of(event)), "at",
	    json_of_time(lk_event_at_ms(event)), "handle", json_of_message(lk_event_handle(event)), "user_tag",
	    json_of_message(lk_event_user_tag(event)), "reason", lk_reason_name(lk_event_reason(event)));

	if (lk_event_successor(event)[0] != '\0')
		(void)json_object_set_new(object, "successor", json_of_message(lk_event_successor(event)));
	(void)json_object_set_new(object, "cursor", cursor.len > 0 ? json_of_bytes(cursor) : json_null());
	return object;
}

static void print_word(const char *word)
{
	(void)putchar(' ');
	(void)text_print(stdout, lk_text(word[0] != '\0' ? word : "-"), INT_MAX);
}

static bool print_event(const lk_event *event)
{
	char at[TIME_TEXT_BYTES];

	(void)printf("%s %-14s", text_of_time(lk_event_at_ms(event), at), lk_event_kind_name(lk_event_kind_of(event)));
	print_word(lk_event_handle(event));
	if (lk_event_reason(event) != LK_REASON_NONE)
		print_word(lk_reason_name(lk_event_reason(event)));
	if (lk_event_successor(event)[0] != '\0') {
		(void)fputs(" ->", stdout);
		print_word(lk_event_successor(event));
	}
	return putchar('\n') != EOF;
}

static bool print_gap(const struct line *line, struct lk_bytes cursor)
{
	if (!line->json)
		return puts("GAP: events were missed; read again what you keep") != EOF;
	return print_object(
	    json_pack("{s:s, s:o}", "kind", "GAP", "cursor", cursor.len > 0 ? json_of_bytes(cursor) : json_null()));
}

static bool print_events(const struct watch *watch, const lk_events *events)
{
	const size_t count = lk_events_count(events);
	bool written = true;

	/* The cursor of an answer is behind its last event: the others, and a gap, carry the one before. */
	if (lk_events_gap(events))
		written = print_gap(watch->line, count > 0 ? cursor_of(watch) : lk_events_cursor(events));
	for (size_t i = 0; i < count && written; i++) {
		const lk_event *event = lk_events_at(events, i);
		struct lk_bytes cursor = i + 1 < count ? cursor_of(watch) : lk_events_cursor(events);

		written = watch->line->json ? print_object(json_of_event(event, cursor)) : print_event(event);
	}
	/* Each answer is shown when it comes, to a pipe as well. */
	return fflush(stdout) == 0 && written;
}

static void pause_ms(uint32_t ms)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

/* Whether to go on after a failure. */
static bool bear(struct watch *watch, const struct lk_error *error)
{
	if (watch->last == NULL || !lk_err_is_retryable(error->code))
		return false;
	if (!watch->has_failed) {
		report_sentence(error);
		(void)fputs("latchkey: trying again\n", stderr);
	}
	watch->has_failed = true;
	pause_ms(error->retry_after_ms > PAUSE_MS ? error->retry_after_ms : PAUSE_MS);
	return true;
}

/* As report, in one line. */
static int fail(const struct line *line, const struct lk_error *error)
{
	if (line->json) {
		json_t *object = json_object();

		report_fields(error, object);
		(void)say_done(print_object(object));
	}
	report_sentence(error);
	return report_status(error);
}

static void take_events(struct watch *watch, lk_events *events)
{
	watch->is_unwritable = !print_events(watch, events);
	watch->shown += lk_events_count(events);
	watch->has_failed = false;
	lk_events_free(&watch->last);
	watch->last = events;
}

static uint32_t wanted(const struct watch *watch)
{
	uint64_t left = watch->line->count - watch->shown;

	return watch->line->count == 0 || left > EVENTS_MAX ? EVENTS_MAX : (uint32_t)left;
}

static bool is_over(const struct watch *watch)
{
	return watch->is_unwritable || (watch->line->count > 0 && watch->shown >= watch->line->count);
}

int verb_session_watch(const struct line *line, lk_client *client)
{
	struct lk_session_watch_request request = LK_SESSION_WATCH_REQUEST_INIT;
	struct watch watch = {.line = line};
	struct lk_error error = LK_ERROR_INIT;
	int status = EXIT_DONE;

	request.timeout_ms = line->timeout_ms;
	while (status == EXIT_DONE && !is_over(&watch)) {
		lk_events *events;

		request.cursor = cursor_of(&watch);
		request.events_max = wanted(&watch);
		if (lk_session_watch(client, &request, &events, &error) == LK_OK)
			take_events(&watch, events);
		else if (!bear(&watch, &error))
			status = fail(line, &error);
	}
	if (status == EXIT_DONE)
		status = say_done(!watch.is_unwritable);
	lk_events_free(&watch.last);
	return status;
}
