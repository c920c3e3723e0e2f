/* The verbs policy and keys. */

#include <inttypes.h>
#include <latchkey/admin.h>
#include <limits.h>
#include <stdio.h>

#include "report.h"
#include "text.h"
#include "verbs.h"

#define TITLE_COLUMNS 20

/* ---- policy ---- */

static json_t *json_of_tiers(const lk_policy *policy)
{
	json_t *tiers = json_array();

	for (size_t i = 0; i < lk_policy_tier_count(policy); i++)
		(void)json_array_append_new(tiers, json_pack("{s:o, s:I}", "name",
							     json_of_message(lk_policy_tier_name(policy, i)), "ttl_s",
							     (json_int_t)lk_policy_tier_ttl_s(policy, i)));
	return tiers;
}

/* By the names that the configuration has. */
static void add_realm(const lk_policy *policy, json_t *to)
{
	struct lk_realm_policy r = LK_REALM_POLICY_INIT;

	lk_policy_of_realm(policy, &r);
	(void)json_object_set_new(to, "wait_replicas", json_integer(r.wait_replicas));
	(void)json_object_set_new(to, "wait_ms", json_integer(r.wait_ms));
	(void)json_object_set_new(to, "profiles",
				  json_pack("{s:o, s:I, s:b, s:I}", "tiers", json_of_tiers(policy), "jitter_percent",
					    (json_int_t)r.profile_jitter_percent, "changes", r.profile_changes,
					    "changes_max", (json_int_t)r.profile_changes_max));
	(void)json_object_set_new(to, "visitors",
				  json_pack("{s:I, s:I}", "hour_retention_h", (json_int_t)r.visitors_hour_retention_h,
					    "day_retention_d", (json_int_t)r.visitors_day_retention_d));
	(void)json_object_set_new(to, "auth",
				  json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "ttl_s", (json_int_t)r.auth_ttl_s,
					    "negative_ttl_s", (json_int_t)r.auth_negative_ttl_s, "stale_s",
					    (json_int_t)r.auth_stale_s, "jitter_percent",
					    (json_int_t)r.auth_jitter_percent, "lease_ms", (json_int_t)r.auth_lease_ms,
					    "early_percent", (json_int_t)r.auth_early_percent));
}

static json_t *json_of_policy(const lk_policy *policy)
{
	json_t *json =
	    json_pack("{s:o, s:o, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:b}", "realm",
		      json_of_message(lk_policy_realm(policy)), "class", json_of_message(lk_policy_class(policy)),
		      "idle_timeout_s", (json_int_t)lk_policy_idle_timeout_s(policy), "absolute_timeout_s",
		      (json_int_t)lk_policy_absolute_timeout_s(policy), "sessions_max",
		      (json_int_t)lk_policy_sessions_max(policy), "at_cap", lk_at_cap_name(lk_policy_at_cap(policy)),
		      "tombstone_s", (json_int_t)lk_policy_tombstone_s(policy), "touch_interval_s",
		      (json_int_t)lk_policy_touch_interval_s(policy), "grace_s", (json_int_t)lk_policy_grace_s(policy),
		      "privileged_s", (json_int_t)lk_policy_privileged_s(policy), "events", lk_policy_events(policy));

	add_realm(policy, json);
	return json;
}

static void print_name(const char *title, const char *name)
{
	(void)printf("%-*s", TITLE_COLUMNS, title);
	(void)text_print(stdout, lk_text(name), INT_MAX);
	(void)putchar('\n');
}

struct policy_row {
	const char *title;
	uint32_t value;
};

static void print_rows(const struct policy_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)printf("%-*s%" PRIu32 "\n", TITLE_COLUMNS, rows[i].title, rows[i].value);
}
#define PRINT_ROWS(rows) print_rows((rows), sizeof(rows) / sizeof((rows)[0]))

static void print_class(const lk_policy *policy)
{
	const struct policy_row rows[] = {
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
	PRINT_ROWS(rows);
	print_name("at the cap", lk_at_cap_name(lk_policy_at_cap(policy)));
}

static void print_realm(const lk_policy *policy)
{
	struct lk_realm_policy r = LK_REALM_POLICY_INIT;

	lk_policy_of_realm(policy, &r);
	print_name("events", lk_policy_events(policy) ? "yes" : "no");
	PRINT_ROWS(((const struct policy_row[]){{"wait replicas", r.wait_replicas}, {"wait ms", r.wait_ms}}));
	for (size_t i = 0; i < lk_policy_tier_count(policy); i++) {
		(void)printf("%-*s%" PRIu32 "  ", TITLE_COLUMNS, "profile tier s", lk_policy_tier_ttl_s(policy, i));
		(void)text_print(stdout, lk_text(lk_policy_tier_name(policy, i)), INT_MAX);
		(void)putchar('\n');
	}
	print_name("profile changes", r.profile_changes ? "yes" : "no");
	PRINT_ROWS(((const struct policy_row[]){
	    {"profile jitter %", r.profile_jitter_percent},
	    {"changes max", r.profile_changes_max},
	    {"visitors hours h", r.visitors_hour_retention_h},
	    {"visitors days d", r.visitors_day_retention_d},
	    {"auth ttl s", r.auth_ttl_s},
	    {"auth negative s", r.auth_negative_ttl_s},
	    {"auth stale s", r.auth_stale_s},
	    {"auth jitter %", r.auth_jitter_percent},
	    {"auth lease ms", r.auth_lease_ms},
	    {"auth early %", r.auth_early_percent},
	}));
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
	if (line->json) {
		written = json_print(json_of_policy(policy));
	} else {
		print_class(policy);
		print_realm(policy);
	}
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
