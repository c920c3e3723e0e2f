/* Realms, classes and their limits. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "crypto/names.h"
#include "world.h"

static int start(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	world_start(w);
	*state = w;
	return 0;
}

static int stop(void **state)
{
	struct world *w = *state;

	world_stop(w);
	free(w);
	return 0;
}

static void names_are_found(void **state)
{
	const struct world *w = *state;
	const struct realm *realm = realm_find(&w->realms, SPAN_EMPTY);

	assert_ptr_equal(realm, &w->realm_list[0]);
	assert_ptr_equal(realm_find(&w->realms, SPAN_LIT("default")), realm);
	assert_ptr_equal(realm_find(&w->realms, SPAN_LIT("other")), &w->realm_list[1]);
	assert_null(realm_find(&w->realms, SPAN_LIT("Default")));
	assert_null(realm_find(&w->realms, SPAN_LIT("othe")));
	assert_ptr_equal(session_class_find(realm, SPAN_EMPTY), &w->classes[0]);
	assert_ptr_equal(session_class_find(realm, SPAN_LIT("remember")), &w->classes[1]);
	assert_null(session_class_find(realm, SPAN_LIT("remembered")));
	assert_ptr_equal(session_class_by_tag(realm, w->classes[2].tag), &w->classes[2]);
	assert_null(session_class_by_tag(realm, (uint16_t)(w->classes[2].tag ^ 1)));
}

static void tags_are_what_they_were(void **state)
{
	const struct world *w = *state;

	assert_int_equal(w->realm_list[0].tag, 0x00139742);
	assert_int_equal(w->realm_list[1].tag, 0x62b65ba6);
	assert_int_equal(w->classes[0].tag, 0x87e4);
}

static void the_longest_tombstone_counts(void **state)
{
	struct world *w = *state;

	w->classes[1].policy.tombstone_s = 900;
	assert_int_equal(realm_tombstone_s(&w->realm_list[0]), 900);
	w->classes[1].policy.tombstone_s = WORLD_TOMBSTONE_S;
}

#define POLICY(idle, absolute, cap, tombstone)                                                                         \
	{                                                                                                              \
		.idle_timeout_s = (idle), .absolute_timeout_s = (absolute), .sessions_max = (cap),                     \
		.at_cap = AT_CAP_EVICT_OLDEST, .tombstone_s = (tombstone)                                              \
	}

/* One mistake each in a copy of the good policy. */
static void mistakes_are_named(void **state)
{
	static const struct session_policy good = POLICY(1800, 43200, 100, 600);
	static const struct session_policy no_idle = POLICY(0, 43200, 100, 600);
	static const struct session_policy no_absolute = POLICY(1800, 0, 100, 600);
	static const struct session_policy order = POLICY(43201, 43200, 100, 600);
	static const struct session_policy no_cap = POLICY(1800, 43200, 0, 600);
	static const struct session_policy high_cap = POLICY(1800, 43200, 10001, 600);
	static const struct session_policy no_tombstone = POLICY(1800, 43200, 100, 0);
	static const struct session_policy touched = {1800, 43200, 100, AT_CAP_EVICT_LRU, 600, 900, 300, 0};
	static const struct session_policy slow_touch = {1800, 43200, 100, AT_CAP_EVICT_LRU, 600, 901, 0, 0};
	static const struct session_policy long_grace = {1800, 43200, 100, AT_CAP_EVICT_LRU, 600, 0, 301, 0};
	static const struct {
		const char *realms[2];
		const char *classes[2];
		const struct session_policy *policy;
		const char *message; /* NULL: good */
	} cases[] = {
	    {{"a", "b"}, {"x", "y"}, &good, NULL},
	    {{"a.b_c-0", "b"}, {"x", "y"}, &good, NULL},
	    {{"a", "a"}, {"x", "y"}, &good, "realm a is there twice"},
	    {{"A", "b"}, {"x", "y"}, &good, "realm \"A\" is no name"},
	    {{"", "b"}, {"x", "y"}, &good, "is no name: 1 to 64"},
	    {{"a b", "b"}, {"x", "y"}, &good, "is no name"},
	    {{"a\n", "b"}, {"x", "y"}, &good, "\"a?\""},
	    {{"a", "b"}, {"x", "x"}, &good, "class x is there twice"},
	    {{"a", "b"}, {"x", "Y"}, &good, "class \"Y\" is no name: 1 to 32"},
	    {{"a", "b"}, {"x", "abcdefghijklmnopqrstuvwxyz0123456"}, &good, "is no name"},
	    {{"a", "b"}, {"x", "y"}, &no_idle, "a timeout is 0"},
	    {{"a", "b"}, {"x", "y"}, &no_absolute, "a timeout is 0"},
	    {{"a", "b"}, {"x", "y"}, &order, "idle_timeout_s 43201 is over absolute_timeout_s 43200"},
	    {{"a", "b"}, {"x", "y"}, &no_cap, "sessions_max 0 is not in 1..10000"},
	    {{"a", "b"}, {"x", "y"}, &high_cap, "sessions_max 10001"},
	    {{"a", "b"}, {"x", "y"}, &no_tombstone, "tombstone_s is 0"},
	    {{"a", "b"}, {"x", "y"}, &touched, NULL},
	    {{"a", "b"}, {"x", "y"}, &slow_touch, "touch_interval_s 901 is over half of idle_timeout_s 1800"},
	    {{"a", "b"}, {"x", "y"}, &long_grace, "grace_s 301 is not in 0..300"},
	};
	const struct world *w = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct session_class classes[2][2];
		struct realm list[2];
		struct realms realms = {2, list};
		struct status st = {0};

		for (int r = 0; r < 2; r++) {
			for (int c = 0; c < 2; c++)
				classes[r][c] = (struct session_class){span_str(cases[i].classes[c]), 0, good};
			list[r] = (struct realm){
			    .name = span_str(cases[i].realms[r]), .class_count = 2, .classes = classes[r]};
		}
		classes[1][1].policy = *cases[i].policy;
		if (cases[i].message == NULL) {
			assert_int_equal(realms_seal(&realms, w->keys, &st), STATUS_OK);
			continue;
		}
		assert_int_equal(realms_seal(&realms, w->keys, &st), STATUS_INVALID_ARGUMENT);
		if (strstr(st.text, cases[i].message) == NULL)
			fail_msg("case %zu: \"%s\" has no \"%s\"", i, st.text, cases[i].message);
	}
}

