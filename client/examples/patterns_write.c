/* Patterns of caching, part two: writing, and what makes a cached answer go. docs/patterns.md says when to use which, and
 * shows these functions.
 *
 *	cc patterns_write.c $(pkg-config --cflags --libs latchkey) -o patterns && ./patterns tcp://127.0.0.1:7373
 *
 * The realm must keep changes of profiles (realms.profiles.changes). Exits with 0 when every step did what it says. */

#include <latchkey/auth.h>
#include <latchkey/profile.h>
#include <latchkey/watch.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Where the truth is: a row of a database. Of each field it keeps of which version it is, and of a copy of a
 * profile's besides when that profile was created ---- */

struct row {
	char theme[32];
	uint64_t version;
	uint64_t created_at_ms;
};

static struct row database;

static void database_write(const char *theme, uint64_t version)
{
	snprintf(database.theme, sizeof(database.theme), "%s", theme);
	database.version = version;
}

static int failed(const char *step, const struct lk_error *error)
{
	fprintf(stderr, "%s: %s (%s)\n", step, error->message, lk_err_name(error->code));
	return EXIT_FAILURE;
}

static int expect(const char *step, bool holds)
{
	if (!holds)
		fprintf(stderr, "%s: not as expected\n", step);
	return holds ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The theme that the profile has; empty: none. */
static int read_theme(lk_client *client, const char *user, char theme[static 32])
{
	struct lk_profile_get_request get = LK_PROFILE_GET_REQUEST_INIT;
	struct lk_profile_field field = {0};
	struct lk_error error = LK_ERROR_INIT;
	lk_profile *profile;

	get.user = lk_text(user);
	if (lk_profile_get(client, &get, &profile, &error) != LK_OK)
		return failed("read", &error);
	theme[0] = '\0';
	if (lk_profile_field(profile, "theme", &field))
		snprintf(theme, 32, "%s", field.value.data);
	lk_profile_free(&profile);
	return EXIT_SUCCESS;
}

/* ---- Write-through: the database first, then the profile, before the user is told ---- */

static int write_through(lk_client *client, const char *user, const char *theme)
{
	struct lk_profile_put_request put = LK_PROFILE_PUT_REQUEST_INIT;
	struct lk_profile_delete_request drop = LK_PROFILE_DELETE_REQUEST_INIT;
	struct lk_profile_field field = {lk_text("theme"), lk_text(theme), 0, false};
	struct lk_error error = LK_ERROR_INIT;

	database_write(theme, database.version + 1);
	put.user = drop.user = lk_text(user);
	put.fields = &field;
	put.field_count = 1;
	if (lk_profile_put(client, &put, NULL, &error) == LK_OK)
		return EXIT_SUCCESS;
	/* The copy may be old now: better none. If even that fails, say so, and let the caller repeat the whole. */
	if (lk_profile_delete(client, &drop, NULL, &error) == LK_OK)
		return EXIT_SUCCESS;
	return failed("write-through", &error);
}

/* ---- Write-behind: the profile now, the database later, by the stream of changes ---- */

static int write_behind(lk_client *client, const char *user, const char *theme)
{
	struct lk_profile_update_request update = LK_PROFILE_UPDATE_REQUEST_INIT;
	struct lk_profile_field field = {lk_text("theme"), lk_text(theme), 0, false};
	struct lk_error error = LK_ERROR_INIT;

	update.user = lk_text(user);
	update.set = &field;
	update.set_count = 1;
	if (lk_profile_update(client, &update, NULL, NULL, &error) != LK_OK)
		return failed("write-behind", &error);
	return EXIT_SUCCESS;
}

/* One change into the database. Changes come at least once, and after a failure in another order: only what is newer
 * than what is there is written. By the field, not by the row: a late change of another field is none of an older row. */
static bool is_newer(const lk_change *change)
{
	const uint64_t created = lk_change_created_at_ms(change);

	/* A profile that was made anew is another, and its versions may begin anew. */
	if (created != database.created_at_ms)
		return created > database.created_at_ms;
	return lk_change_version(change) > database.version;
}

static void apply(const lk_change *change)
{
	const enum lk_change_kind kind = lk_change_kind_of(change);
	bool is_meant = kind == LK_CHANGE_PUT || kind == LK_CHANGE_DELETED; /* those are about all fields */
	const char *theme = "";

	for (size_t i = 0; i < lk_change_removed_count(change); i++)
		is_meant |= strcmp(lk_change_removed_at(change, i).data, "theme") == 0;
	for (size_t i = 0; i < lk_change_set_count(change); i++) {
		struct lk_profile_field field = lk_change_set_at(change, i);

		if (strcmp(field.name.data, "theme") == 0) {
			is_meant = true;
			theme = field.value.data;
		}
	}
	if (!is_meant || !is_newer(change))
		return;
	database_write(theme, lk_change_version(change));
	database.created_at_ms = lk_change_created_at_ms(change);
}

/* The worker that writes behind, in as many processes as you like: each is a consumer of one group. Returns how many
 * changes it wrote, or -1. */
static int write_what_is_behind(lk_client *client)
{
	struct lk_profile_changes_request take = LK_PROFILE_CHANGES_REQUEST_INIT;
	struct lk_profile_ack_request ack = LK_PROFILE_ACK_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	struct lk_bytes ids[64];
	lk_changes *changes;
	enum lk_err err;
	int count;

	take.group = ack.group = "database";
	take.consumer = "worker-1";
	take.changes_max = 64;
	if (lk_profile_changes(client, &take, &changes, &error) != LK_OK)
		return -failed("changes", &error);
	count = (int)lk_changes_count(changes);
	for (int i = 0; i < count; i++) {
		apply(lk_changes_at(changes, (size_t)i));
		ids[i] = lk_change_id(lk_changes_at(changes, (size_t)i));
	}
	/* Only now: what a worker dies over is handed out again, to it or to another. */
	ack.ids = ids;
	ack.id_count = (size_t)count;
	err = count > 0 ? lk_profile_ack(client, &ack, NULL, &error) : LK_OK;
	lk_changes_free(&changes);
	return err == LK_OK ? count : -failed("ack", &error);
}

/* What goes from the profile goes from the database as well. */
static int write_behind_what_went(lk_client *client, const char *user)
{
	struct lk_profile_delete_request drop = LK_PROFILE_DELETE_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	int count = 0;

	drop.user = lk_text(user);
	if (lk_profile_delete(client, &drop, NULL, &error) != LK_OK)
		return failed("delete", &error);
	while (database.theme[0] != '\0' && count >= 0)
		count = write_what_is_behind(client);
	return expect("what went", count > 0);
}

/* ---- Write-around: the database alone; the cached answer is forgotten ---- */

static int write_around(lk_client *client, const char *user, const char *theme)
{
	struct lk_auth_forget_request forget = LK_AUTH_FORGET_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;

	/* In this order: what is loaded before the write and filled after it is refused, because it was forgotten. */
	database_write(theme, database.version + 1);
	forget.subject = lk_text(user);
	forget.key = lk_text("theme");
	if (lk_auth_forget(client, &forget, NULL, &error) != LK_OK)
		return failed("write-around", &error);
	return EXIT_SUCCESS;
}

/* ---- What makes an answer go ---- */

static enum lk_err load_theme(lk_auth_load *load, void *arg)
{
	(*(int *)arg)++;
	return lk_auth_load_found(load, lk_text(database.theme));
}

/* Whether the answer was loaded just now; -1: a failure. `group` may be NULL. */
static int was_loaded(lk_client *client, const char *user, const char *key, const char *group)
{
	struct lk_auth_get_request get = LK_AUTH_GET_REQUEST_INIT;
	struct lk_bytes groups[1] = {lk_text(group)};
	struct lk_error error = LK_ERROR_INIT;
	lk_auth_answer *answer;
	int loads = 0;

	get.subject = lk_text(user);
	get.key = lk_text(key);
	get.groups = groups;
	get.group_count = group != NULL ? 1 : 0;
	if (lk_auth_get_or_load(client, &get, load_theme, &loads, &answer, &error) != LK_OK)
		return -failed("load", &error);
	lk_auth_answer_free(&answer);
	return loads;
}

/* Versioned keys: a new version has another key, and the old answers are never asked for again. Nothing is forgotten:
 * they end by themselves. */
static int versioned_key(lk_client *client, const char *user, unsigned version)
{
	char key[64];

	snprintf(key, sizeof(key), "menu:v%u", version);
	return was_loaded(client, user, key, NULL);
}

/* Tags: the answers of all users that depend on a role are forgotten at once, however many they are. */
static int forget_tag(lk_client *client, const char *group)
{
	struct lk_auth_forget_request forget = LK_AUTH_FORGET_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;

	forget.group = lk_text(group);
	if (lk_auth_forget(client, &forget, NULL, &error) != LK_OK)
		return failed("forget the group", &error);
	return EXIT_SUCCESS;
}

/* Events: what a program keeps in its own memory about sessions goes when they end. *cursor is where it went on from;
 * `kept` is that memory. */
static int follow_events(lk_client *client, lk_events **cursor, void (*drop)(const char *handle),
			 void (*drop_all)(void))
{
	struct lk_session_watch_request watch = LK_SESSION_WATCH_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_events *events;

	watch.timeout_ms = 1000;
	watch.cursor = *cursor != NULL ? lk_events_cursor(*cursor) : lk_text(NULL);
	if (lk_session_watch(client, &watch, &events, &error) != LK_OK)
		return failed("watch", &error);
	/* Some were missed, or all sessions ended: nothing of what is kept is known to be good. */
	if (lk_events_gap(events))
		drop_all();
	for (size_t i = 0; i < lk_events_count(events); i++) {
		const lk_event *event = lk_events_at(events, i);

		if (lk_event_kind_of(event) == LK_EVENT_REALM_REVOKED)
			drop_all();
		else
			drop(lk_event_handle(event));
	}
	lk_events_free(cursor);
	*cursor = events;
	return EXIT_SUCCESS;
}

/* ---- All of it ---- */

/* What an earlier run left, or the steps would not find what they say. */
static int start_anew(lk_client *client)
{
	static const char *const users[] = {"ann", "ben"};
	struct lk_auth_forget_request forget = LK_AUTH_FORGET_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;

	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
		forget.subject = lk_text(users[i]);
		if (lk_auth_forget(client, &forget, NULL, &error) != LK_OK)
			return failed("start anew", &error);
	}
	return EXIT_SUCCESS;
}

