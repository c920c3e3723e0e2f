/* Patterns of caching, part one: reading. docs/patterns.md says when to use which, and shows these functions.
 *
 *	cc patterns_read.c $(pkg-config --cflags --libs latchkey) -lpthread -o patterns && ./patterns tcp://127.0.0.1:7373
 *
 * Exits with 0 when every step did what it says. */

#include <latchkey/auth.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Where the truth is: a slow database of who may edit what, and how often it was asked ---- */

static atomic_uint asked;

static const char *database_may_edit(const char *user, const char *document)
{
	atomic_fetch_add(&asked, 1);
	if (strcmp(document, "42") != 0)
		return NULL; /* there is no such document */
	return strcmp(user, "ben") == 0 ? "no" : "yes";
}

static int failed(const char *step, const struct lk_error *error)
{
	fprintf(stderr, "%s: %s (%s)\n", step, error->message, lk_err_name(error->code));
	return EXIT_FAILURE;
}

static int expect(const char *step, bool holds)
{
	if (!holds)
		fprintf(stderr, "%s: not as expected, the database was asked %u times\n", step, atomic_load(&asked));
	return holds ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- Cache-aside, with read-through's face: callers know one function, and not what is behind it ---- */

struct question {
	const char *user;
	const char *document;
};

/* The loader: knows the database, and nothing of the cache. */
static enum lk_err load_may_edit(lk_auth_load *load, void *arg)
{
	const struct question *question = arg;
	const char *answer = database_may_edit(question->user, question->document);

	if (answer == NULL)
		return lk_auth_load_none(load);
	return lk_auth_load_found(load, lk_text(answer));
}

enum decision { UNKNOWN, ALLOWED, FORBIDDEN, NO_SUCH_DOCUMENT };

/* Read-through: the one function that the rest of the program calls. */
static enum decision may_edit(lk_client *client, const char *user, const char *document)
{
	struct question question = {user, document};
	struct lk_auth_get_request get = LK_AUTH_GET_REQUEST_INIT;
	enum decision decision = UNKNOWN; /* a failure is not a "no" */
	lk_auth_answer *answer = NULL;
	char key[64];

	snprintf(key, sizeof(key), "may:edit:%s", document);
	get.subject = lk_text(user);
	get.key = lk_text(key);
	if (lk_auth_get_or_load(client, &get, load_may_edit, &question, &answer, NULL) != LK_OK)
		return UNKNOWN;
	if (lk_auth_state_of(answer) == LK_AUTH_NEGATIVE)
		decision = NO_SUCH_DOCUMENT;
	else
		decision = strcmp(lk_auth_answer_bytes(answer).data, "yes") == 0 ? ALLOWED : FORBIDDEN;
	lk_auth_answer_free(&answer);
	return decision;
}

static int read_through(lk_client *client)
{
	unsigned before = atomic_load(&asked);

	for (int i = 0; i < 10; i++)
		if (may_edit(client, "ann", "42") != ALLOWED)
			return expect("read-through", false);
	return expect("read-through", atomic_load(&asked) == before + 1);
}

/* Cache-aside by hand: look, and whoever is given a lease loads and fills. lk_auth_get_or_load does this, and what to do
 * about WAIT, failures and a crowd besides. */
static int cache_aside(lk_client *client)
{
	struct lk_auth_lookup_request lookup = LK_AUTH_LOOKUP_REQUEST_INIT;
	struct lk_auth_fill_request fill = LK_AUTH_FILL_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_auth_answer *answer;
	bool stored = false;

	lookup.subject = fill.subject = lk_text("ben");
	lookup.key = fill.key = lk_text("may:edit:42");
	if (lk_auth_lookup(client, &lookup, &answer, &error) != LK_OK)
		return failed("cache-aside", &error);
	if (lk_auth_state_of(answer) == LK_AUTH_MISS) {
		const char *found = database_may_edit("ben", "42");

		fill.lease = lk_auth_answer_lease(answer);
		fill.answer = lk_text(found);
		fill.negative = found == NULL; /* or it would be an answer, an empty one */
		if (lk_auth_fill(client, &fill, &stored, NULL, &error) != LK_OK)
			fprintf(stderr, "not kept: %s\n", error.message); /* the answer is good all the same */
	}
	lk_auth_answer_free(&answer);
	return expect("cache-aside", stored);
}

/* ---- Negative caching: that there is none is an answer as well, kept for a shorter time ---- */

static int negative_caching(lk_client *client)
{
	unsigned before = atomic_load(&asked);

	for (int i = 0; i < 10; i++)
		if (may_edit(client, "ann", "no such document") != NO_SUCH_DOCUMENT)
			return expect("negative caching", false);
	return expect("negative caching", atomic_load(&asked) == before + 1);
}

/* ---- Stampede protection: a crowd comes for a cold key, and one of them loads ---- */

#define CROWD 32

static lk_client *shared;

static void *one_of_many(void *arg)
{
	enum decision *decision = arg;

	*decision = may_edit(shared, "carol", "42");
	return NULL;
}

static int stampede(lk_client *client)
{
	unsigned before = atomic_load(&asked);
	enum decision decisions[CROWD];
	pthread_t threads[CROWD];
	int allowed = 0;

	shared = client;
	for (int i = 0; i < CROWD; i++)
		if (pthread_create(&threads[i], NULL, one_of_many, &decisions[i]) != 0)
			abort();
	for (int i = 0; i < CROWD; i++) {
		pthread_join(threads[i], NULL);
		allowed += decisions[i] == ALLOWED;
	}
	return expect("stampede", allowed == CROWD && atomic_load(&asked) == before + 1);
}

/* ---- Refresh-ahead: loaded anew before its time is over ---- */

/* For a job that runs now and then over the keys that are always wanted. When an answer is due, or nearly, one of all
 * who ask is given a lease, loads and fills; the others have the old one meanwhile. */
static int refresh_ahead(lk_client *client, const char *user, const char *document)
{
	struct question question = {user, document};
	struct lk_auth_get_request get = LK_AUTH_GET_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_auth_answer *answer;
	char key[64];

	snprintf(key, sizeof(key), "may:edit:%s", document);
	get.subject = lk_text(user);
	get.key = lk_text(key);
	if (lk_auth_get_or_load(client, &get, load_may_edit, &question, &answer, &error) != LK_OK)
		return failed("refresh-ahead", &error);
	printf("%s until %llu ms%s\n", key, (unsigned long long)lk_auth_answer_expires_at_ms(answer),
	       lk_auth_answer_is_loaded(answer) ? ", loaded now" : "");
	lk_auth_answer_free(&answer);
	return EXIT_SUCCESS;
}

/* What an earlier run left, or the steps would not find what they say. */
static int start_anew(lk_client *client)
{
	static const char *const users[] = {"ann", "ben", "carol"};
	struct lk_auth_forget_request forget = LK_AUTH_FORGET_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;

	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
		forget.subject = lk_text(users[i]);
		if (lk_auth_forget(client, &forget, NULL, &error) != LK_OK)
			return failed("start anew", &error);
	}
	return EXIT_SUCCESS;
}

static int read_all(lk_client *client)
{
	if (start_anew(client) != EXIT_SUCCESS)
		return EXIT_FAILURE;
	if (read_through(client) != EXIT_SUCCESS || cache_aside(client) != EXIT_SUCCESS)
		return EXIT_FAILURE;
	if (negative_caching(client) != EXIT_SUCCESS || stampede(client) != EXIT_SUCCESS)
		return EXIT_FAILURE;
	return refresh_ahead(client, "ann", "42");
}

int main(int argc, char **argv)
{
	const char *const servers[] = {argc > 1 ? argv[1] : "tcp://127.0.0.1:7373"};
	struct lk_options options = LK_OPTIONS_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_client *client;
	int status;

	options.endpoints = servers;
	options.endpoint_count = 1;
	if (lk_client_open(&options, &client, &error) != LK_OK)
		return failed("open", &error);
	status = read_all(client);
	lk_client_close(&client);
	return status;
}
