/* The table of keys itself: every row is documented, in range, printed and settable. */

#include "scratch.h"

#include <ctype.h>
#include <stdlib.h>

#include "config/keys.h"

static void assert_row(const struct config_key *key, void *base, arena *memory)
{
	char wrong[KEY_MESSAGE_BYTES] = "";

	assert_non_null(key->name);
	assert_non_null(key->path);
	assert_non_null(key->doc);
	/* A sentence, or a list of what is allowed. */
	assert_true(strlen(key->doc) >= 10);
	if (key->default_text != NULL && !key_parse(key, key->default_text, memory, base, wrong))
		fail_msg("%s: its default: %s", key->path, wrong);
	if (key->type == KEY_U32) {
		assert_non_null(key->default_text);
		assert_non_null(key->unit);
		assert_true(key->min < key->max);
	}
	if (key->type == KEY_TEXT)
		assert_true(key->max > 0);
	/* A duration's unit is the end of its name. */
	if (key->unit != NULL && (strcmp(key->unit, "ms") == 0 || strcmp(key->unit, "s") == 0)) {
		char end[8];

		snprintf(end, sizeof(end), "_%s", key->unit);
		assert_string_equal(key->name + strlen(key->name) - strlen(end), end);
	}
}

static void test_rows(void **state)
{
	arena *memory = arena_new(1024, 65536);
	struct config c = {0};
	struct config_listener l = {0};
	struct config_realm realm = {0};
	struct config_class class = {0};
	struct config_tier tier = {0};

	(void)state;
	for (size_t i = 0; i < CONFIG_KEYS; i++)
		assert_row(&config_keys[i], &c, memory);
	for (size_t i = 0; i < LISTENER_KEYS; i++)
		assert_row(&listener_keys[i], &l, memory);
	for (size_t i = 0; i < REALM_KEYS; i++)
		assert_row(&realm_keys[i], &realm, memory);
	for (size_t i = 0; i < CLASS_KEYS; i++)
		assert_row(&class_keys[i], &class, memory);
	for (size_t i = 0; i < TIER_KEYS; i++)
		assert_row(&tier_keys[i], &tier, memory);
	arena_free(&memory);
}

static void test_rows_are_distinct(void **state)
{
	(void)state;
	for (size_t i = 0; i < CONFIG_KEYS; i++)
		for (size_t j = 0; j < i; j++) {
			assert_string_not_equal(config_keys[i].path, config_keys[j].path);
			assert_true(config_keys[i].offset != config_keys[j].offset);
		}
}

/* Ends of ranges are in, what lies beyond is out: for numbers and for the length of text. */
static void test_ranges(void **state)
{
	struct config c = {0};
	char wrong[KEY_MESSAGE_BYTES];
	char text[32];

	(void)state;
	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const struct config_key *key = &config_keys[i];
		arena *memory = arena_new(1024, 65536);

		if (key->type == KEY_TEXT) {
			char *longest = calloc(1, key->max + 2);

			memset(longest, 'x', key->max);
			assert_true(key_parse(key, longest, memory, &c, wrong));
			assert_string_equal(key_text(key, &c), longest);
			longest[key->max] = 'x';
			assert_false(key_parse(key, longest, memory, &c, wrong));
			assert_int_equal(key_parse(key, "", memory, &c, wrong), (key->flags & KEY_REQUIRED) == 0);
			free(longest);
		} else if (key->type == KEY_U32) {
			snprintf(text, sizeof(text), "%u", key->max);
			assert_true(key_parse(key, text, memory, &c, wrong));
			assert_int_equal(key_number(key, &c), key->max);
			snprintf(text, sizeof(text), "%llu", key->max + 1ULL);
			assert_false(key_parse(key, text, memory, &c, wrong));
			assert_int_equal(key_number(key, &c), key->max);
			snprintf(text, sizeof(text), "%lld", key->min - 1LL);
			assert_false(key_parse(key, text, memory, &c, wrong));
			snprintf(text, sizeof(text), "%u", key->min);
			assert_true(key_parse(key, text, memory, &c, wrong));
		}
		arena_free(&memory);
	}
}