static int write_all(lk_client *client)
{
	char theme[32];
	int count = 0;

	if (start_anew(client) != EXIT_SUCCESS)
		return EXIT_FAILURE;
	if (write_through(client, "ann", "dark") != EXIT_SUCCESS || read_theme(client, "ann", theme) != EXIT_SUCCESS)
		return EXIT_FAILURE;
	if (expect("write-through", strcmp(theme, "dark") == 0 && strcmp(database.theme, "dark") == 0) != EXIT_SUCCESS)
		return EXIT_FAILURE;
	if (write_behind(client, "ann", "light") != EXIT_SUCCESS)
		return EXIT_FAILURE;
	while (strcmp(database.theme, "light") != 0 && count >= 0)
		count = write_what_is_behind(client);
	if (expect("write-behind", count > 0) != EXIT_SUCCESS)
		return EXIT_FAILURE;
	return write_behind_what_went(client, "ann");
}

static int forget_all(lk_client *client)
{
	int first = was_loaded(client, "ann", "theme", NULL);
	int second = was_loaded(client, "ann", "theme", NULL);

	if (first != 1 || second != 0)
		return expect("kept", false);
	if (write_around(client, "ann", "blue") != EXIT_SUCCESS)
		return EXIT_FAILURE;
	if (was_loaded(client, "ann", "theme", NULL) != 1)
		return expect("write-around", false);
	first = versioned_key(client, "ann", 1);
	second = versioned_key(client, "ann", 1);
	if (first != 1 || second != 0)
		return expect("versioned key", false);
	if (versioned_key(client, "ann", 2) != 1)
		return expect("the next version", false);
	if (was_loaded(client, "ann", "may", "role:editor") != 1 ||
	    was_loaded(client, "ben", "may", "role:editor") != 1)
		return expect("tagged", false);
	if (forget_tag(client, "role:editor") != EXIT_SUCCESS)
		return EXIT_FAILURE;
	if (was_loaded(client, "ann", "may", "role:editor") != 1 ||
	    was_loaded(client, "ben", "may", "role:editor") != 1)
		return expect("forget a tag", false);
	return EXIT_SUCCESS;
}

