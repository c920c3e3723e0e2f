/* The verbs of profiles. */

#include <errno.h>
#include <inttypes.h>
#include <latchkey/profile.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "input.h"
#include "report.h"
#include "text.h"
#include "usage.h"
#include "verbs.h"

/* What `profile changes` asks as, unless --consumer. */
#define CONSUMER "latchkey"
/* The wire's own limit. */
#define CHANGES_MAX 256

static json_t *json_of_fields(const lk_profile *profile)
{
	json_t *json = json_object();

	for (size_t i = 0; i < lk_profile_field_count(profile); i++) {
		struct lk_profile_field field = lk_profile_field_at(profile, i);

		json_set_named(json, field.name,
			       field.is_counter ? json_integer(field.number) : json_of_bytes(field.value));
	}
	return json;
}

static int print_version(const struct line *line, uint64_t version)
{
	if (line->json)
		return say_done(json_print(json_pack("{s:I}", "version", (json_int_t)version)));
	return say_done(printf("version %" PRIu64 "\n", version) > 0);
}

/* ---- set and unset ---- */

/* "3": strtoll passes over blanks in front, and takes nothing at all for 0. */
static bool take_number(const char *text, int64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoll(text, &end, 10);
	return strspn(text, "+-0123456789") == strlen(text) && end != text && *end == '\0' && errno == 0;
}

/* "visits=3". False, and a sentence said: it is none. */
static bool take_counter(const char *text, struct lk_profile_field *ret)
{
	const char *equals = strchr(text, '=');

	*ret = (struct lk_profile_field){.is_counter = true};
	if (equals == NULL || equals == text || !take_number(equals + 1, &ret->number)) {
		(void)usage_error("--number \"%s\": not a counter of the form K=N", text);
		return false;
	}
	ret->name = lk_bytes_of(text, (size_t)(equals - text));
	return true;
}

/* The line's values, then its counters. False, and a sentence said: one of them is none, or they are too many. */
static bool take_fields(const struct line *line, struct lk_profile_field *ret, unsigned *ret_count)
{
	struct lk_attribute given[ATTRIBUTES_MAX];
	const unsigned count = line->arg_count - 1;

	if (!take_attributes((const char *const *)&line->args[1], count, given))
		return false;
	if (count + line->number_count > ATTRIBUTES_MAX) {
		(void)usage_error("%u fields: at most %d at once", count + line->number_count, ATTRIBUTES_MAX);
		return false;
	}
	for (unsigned i = 0; i < count; i++)
		ret[i] = (struct lk_profile_field){.name = given[i].key, .value = given[i].value};
	for (unsigned i = 0; i < line->number_count; i++)
		if (!take_counter(line->numbers[i], &ret[count + i]))
			return false;
	*ret_count = count + line->number_count;
	return true;
}

static int set_all(const struct line *line, lk_client *client, const struct lk_profile_field *fields, unsigned count)
{
	struct lk_profile_put_request request = LK_PROFILE_PUT_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	uint64_t version;

	request.user = lk_text(line->args[0]);
	request.fields = fields;
	request.field_count = count;
	request.expected_version = line->expected_version;
	request.expect_none = line->expect_none;
	request.tier = line->tier;
	if (lk_profile_put(client, &request, &version, &error) != LK_OK)
		return report_failure(line, &error);
	return print_version(line, version);
}

static struct lk_profile_update_request update_of(const struct line *line)
{
	struct lk_profile_update_request request = LK_PROFILE_UPDATE_REQUEST_INIT;

	request.user = lk_text(line->args[0]);
	request.expected_version = line->expected_version;
	request.expect_none = line->expect_none;
	request.tier = line->tier;
	return request;
}

static int update(const struct line *line, lk_client *client, const struct lk_profile_update_request *request)
{
	struct lk_error error = LK_ERROR_INIT;
	uint64_t version;

	if (lk_profile_update(client, request, &version, NULL, &error) != LK_OK)
		return report_failure(line, &error);
	return print_version(line, version);
}

static int expect_one(const struct line *line)
{
	if (line->expected_version > 0 && line->expect_none)
		return usage_error(
		    "--expect does not go with --expect-none: there is such a version, or there is none");
	return EXIT_DONE;
}

int verb_profile_set(const struct line *line, lk_client *client)
{
	struct lk_profile_update_request request = update_of(line);
	struct lk_profile_field fields[ATTRIBUTES_MAX];
	unsigned count;

	if (expect_one(line) != EXIT_DONE || !take_fields(line, fields, &count))
		return EXIT_USAGE;
	if (count == 0 && !line->replace)
		return usage_error("nothing to set: give K=V, or --number K=N");
	if (line->replace)
		return set_all(line, client, fields, count);
	request.set = fields;
	request.set_count = count;
	return update(line, client, &request);
}