static void test_words(void **state)
{
	struct config c = {0};
	const struct config_key *key = &config_keys[KEY_log_level];
	char wrong[KEY_MESSAGE_BYTES];
	enum log_level level;

	(void)state;
	for (uint32_t i = 0; key->words[i] != NULL; i++) {
		assert_true(key_parse(key, key->words[i], NULL, &c, wrong));
		assert_true(log_level_parse(key->words[i], &level));
		assert_int_equal(c.log_level, level);
	}
	assert_false(key_parse(key, "INFO", NULL, &c, wrong));
}

/* Each key with its explanation, range, default and variable. */
static void test_all_is_printed(void **state)
{
	struct config *c = load_ok(NULL, plain_environment);
	char *text = printed(c);
	char variable[KEY_ENV_BYTES];
	char line[128];

	(void)state;
	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const struct config_key *key = &config_keys[i];

		key_env_name(key->path, variable);
		if (strstr(text, variable) == NULL)
			fail_msg("%s is not printed", variable);
		snprintf(line, sizeof(line), "\n%s%s: ", key->section == NULL ? "" : "  ", key->name);
		if (strstr(text, line) == NULL)
			fail_msg("%s is not printed", key->path);
		snprintf(line, sizeof(line), "# %.20s", key->doc);
		if (strstr(text, line) == NULL)
			fail_msg("%s is not explained", key->path);
	}
	assert_non_null(strstr(text, "# 1..16 connections; default 2; LATCHKEY_REDIS_CONNECTIONS"));
	assert_non_null(strstr(text, "default info; SIGHUP reloads it; LATCHKEY_LOG_LEVEL"));
	for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
		if (at[1] == '#' || at[1] == ' ')
			assert_true(strcspn(at + 1, "\n") <= 140);
	free(text);
	config_free(&c);
}

/* Every key can be set by its variable, and only by that. */
static void test_variables(void **state)
{
	(void)state;
	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const struct config_key *key = &config_keys[i];
		char name[KEY_ENV_BYTES];
		char variable[128];
		char *environment[] = {plain_environment[0], variable, NULL};
		struct config *c;

		if (key->type != KEY_U32 || strstr(key->path, "frames_in_flight") != NULL ||
		    strstr(key->path, "calls.timeout") != NULL)
			continue;
		key_env_name(key->path, name);
		for (const char *p = name; *p != 0; p++)
			assert_true(isupper((unsigned char)*p) || *p == '_' || isdigit((unsigned char)*p));
		snprintf(variable, sizeof(variable), "%s=%u", name, key->max);
		c = load_ok(NULL, environment);
		assert_int_equal(key_number(key, c), key->max);
		config_free(&c);
	}
}

static void assert_told(const char *schema, const struct config_key *keys, size_t count)
{
	char wanted[KEY_ENV_BYTES];
	char range[64];

	for (size_t i = 0; i < count; i++) {
		snprintf(wanted, sizeof(wanted), "\"%s\": {", keys[i].name);
		assert_non_null(strstr(schema, wanted));
		if (keys[i].type != KEY_U32)
			continue;
		snprintf(range, sizeof(range), "\"minimum\": %u, \"maximum\": %u", keys[i].min, keys[i].max);
		assert_non_null(strstr(schema, range));
	}
}

/* Every key of every table, and nothing that is not closed again. That it is JSON, and that files are held against it, is
 * tests/helm's. */
static void test_schema(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int depth = 0;

	(void)state;
	assert_true(config_print_schema(out));
	assert_int_equal(fclose(out), 0);
	assert_told(text, config_keys, CONFIG_KEYS);
	assert_told(text, listener_keys, LISTENER_KEYS);
	assert_told(text, realm_keys, REALM_KEYS);
	assert_told(text, tier_keys, TIER_KEYS);
	assert_told(text, class_keys, CLASS_KEYS);
	for (size_t i = 0; i < len; i++)
		depth += text[i] == '{' ? 1 : text[i] == '}' ? -1 : 0;
	assert_int_equal(depth, 0);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),   cmocka_unit_test(test_rows_are_distinct), cmocka_unit_test(test_ranges),
	    cmocka_unit_test(test_words),  cmocka_unit_test(test_all_is_printed),    cmocka_unit_test(test_variables),
	    cmocka_unit_test(test_schema),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
