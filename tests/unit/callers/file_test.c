/* Credentials, the file of callers and roles, and what it lets whom call. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "callers/callers.h"
#include "credential/credential.h"

#define TEXT_BYTES 4096

struct made {
	char text[CREDENTIAL_CHARS_MAX + 1];
	char hash[CREDENTIAL_HASH_CHARS + 1];
};

static struct made make(const char *id)
{
	struct made m;

	assert_true(credential_new(id, m.text, m.hash));
	return m;
}

static callers *read_good(const char *text)
{
	callers *c = NULL;
	struct status st;

	if (callers_read("file", span_str(text), &c, &st) != STATUS_OK)
		fail_msg("%s", st.text);
	return c;
}

/* One caller, "web", with the grants that the lines in front give to role r. */
static callers *with_grants(const char *lines, const struct made *m)
{
	char text[TEXT_BYTES];

	(void)snprintf(text, sizeof(text), "%scaller web %s r\n", lines, m->hash);
	return read_good(text);
}

static void test_a_hash_has_one_spelling(void **state)
{
	const struct made m = make("web");
	uint8_t hash[CREDENTIAL_HASH_BYTES];
	size_t id_len;

	(void)state;
	assert_true(credential_hash_read(m.hash, CREDENTIAL_HASH_CHARS, hash));
	for (unsigned c = 0x80; c <= 0xff; c++) {
		struct made other = m;

		other.hash[5] = (char)c;
		other.text[strlen(m.text) - 5] = (char)c;
		assert_false(credential_hash_read(other.hash, CREDENTIAL_HASH_CHARS, hash));
		assert_false(credential_read(other.text, strlen(other.text), &id_len, hash));
	}
}

static void test_a_credential_is_its_own_only(void **state)
{
	const struct made a = make("web"), b = make("web");
	uint8_t of_a[CREDENTIAL_HASH_BYTES], of_b[CREDENTIAL_HASH_BYTES], kept[CREDENTIAL_HASH_BYTES];
	size_t id_len = 0;

	(void)state;
	assert_true(credential_read(a.text, strlen(a.text), &id_len, of_a));
	assert_int_equal(id_len, 3);
	assert_true(credential_read(b.text, strlen(b.text), &id_len, of_b));
	assert_true(credential_hash_read(a.hash, strlen(a.hash), kept));
	assert_true(credential_hash_eq(of_a, kept));
	assert_false(credential_hash_eq(of_b, kept));
}

static void test_what_is_no_credential(void **state)
{
	const struct made m = make("web");
	uint8_t hash[CREDENTIAL_HASH_BYTES];
	char text[CREDENTIAL_CHARS_MAX + 2];
	size_t id_len;

	(void)state;
	for (size_t len = 0; len < strlen(m.text); len++)
		assert_false(credential_read(m.text, len, &id_len, hash));
	(void)snprintf(text, sizeof(text), "%s", m.text);
	text[0] = 'W';
	assert_false(credential_read(text, strlen(text), &id_len, hash));
	text[0] = 'w';
	text[3] = ':';
	assert_false(credential_read(text, strlen(text), &id_len, hash));
	text[3] = '.';
	text[10] = '=';
	assert_false(credential_read(text, strlen(text), &id_len, hash));
	assert_false(credential_id_is_valid("", 0));
	assert_false(credential_id_is_valid("a.b", 3));
	assert_false(credential_id_is_valid("123456789012345678901234567890123", 33));
}

static void test_found_by_its_credential_alone(void **state)
{
	const struct made web = make("web"), other = make("web"), stranger = make("stranger");
	callers *c = with_grants("role r * *\n", &web);
	const struct caller *found = callers_find(c, span_str(web.text));

	(void)state;
	assert_non_null(found);
	assert_true(span_eq(caller_id(found), SPAN_LIT("web")));
	assert_null(callers_find(c, span_str(other.text)));
	assert_null(callers_find(c, span_str(stranger.text)));
	assert_null(callers_find(c, span_str("web")));
	assert_null(callers_find(c, SPAN_EMPTY));
	callers_release(&c);
}

static void test_every_single_caller_is_found(void **state)
{
	enum { MANY = 100 };
	struct made all[MANY];
	char *text = calloc(MANY, 200);
	size_t len = (size_t)sprintf(text, "role r * *\n");
	callers *c;

	(void)state;
	for (int i = 0; i < MANY; i++) {
		char id[16];

		(void)snprintf(id, sizeof(id), "c%d", i * 37 % MANY);
		all[i] = make(id);
		len += (size_t)sprintf(text + len, "caller %s %s r\n", id, all[i].hash);
	}
	c = read_good(text);
	assert_int_equal(callers_count(c), MANY);
	for (int i = 0; i < MANY; i++)
		assert_non_null(callers_find(c, span_str(all[i].text)));
	callers_release(&c);
	free(text);
}

static bool may(const callers *c, const struct made *m, const char *method, const char *realm)
{
	const struct caller *who = callers_find(c, span_str(m->text));

	assert_non_null(who);
	return caller_may_call_in(who, span_str(method), span_str(realm));
}