int verb_profile_unset(const struct line *line, lk_client *client)
{
	struct lk_profile_update_request request = update_of(line);
	struct lk_bytes names[ATTRIBUTES_MAX];

	request.remove = names;
	request.remove_count = line->arg_count - 1;
	for (size_t i = 0; i < request.remove_count; i++)
		names[i] = lk_text(line->args[1 + i]);
	return update(line, client, &request);
}

/* ---- incr ---- */

/* "visits" or "visits=3". */
static bool take_increment(const char *text, struct lk_profile_increment *ret)
{
	const char *equals = strchr(text, '=');

	*ret = (struct lk_profile_increment){.name = lk_text(text), .by = 1};
	if (equals == NULL)
		return text[0] != '\0';
	ret->name = lk_bytes_of(text, (size_t)(equals - text));
	return equals > text && take_number(equals + 1, &ret->by);
}

static bool print_counters(const lk_profile *counters)
{
	for (size_t i = 0; i < lk_profile_field_count(counters); i++) {
		struct lk_profile_field field = lk_profile_field_at(counters, i);

		(void)text_print(stdout, field.name, INT_MAX);
		(void)printf(" %" PRId64 "\n", field.number);
	}
	return ferror(stdout) == 0;
}

int verb_profile_incr(const struct line *line, lk_client *client)
{
	struct lk_profile_update_request request = update_of(line);
	struct lk_profile_increment increments[ATTRIBUTES_MAX];
	struct lk_error error = LK_ERROR_INIT;
	lk_profile *counters;
	uint64_t version;
	bool written;

	if (expect_one(line) != EXIT_DONE)
		return EXIT_USAGE;
	request.increment = increments;
	request.increment_count = line->arg_count - 1;
	for (size_t i = 0; i < request.increment_count; i++)
		if (!take_increment(line->args[1 + i], &increments[i]))
			return usage_error("\"%s\" is not a counter of the form K or K=N", line->args[1 + i]);
	if (lk_profile_update(client, &request, &version, &counters, &error) != LK_OK)
		return report_failure(line, &error);
	if (line->json)
		written = json_print(
		    json_pack("{s:I, s:o}", "version", (json_int_t)version, "counters", json_of_fields(counters)));
	else
		written = print_counters(counters);
	lk_profile_free(&counters);
	return say_done(written);
}

/* ---- get and delete ---- */

static int print_profile(const lk_profile *profile)
{
	json_t *json;

	if (!lk_profile_found(profile)) {
		(void)say_done(json_print(json_pack("{s:b}", "found", false)));
		(void)fputs("latchkey: there is no profile of this user\n", stderr);
		return EXIT_NO;
	}
	json =
	    json_pack("{s:b, s:I, s:o, s:o}", "found", true, "version", (json_int_t)lk_profile_version(profile),
		      "expires_at", json_of_time(lk_profile_expires_at_ms(profile)), "fields", json_of_fields(profile));
	return say_done(json_print(json));
}

int verb_profile_get(const struct line *line, lk_client *client)
{
	struct lk_profile_get_request request = LK_PROFILE_GET_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	struct lk_bytes names[ATTRIBUTES_MAX];
	lk_profile *profile;
	int status;

	request.user = lk_text(line->args[0]);
	request.fields = names;
	request.field_count = line->arg_count - 1;
	for (size_t i = 0; i < request.field_count; i++)
		names[i] = lk_text(line->args[1 + i]);
	if (lk_profile_get(client, &request, &profile, &error) != LK_OK)
		return report_failure(line, &error);
	status = print_profile(profile);
	lk_profile_free(&profile);
	return status;
}

int verb_profile_delete(const struct line *line, lk_client *client)
{
	struct lk_profile_delete_request request = LK_PROFILE_DELETE_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	bool deleted;

	request.user = lk_text(line->args[0]);
	request.expected_version = line->expected_version;
	if (lk_profile_delete(client, &request, &deleted, &error) != LK_OK)
		return report_failure(line, &error);
	if (line->json)
		return say_done(json_print(json_pack("{s:b}", "deleted", deleted)));
	return say_done(puts(deleted ? "deleted" : "there was none") != EOF);
}

/* ---- changes, ack and dead ---- */

static json_t *json_of_change(const lk_change *change)
{
	json_t *removed = json_array();
	json_t *set = json_object();

	for (size_t i = 0; i < lk_change_set_count(change); i++) {
		struct lk_profile_field field = lk_change_set_at(change, i);

		json_set_named(set, field.name,
			       field.is_counter ? json_integer(field.number) : json_of_bytes(field.value));
	}
	for (size_t i = 0; i < lk_change_removed_count(change); i++)
		(void)json_array_append_new(removed, json_of_bytes(lk_change_removed_at(change, i)));
	return json_pack("{s:o, s:s, s:o, s:I, s:o, s:o, s:I, s:o, s:o}", "id", json_of_bytes(lk_change_id(change)),
			 "kind", lk_change_kind_name(lk_change_kind_of(change)), "user",
			 json_of_bytes(lk_change_user(change)), "version", (json_int_t)lk_change_version(change),
			 "created_at", json_of_time(lk_change_created_at_ms(change)), "at",
			 json_of_time(lk_change_at_ms(change)), "deliveries", (json_int_t)lk_change_deliveries(change),
			 "set", set, "removed", removed);
}