static void there_must_be_something(void **state)
{
	const struct world *w = *state;
	struct realm empty = {.name = SPAN_LIT("a")};
	struct realms none = {0, NULL};
	struct realms one = {1, &empty};
	struct status st;

	assert_int_equal(realms_seal(&none, w->keys, &st), STATUS_INVALID_ARGUMENT);
	assert_int_equal(realms_seal(&one, w->keys, &st), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(st.text, "no class"));
}

/* A user's index names the sessions of all classes. */
static void the_caps_of_a_realm_are_bounded_together(void **state)
{
	const struct world *w = *state;
	struct session_class classes[2] = {{SPAN_LIT("x"), 0, POLICY(1800, 43200, 10000, 600)},
					   {SPAN_LIT("y"), 0, POLICY(1800, 43200, 2500, 600)}};
	struct realm realm = {.name = SPAN_LIT("a"), .class_count = 2, .classes = classes};
	struct realms realms = {1, &realm};
	struct status st = {0};

	assert_int_equal(realms_seal(&realms, w->keys, &st), STATUS_OK);
	classes[1].policy.sessions_max++;
	assert_int_equal(realms_seal(&realms, w->keys, &st), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(st.text, "realm a: sessions_max of all classes is 12501 in sum; at most 12500. Lower"));
}

struct named_tag {
	uint32_t tag;
	char name[16];
};

static int compare_tags(const void *a, const void *b)
{
	const struct named_tag *x = a;
	const struct named_tag *y = b;

	return (x->tag > y->tag) - (x->tag < y->tag);
}