static void test_methods_and_realms_are_granted_together(void **state)
{
	const struct made m = make("web");
	callers *c = with_grants("# comment\n\n"
				 "role r /p.A/* one\n"
				 "role\tr  /p.B/Get,/p.B/Put two,three\r\n"
				 "role q * *\n",
				 &m);
	const struct caller *who = callers_find(c, span_str(m.text));

	(void)state;
	assert_true(may(c, &m, "/p.A/Get", "one"));
	assert_true(may(c, &m, "/p.A/", "one"));
	assert_false(may(c, &m, "/p.AA/Get", "one"));
	assert_false(may(c, &m, "/p.A/Get", "two"));
	assert_true(may(c, &m, "/p.B/Get", "two"));
	assert_true(may(c, &m, "/p.B/Put", "three"));
	assert_false(may(c, &m, "/p.B/GetMany", "two"));
	assert_false(may(c, &m, "/p.B/Get", "one"));
	assert_false(may(c, &m, "/p.B/Get", "*"));
	assert_false(may(c, &m, "/p.C/Get", "two"));
	assert_true(caller_may_call(who, SPAN_LIT("/p.B/Get")));
	assert_false(caller_may_call(who, SPAN_LIT("/p.C/Get")));
	assert_true(caller_knows_realm(who, SPAN_LIT("three")));
	assert_false(caller_knows_realm(who, SPAN_LIT("four")));
	callers_release(&c);
}

static void test_all_means_all(void **state)
{
	const struct made m = make("web");
	callers *c = with_grants("role r * *\n", &m);

	(void)state;
	assert_true(may(c, &m, "/p.A/Get", "whatever"));
	callers_release(&c);
}

static void test_mistakes_are_named_with_their_line(void **state)
{
	const struct made m = make("web");
	char again[TEXT_BYTES], unknown_role[TEXT_BYTES];
	const struct {
		const char *text;
		const char *said;
	} cases[] = {
	    {"", "names no caller"},
	    {"role r * *\n", "names no caller"},
	    {"roles r * *\n", "line 1: a line starts with role or caller"},
	    {"# x\nrole r *\n", "line 2: a role's line is"},
	    {"role r * * *\n", "line 1: a role's line is"},
	    {"role R * *\n", "line 1: a role's name"},
	    {"role r /p.A/** *\n", "line 1: a method is"},
	    {"role r /p.*/Get *\n", "line 1: a method is"},
	    {"role r p.A/Get *\n", "line 1: a method is"},
	    {"role r /p.A/Get,,/p.A/Put *\n", "line 1: a method is"},
	    {"role r /p.A/Get, *\n", "line 1: a method is"},
	    {"role r * a,\n", "line 1: a realm is"},
	    {"role r * a*\n", "line 1: a realm is"},
	    {"role r * *\ncaller web short r\n", "line 2: a credential's hash"},
	    {"role r * *\ncaller WEB x r\n", "line 2: a caller's id"},
	    {"role r * *\ncaller web\n", "line 2: a caller's line is"},
	    {unknown_role, "line 2: names a role that no line above"},
	    {again, "line 3: a second line for the same caller"},
	};

	(void)state;
	(void)snprintf(unknown_role, sizeof(unknown_role), "role r * *\ncaller web %s s\n", m.hash);
	(void)snprintf(again, sizeof(again), "role r * *\ncaller web %s r\ncaller web %s r\n", m.hash, m.hash);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		callers *c = NULL;
		struct status st;

		assert_int_equal(callers_read("file", span_str(cases[i].text), &c, &st), STATUS_INVALID_ARGUMENT);
		assert_null(c);
		if (strstr(st.text, cases[i].said) == NULL)
			fail_msg("case %zu: %s", i, st.text);
	}
}

static void test_files_are_looked_at_first(void **state)
{
	const struct made m = make("web");
	char path[] = "/tmp/lk-callers-XXXXXX";
	const int fd = mkstemp(path);
	callers *c = NULL;
	struct status st;

	(void)state;
	assert_true(fd >= 0);
	assert_true(dprintf(fd, "role r * *\ncaller web %s r\n", m.hash) > 0);
	assert_int_equal(callers_load(path, &c, &st), STATUS_OK);
	callers_release(&c);
	assert_int_equal(fchmod(fd, 0660), 0);
	assert_int_equal(callers_load(path, &c, &st), STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(st.text, "chmod go-w"));
	assert_int_equal(fchmod(fd, 0644), 0);
	assert_int_equal(ftruncate(fd, CALLERS_FILE_BYTES_MAX + 1), 0);
	assert_int_equal(callers_load(path, &c, &st), STATUS_INVALID_ARGUMENT);
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(callers_load(path, &c, &st), STATUS_INVALID_ARGUMENT);
	assert_int_equal(callers_load("/tmp", &c, &st), STATUS_INVALID_ARGUMENT);
	assert_null(c);
}

static void test_as_many_as_there_may_be(void **state)
{
	char *text = calloc(CALLERS_GRANTS_MAX + 1, 16);
	size_t len = 0;
	callers *c = NULL;
	struct status st;

	(void)state;
	for (int i = 0; i <= CALLERS_GRANTS_MAX; i++)
		len += (size_t)sprintf(text + len, "role r * *\n");
	assert_int_equal(callers_read("file", span_of(text, len), &c, &st), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(st.text, "line 1025"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_hash_has_one_spelling),
	    cmocka_unit_test(test_a_credential_is_its_own_only),
	    cmocka_unit_test(test_what_is_no_credential),
	    cmocka_unit_test(test_found_by_its_credential_alone),
	    cmocka_unit_test(test_every_single_caller_is_found),
	    cmocka_unit_test(test_methods_and_realms_are_granted_together),
	    cmocka_unit_test(test_all_means_all),
	    cmocka_unit_test(test_mistakes_are_named_with_their_line),
	    cmocka_unit_test(test_files_are_looked_at_first),
	    cmocka_unit_test(test_as_many_as_there_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