/* Not what the fields hold: that is the user's, and --json has it. */
static void print_change(const lk_change *change)
{
	char at[TIME_TEXT_BYTES];

	(void)text_print(stdout, lk_change_id(change), INT_MAX);
	(void)printf(" %s %-7s ", text_of_time(lk_change_at_ms(change), at),
		     lk_change_kind_name(lk_change_kind_of(change)));
	(void)text_print(stdout, lk_change_user(change), INT_MAX);
	(void)printf(" version %" PRIu64 ", delivery %" PRIu32 ":", lk_change_version(change),
		     lk_change_deliveries(change));
	for (size_t i = 0; i < lk_change_set_count(change); i++) {
		(void)fputs(" +", stdout);
		(void)text_print(stdout, lk_change_set_at(change, i).name, INT_MAX);
	}
	for (size_t i = 0; i < lk_change_removed_count(change); i++) {
		(void)fputs(" -", stdout);
		(void)text_print(stdout, lk_change_removed_at(change, i), INT_MAX);
	}
	(void)putchar('\n');
}

static int print_changes(const struct line *line, lk_changes *changes)
{
	const size_t count = lk_changes_count(changes);
	bool written = true;

	for (size_t i = 0; i < count && written; i++) {
		json_t *json;

		if (!line->json) {
			print_change(lk_changes_at(changes, i));
			continue;
		}
		json = json_of_change(lk_changes_at(changes, i));
		written = json_dumpf(json, stdout, JSON_COMPACT) == 0 && putchar('\n') != EOF;
		json_decref(json);
	}
	if (lk_changes_died(changes) > 0)
		(void)fprintf(stderr, "latchkey: %" PRIu32 " more were put among the dead\n", lk_changes_died(changes));
	if (lk_changes_behind(changes) > 0)
		(void)fprintf(stderr, "latchkey: about %" PRIu64 " more wait for the group\n",
			      lk_changes_behind(changes));
	lk_changes_free(&changes);
	return say_done(written);
}

/* 0: the server's default. */
static int take_count(const struct line *line, uint32_t *ret)
{
	if (line->count > CHANGES_MAX)
		return usage_error("--count \"%" PRIu64 "\": at most %d at once", line->count, CHANGES_MAX);
	*ret = (uint32_t)line->count;
	return EXIT_DONE;
}

int verb_profile_changes(const struct line *line, lk_client *client)
{
	struct lk_profile_changes_request request = LK_PROFILE_CHANGES_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_changes *changes;

	if (take_count(line, &request.changes_max) != EXIT_DONE)
		return EXIT_USAGE;
	request.group = line->args[0];
	request.consumer = line->consumer != NULL ? line->consumer : CONSUMER;
	request.redeliver_ms = line->redeliver_ms;
	request.deliveries_max = line->deliveries_max;
	if (lk_profile_changes(client, &request, &changes, &error) != LK_OK)
		return report_failure(line, &error);
	return print_changes(line, changes);
}

int verb_profile_dead(const struct line *line, lk_client *client)
{
	struct lk_profile_dead_request request = LK_PROFILE_DEAD_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_changes *changes;

	if (take_count(line, &request.changes_max) != EXIT_DONE)
		return EXIT_USAGE;
	request.group = line->args[0];
	request.after = lk_text(line->after);
	if (lk_profile_dead(client, &request, &changes, &error) != LK_OK)
		return report_failure(line, &error);
	return print_changes(line, changes);
}

int verb_profile_ack(const struct line *line, lk_client *client)
{
	struct lk_profile_ack_request request = LK_PROFILE_ACK_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	struct lk_bytes ids[ATTRIBUTES_MAX];
	uint32_t acknowledged;

	request.group = line->args[0];
	request.ids = ids;
	request.id_count = line->arg_count - 1;
	for (size_t i = 0; i < request.id_count; i++)
		ids[i] = lk_text(line->args[1 + i]);
	if (lk_profile_ack(client, &request, &acknowledged, &error) != LK_OK)
		return report_failure(line, &error);
	if (line->json)
		return say_done(json_print(json_pack("{s:I}", "acknowledged", (json_int_t)acknowledged)));
	return say_done(printf("acknowledged %" PRIu32 "\n", acknowledged) > 0);
}
