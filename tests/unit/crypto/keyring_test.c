/* The keyring: file format, permissions, creation, life. */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/keyring.h"
#include "crypto/tag.h"
#include "keyfile_of_test.h"

static int start(void **state)
{
	(void)state;
	return crypto_start() ? 0 : -1;
}

static void a_good_file_loads(void **state)
{
	keyring *kr = load_good("# a comment\n\n \t" NAMES_LINE KEY_2_LINE "  \t\n" KEY_1_LINE);

	(void)state;
	assert_int_equal(keyring_first_id(kr), 2);
	assert_true(keyring_has(kr, 1));
	assert_true(keyring_has(kr, 2));
	assert_false(keyring_has(kr, 0));
	assert_false(keyring_has(kr, 3));
	keyring_release(&kr);
	assert_null(kr);
	keyring_release(&kr);
}

static void layout_does_not_matter(void **state)
{
	keyring *kr = load_good("1\tICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8 \r\n"
				"names   AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");

	(void)state;
	assert_int_equal(keyring_first_id(kr), 1);
	keyring_release(&kr);
}

static void bad_files_are_refused_with_the_line(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
	    {"", "no names key"},
	    {NAMES_LINE, "no numbered key"},
	    {KEY_1_LINE, "no names key"},
	    {NAMES_LINE NAMES_LINE KEY_1_LINE, ":2: a second names key"},
	    {NAMES_LINE KEY_1_LINE KEY_1_LINE, ":3: key 1 is there twice"},
	    {"Names AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n", ":1: a line starts with"},
	    {NAMES_LINE "0 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8\n", ":2: a line starts with"},
	    {NAMES_LINE "01 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8\n", ":2: a line starts with"},
	    {NAMES_LINE "65536 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8\n", ":2: a line starts with"},
	    {NAMES_LINE "-1 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8\n", ":2: a line starts with"},
	    {NAMES_LINE "\n# x\n1\n", ":4: a key is 32 bytes"},
	    {NAMES_LINE "1 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj\n", ":2: a key is 32 bytes"},
	    {NAMES_LINE "1 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8A\n", ":2: a key is 32 bytes"},
	    {NAMES_LINE "1 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\n", ":2: a key is 32 bytes"},
	    {NAMES_LINE "1 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj9\n", ":2: a key is 32 bytes"},
	    {NAMES_LINE "1 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9P+8\n", ":2: a key is 32 bytes"},
	    {NAMES_LINE "1 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8 x\n", ":2: something follows"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct status st = {0};
		keyring *kr = NULL;

		assert_int_equal(load_text(span_str(cases[i].text), 0600, &kr, &st), STATUS_INVALID_ARGUMENT);
		if (strstr(st.text, cases[i].message) == NULL)
			fail_msg("case %zu: \"%s\" has no \"%s\"", i, st.text, cases[i].message);
		assert_null(strstr(st.text, "ICEi"));
		assert_null(kr);
	}
}

static void sizes_are_limited(void **state)
{
	static char text[70000];
	struct status st = {0};
	keyring *kr = NULL;
	size_t len = 0;

	(void)state;
	memset(text, '#', sizeof(text));
	assert_int_equal(load_text(span_of(text, sizeof(text)), 0600, &kr, &st), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(st.text, "65536"));
	len = (size_t)sprintf(text, "%s", NAMES_LINE);
	for (int i = 1; i <= KEYRING_KEYS_MAX + 1; i++) {
		if (i == KEYRING_KEYS_MAX + 1) {
			assert_int_equal(load_text(span_of(text, len), 0600, &kr, &st), STATUS_OK);
			assert_true(keyring_has(kr, KEYRING_KEYS_MAX));
			keyring_release(&kr);
		}
		len += (size_t)sprintf(text + len, "%d ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8\n", i);
	}
	assert_int_equal(load_text(span_of(text, len), 0600, &kr, &st), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(st.text, "64"));
}

static void files_that_others_can_open_are_refused(void **state)
{
	static const unsigned bad[] = {0640, 0604, 0620, 0602, 0644, 0666, 0610, 0601};
	static const unsigned good[] = {0600, 0400, 0700};
	struct status st = {0};
	keyring *kr = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(load_text(SPAN_LIT(NAMES_LINE KEY_1_LINE), bad[i], &kr, &st),
				 STATUS_FAILED_PRECONDITION);
		assert_non_null(strstr(st.text, "chmod 600"));
		assert_null(kr);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(load_text(SPAN_LIT(NAMES_LINE KEY_1_LINE), good[i], &kr, &st), STATUS_OK);
		keyring_release(&kr);
	}
}

