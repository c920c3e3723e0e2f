/* session list. All pages are fetched before the first line is printed: a failure on the way leaves no half of a list
 * that looks like a whole one, and the columns are as wide as they must be. */

#include <stdio.h>
#include <stdlib.h>

#include "report.h"
#include "text.h"
#include "verbs.h"

/* "2026-01-31T12:00:00Z" */
#define TIME_COLUMNS	   20
#define CLASS_COLUMNS_MIN  10
#define DEVICE_COLUMNS_MAX 40

struct listing {
	lk_sessions **pages;
	size_t count;
};

static void add_page(struct listing *listing, lk_sessions *page)
{
	lk_sessions **pages = reallocarray(listing->pages, listing->count + 1, sizeof(lk_sessions *));

	if (pages == NULL)
		abort();
	pages[listing->count++] = page;
	listing->pages = pages;
}

static void clear(struct listing *listing)
{
	for (size_t i = 0; i < listing->count; i++)
		lk_sessions_free(&listing->pages[i]);
	free(listing->pages);
}

static enum lk_err fetch(lk_client *client, const char *user, struct listing *to, struct lk_error *error)
{
	struct lk_session_list_request request = LK_SESSION_LIST_REQUEST_INIT;

	request.user = lk_text(user);
	do {
		lk_sessions *page;
		enum lk_err err = lk_session_list(client, &request, &page, error);

		if (err != LK_OK)
			return err;
		add_page(to, page);
		request.page_token = lk_sessions_next_page(page);
	} while (request.page_token.len > 0);
	return LK_OK;
}

/* The session at this place of the whole list; NULL beyond the last. */
static const lk_session *session_at(const struct listing *listing, size_t index)
{
	for (size_t i = 0; i < listing->count; i++) {
		size_t count = lk_sessions_count(listing->pages[i]);

		if (index < count)
			return lk_sessions_at(listing->pages[i], index);
		index -= count;
	}
	return NULL;
}

/* To the second; "-" where it is not known. */
static void print_time(uint64_t at_ms)
{
	char text[TIME_TEXT_BYTES];

	if (at_ms == 0)
		(void)printf("%-*s  ", TIME_COLUMNS, "-");
	else
		(void)printf("%.*sZ  ", TIME_COLUMNS - 1, text_of_time(at_ms, text));
}

static void print_row(const lk_session *session, int class_columns)
{
	struct lk_bytes device = lk_session_label(session);
	int printed;

	if (device.len == 0)
		device = lk_session_user_agent(session);
	if (device.len == 0)
		device = lk_session_ip(session);
	(void)printf("%-28s  ", lk_session_handle(session));
	print_time(lk_session_created_at_ms(session));
	print_time(lk_session_last_seen_at_ms(session));
	print_time(lk_session_idle_expires_at_ms(session));
	printed = text_print(stdout, lk_session_class(session), class_columns);
	(void)printf("%*s  ", class_columns - printed, "");
	(void)text_print(stdout, device, DEVICE_COLUMNS_MAX);
	(void)putchar('\n');
}

static void print_table(const struct listing *listing)
{
	int class_columns = CLASS_COLUMNS_MIN;
	const lk_session *session;

	if (session_at(listing, 0) == NULL) {
		(void)fputs("latchkey: no living session\n", stderr);
		return;
	}
	for (size_t i = 0; (session = session_at(listing, i)) != NULL; i++) {
		int columns = text_columns(lk_session_class(session));

		class_columns = columns > class_columns ? columns : class_columns;
	}
	(void)printf("%-28s  %-*s  %-*s  %-*s  %-*s  %s\n", "HANDLE", TIME_COLUMNS, "CREATED", TIME_COLUMNS,
		     "LAST SEEN", TIME_COLUMNS, "ENDS", class_columns, "CLASS", "DEVICE");
	for (size_t i = 0; (session = session_at(listing, i)) != NULL; i++)
		print_row(session, class_columns);
}

static json_t *json_of_listing(const struct listing *listing)
{
	json_t *array = json_array();
	const lk_session *session;

	for (size_t i = 0; (session = session_at(listing, i)) != NULL; i++) {
		json_t *object = json_of_session(session);

		/* Lists have no attributes: an empty object would say that there are none. */
		(void)json_object_del(object, "attributes");
		(void)json_array_append_new(array, object);
	}
	return array;
}

int verb_session_list(const struct line *line, lk_client *client)
{
	struct lk_error error = LK_ERROR_INIT;
	struct listing listing = {0};
	bool written = true;
	int status;

	if (fetch(client, line->args[0], &listing, &error) != LK_OK) {
		status = report_failure(line, &error);
		goto out;
	}
	if (line->json)
		written = json_print(json_of_listing(&listing));
	else
		print_table(&listing);
	status = say_done(written);
out:
	clear(&listing);
	return status;
}