/* Of 300,000 names ten pairs meet in 32 bits, under this keyring as under any. */
static void find_pair(const struct world *w, struct named_tag *ret_a, struct named_tag *ret_b)
{
	enum { MANY = 300000 };
	struct named_tag *all = calloc(MANY, sizeof(*all));
	size_t at = 1;

	assert_non_null(all);
	for (unsigned i = 0; i < MANY; i++) {
		uint8_t bytes[REALM_TAG_BYTES];
		span name;

		(void)snprintf(all[i].name, sizeof(all[i].name), "r%u", i);
		name = span_str(all[i].name);
		name_hash(w->keys, NAME_SCOPE, &name, 1, bytes, sizeof(bytes));
		memcpy(&all[i].tag, bytes, sizeof(bytes));
	}
	qsort(all, MANY, sizeof(*all), compare_tags);
	while (at < MANY && all[at].tag != all[at - 1].tag)
		at++;
	assert_true(at < MANY);
	*ret_a = all[at - 1];
	*ret_b = all[at];
	free(all);
}

static void realms_whose_tags_meet_are_refused(void **state)
{
	const struct world *w = *state;
	struct session_class class = {SPAN_LIT("x"), 0, POLICY(1, 1, 1, 1)};
	struct named_tag pair[2];
	struct realm list[2];
	struct realms realms = {2, list};
	struct status st;

	find_pair(w, &pair[0], &pair[1]);
	for (int i = 0; i < 2; i++)
		list[i] = (struct realm){.name = span_str(pair[i].name), .class_count = 1, .classes = &class};
	assert_int_equal(realms_seal(&realms, w->keys, &st), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(st.text, "32-bit tag of another by chance; rename it"));
}

/* 16-bit tags of enough names must meet: the second of a pair is refused, not confused with the first. */
static void classes_whose_tags_meet_are_refused(void **state)
{
	enum { MANY = 2000 };
	const struct world *w = *state;
	struct session_class *list = calloc(MANY, sizeof(*list));
	char(*names)[16] = calloc(MANY, sizeof(*names));
	struct realm realm = {.name = SPAN_LIT("a"), .class_count = MANY, .classes = list};
	struct realms realms = {1, &realm};
	struct status st;

	for (int i = 0; i < MANY; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "c%d", i);
		list[i] = (struct session_class){span_str(names[i]), 0, POLICY(1, 1, 1, 1)};
	}
	assert_int_equal(realms_seal(&realms, w->keys, &st), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(st.text, "16-bit tag of another by chance; rename it"));
	free(names);
	free(list);
}

/* A thousand tenants are told apart: two of them meet once in 8,000 keyrings. */
static void as_many_realms_as_there_may_be_are_sealed(void **state)
{
	enum { MANY = 1024 };
	const struct world *w = *state;
	struct session_class class = {SPAN_LIT("x"), 0, POLICY(1, 1, 1, 1)};
	struct realm *list = calloc(MANY, sizeof(*list));
	char(*names)[24] = calloc(MANY, sizeof(*names));
	struct realms realms = {MANY, list};
	struct status st;

	for (int i = 0; i < MANY; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "tenant-%d", i);
		list[i] = (struct realm){.name = span_str(names[i]), .class_count = 1, .classes = &class};
	}
	assert_int_equal(realms_seal(&realms, w->keys, &st), STATUS_OK);
	for (uint32_t i = 0; i < MANY; i++) {
		assert_int_equal(list[i].place, i);
		assert_ptr_equal(realm_by_text(&realms, span_of(list[i].rtag, REALM_RTAG_CHARS)), &list[i]);
	}
	free(names);
	free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_found),
	    cmocka_unit_test(tags_are_what_they_were),
	    cmocka_unit_test(the_longest_tombstone_counts),
	    cmocka_unit_test(mistakes_are_named),
	    cmocka_unit_test(the_caps_of_a_realm_are_bounded_together),
	    cmocka_unit_test(there_must_be_something),
	    cmocka_unit_test(realms_whose_tags_meet_are_refused),
	    cmocka_unit_test(classes_whose_tags_meet_are_refused),
	    cmocka_unit_test(as_many_realms_as_there_may_be_are_sealed),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