static enum status_code load_as_nobody(unsigned mode)
{
	const gid_t nobody = 65534;
	char path[] = "/tmp/latchkey-keyring-XXXXXX";
	const int fd = mkstemp(path);
	struct status st = {0};
	keyring *kr = NULL;
	enum status_code code;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, NAMES_LINE KEY_1_LINE, strlen(NAMES_LINE KEY_1_LINE)),
			 (ssize_t)strlen(NAMES_LINE KEY_1_LINE));
	assert_int_equal(fchown(fd, 0, nobody), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(setegid(nobody), 0);
	assert_int_equal(seteuid(nobody), 0);
	code = keyring_load(path, &kr, &st);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(setegid(0), 0);
	keyring_release(&kr);
	close(fd);
	(void)unlink(path);
	return code;
}

/* As Kubernetes mounts a secret: root's, and the group's to read. */
static void a_file_of_root_may_be_read_by_its_group(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(load_as_nobody(0440), STATUS_OK);
	assert_int_equal(load_as_nobody(0640), STATUS_OK);
	assert_int_equal(load_as_nobody(0660), STATUS_FAILED_PRECONDITION);
	assert_int_equal(load_as_nobody(0444), STATUS_FAILED_PRECONDITION);
}

static void what_is_no_file_is_refused(void **state)
{
	struct status st = {0};
	keyring *kr = NULL;

	(void)state;
	assert_int_equal(keyring_load("/nonexistent/keyring", &kr, &st), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(st.text, "/nonexistent/keyring"));
	assert_int_equal(keyring_load("/dev/null", &kr, &st), STATUS_INVALID_ARGUMENT);
	assert_int_equal(keyring_load("/tmp", &kr, &st), STATUS_INVALID_ARGUMENT);
}

static void a_created_file_loads_and_is_never_replaced(void **state)
{
	char folder[] = "/tmp/latchkey-test-XXXXXX";
	char path[64];
	struct status st = {0};
	keyring *kr = NULL;
	keyring *again = NULL;
	uint8_t tag[TAG_BYTES];
	struct stat info;

	(void)state;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/keyring", folder);
	assert_int_equal(keyring_create(path, &st), STATUS_OK);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	assert_int_equal(keyring_load(path, &kr, &st), STATUS_OK);
	assert_int_equal(keyring_first_id(kr), 1);
	assert_int_equal(keyring_create(path, &st), STATUS_ALREADY_EXISTS);
	assert_int_equal(keyring_load(path, &again, &st), STATUS_OK);
	tag_make(kr, 1, SPAN_LIT("r"), SPAN_LIT("b"), tag);
	assert_true(tag_verify(again, 1, SPAN_LIT("r"), SPAN_LIT("b"), tag));
	keyring_release(&kr);
	keyring_release(&again);
	/* Nothing is left behind beside it. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(keyring_create("/nonexistent/keyring", &st), STATUS_INVALID_ARGUMENT);
}

static void *retain_and_release(void *arg)
{
	keyring *shared = arg;

	for (int i = 0; i < 10000; i++) {
		keyring *mine = keyring_retain(shared);

		assert_true(keyring_has(mine, 1));
		keyring_release(&mine);
	}
	return NULL;
}

static void references_are_counted_across_threads(void **state)
{
	keyring *kr = load_good(NAMES_LINE KEY_1_LINE);
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, retain_and_release, kr), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_true(keyring_has(kr, 1));
	keyring_release(&kr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_good_file_loads),
	    cmocka_unit_test(layout_does_not_matter),
	    cmocka_unit_test(bad_files_are_refused_with_the_line),
	    cmocka_unit_test(sizes_are_limited),
	    cmocka_unit_test(files_that_others_can_open_are_refused),
	    cmocka_unit_test(a_file_of_root_may_be_read_by_its_group),
	    cmocka_unit_test(what_is_no_file_is_refused),
	    cmocka_unit_test(a_created_file_loads_and_is_never_replaced),
	    cmocka_unit_test(references_are_counted_across_threads),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