/* ---- A session ends, and what is kept about it goes ---- */

static char kept[64]; /* the handle of the one session that is kept */

static void drop(const char *handle)
{
	if (strcmp(kept, handle) == 0)
		kept[0] = '\0';
}

static void drop_all(void)
{
	kept[0] = '\0';
}

static int log_in_and_out(lk_client *client, lk_events **cursor)
{
	struct lk_session_create_request create = LK_SESSION_CREATE_REQUEST_INIT;
	struct lk_session_revoke_user_request revoke = LK_SESSION_REVOKE_USER_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_session *session;

	create.user = revoke.user = lk_text("ann");
	if (lk_session_create(client, &create, &session, &error) != LK_OK)
		return failed("log in", &error);
	/* The cursor from before, so that nothing is missed. */
	if (follow_events(client, cursor, drop, drop_all) != EXIT_SUCCESS) {
		lk_session_free(&session);
		return EXIT_FAILURE;
	}
	snprintf(kept, sizeof(kept), "%s", lk_session_handle(session));
	lk_session_free(&session);
	if (lk_session_revoke_user(client, &revoke, NULL, &error) != LK_OK)
		return failed("log out everywhere", &error);
	while (kept[0] != '\0')
		if (follow_events(client, cursor, drop, drop_all) != EXIT_SUCCESS)
			return EXIT_FAILURE;
	/* What the auth cache had about the user went with the logout, by itself. */
	return expect("logout forgets", was_loaded(client, "ann", "theme", NULL) == 1);
}

int main(int argc, char **argv)
{
	const char *const servers[] = {argc > 1 ? argv[1] : "tcp://127.0.0.1:7373"};
	struct lk_options options = LK_OPTIONS_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_events *cursor = NULL;
	lk_client *client;
	int status;

	options.endpoints = servers;
	options.endpoint_count = 1;
	if (lk_client_open(&options, &client, &error) != LK_OK)
		return failed("open", &error);
	status = write_all(client);
	if (status == EXIT_SUCCESS)
		status = forget_all(client);
	if (status == EXIT_SUCCESS)
		status = log_in_and_out(client, &cursor);
	lk_events_free(&cursor);
	lk_client_close(&client);
	return status;
}
