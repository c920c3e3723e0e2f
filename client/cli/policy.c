/* The verbs policy and keys. */

#include <inttypes.h>
#include <latchkey/admin.h>
#include <limits.h>
#include <stdio.h>

#include "report.h"
#include "text.h"
#include "verbs.h"

/* ---- policy ---- */

static json_t *json_of_policy(const lk_policy *policy)
{
	return json_pack("{s:o, s:o, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:b}", "realm",
			 json_of_message(lk_policy_realm(policy)), "class", json_of_message(lk_policy_class(policy)),
			 "idle_timeout_s", (json_int_t)lk_policy_idle_timeout_s(policy), "absolute_timeout_s",
			 (json_int_t)lk_policy_absolute_timeout_s(policy), "sessions_max",
			 (json_int_t)lk_policy_sessions_max(policy), "at_cap", lk_at_cap_name(lk_policy_at_cap(policy)),
			 "tombstone_s", (json_int_t)lk_policy_tombstone_s(policy), "touch_interval_s",
			 (json_int_t)lk_policy_touch_interval_s(policy), "grace_s",
			 (json_int_t)lk_policy_grace_s(policy), "privileged_s",
			 (json_int_t)lk_policy_privileged_s(policy), "events", lk_policy_events(policy));
}

static void print_name(const char *title, const char *name)
{
	(void)printf("%-20s", title);
	(void)text_print(stdout, lk_text(name), INT_MAX);
	(void)putchar('\n');
}

static void print_policy(const lk_policy *policy)
{
	const struct {
		const char *title;
		uint32_t value;
	} rows[] = {
	    {"idle timeout s", lk_policy_idle_timeout_s(policy)},
	    {"absolute timeout s", lk_policy_absolute_timeout_s(policy)},
	    {"sessions max", lk_policy_sessions_max(policy)},
	    {"tombstone s", lk_policy_tombstone_s(policy)},
	    {"touch interval s", lk_policy_touch_interval_s(policy)},
	    {"grace s", lk_policy_grace_s(policy)},
	    {"privileged s", lk_policy_privileged_s(policy)},
	};

	print_name("realm", lk_policy_realm(policy));
	print_name("class", lk_policy_class(policy));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		(void)printf("%-20s%" PRIu32 "\n", rows[i].title, rows[i].value);
	print_name("at the cap", lk_at_cap_name(lk_policy_at_cap(policy)));
	print_name("events", lk_policy_events(policy) ? "yes" : "no");
}

int verb_policy(const struct line *line, lk_client *client)
{
	struct lk_server_policy_request request = LK_SERVER_POLICY_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	bool written = true;
	lk_policy *policy;

	request.session_class = line->session_class;
	if (lk_server_policy(client, &request, &policy, &error) != LK_OK)
		return report_failure(line, &error);
	if (line->json)
		written = json_print(json_of_policy(policy));
	else
		print_policy(policy);
	lk_policy_free(&policy);
	return say_done(written);
}

/* ---- keys ---- */

static json_t *json_of_keys(const lk_keys *keys)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < lk_keys_count(keys); i++) {
		const lk_key *key = lk_keys_at(keys, i);

		(void)json_array_append_new(
		    rows, json_pack("{s:I, s:b, s:b, s:I, s:I, s:o, s:o}", "id", (json_int_t)lk_key_id(key), "first",
				    lk_key_is_first(key), "retired", lk_key_is_retired(key), "tokens",
				    (json_int_t)lk_key_tokens(key), "records", (json_int_t)lk_key_records(key),
				    "last_used_at", json_of_time(lk_key_last_used_at_ms(key)), "first_until",
				    json_of_time(lk_key_first_until_ms(key))));
	}
	return json_pack("{s:o, s:o}", "loaded_at", json_of_time(lk_keys_loaded_at_ms(keys)), "keys", rows);
}

static const char *time_or_dash(uint64_t at_ms, char to[static TIME_TEXT_BYTES])
{
	return at_ms > 0 ? text_of_time(at_ms, to) : "-";
}

static const char *rank_of(const lk_key *key)
{
	if (lk_key_is_retired(key))
		return "retired";
	return lk_key_is_first(key) ? "yes" : "no";
}

static void print_keys(const lk_keys *keys)
{
	char used[TIME_TEXT_BYTES], until[TIME_TEXT_BYTES];

	(void)printf("loaded %s\n%-6s  %-7s  %-10s  %-10s  %-24s  %s\n", time_or_dash(lk_keys_loaded_at_ms(keys), used),
		     "KEY", "FIRST", "TOKENS", "RECORDS", "LAST USED", "FIRST UNTIL");
	for (size_t i = 0; i < lk_keys_count(keys); i++) {
		const lk_key *key = lk_keys_at(keys, i);

		(void)printf("%-6" PRIu32 "  %-7s  %-10" PRIu64 "  %-10" PRIu64 "  %-24s  %s\n", lk_key_id(key),
			     rank_of(key), lk_key_tokens(key), lk_key_records(key),
			     time_or_dash(lk_key_last_used_at_ms(key), used),
			     time_or_dash(lk_key_first_until_ms(key), until));
	}
}

int verb_keys(const struct line *line, lk_client *client)
{
	struct lk_error error = LK_ERROR_INIT;
	bool written = true;
	lk_keys *keys;

	if (lk_server_keys(client, NULL, &keys, &error) != LK_OK)
		return report_failure(line, &error);
	if (line->json)
		written = json_print(json_of_keys(keys));
	else
		print_keys(keys);
	lk_keys_free(&keys);
	return say_done(written);
}
