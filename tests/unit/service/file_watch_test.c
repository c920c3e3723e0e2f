/* When a file counts as changed. A look is a call here, so nothing waits for a clock. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_watch.h"
#include "support/file.h"
#include "support/tmpdir.h"

static struct tmpdir dir;
static char callers[TMPDIR_FILE_BYTES];
static char password[TMPDIR_FILE_BYTES];
static char keyring_path[TMPDIR_FILE_BYTES];
static struct config config;
static file_watch *watch;

static int open_watch(void **state)
{
	(void)state;
	tmpdir_make(&dir);
	tmpdir_file(&dir, "callers", callers);
	tmpdir_file(&dir, "password", password);
	tmpdir_file(&dir, "keyring", keyring_path);
	file_write(callers, "one");
	file_write(password, "one");
	config = (struct config){.state_dir = dir.path, .credentials = callers, .redis = {.password_file = password}};
	watch = file_watch_new(&config);
	assert_non_null(watch);
	return 0;
}

static int close_watch(void **state)
{
	(void)state;
	file_watch_free(&watch);
	assert_null(watch);
	tmpdir_remove(&dir);
	return 0;
}

static bool has_changed(void)
{
	return file_watch_has_changed(watch);
}

static void test_what_stays_the_same_has_not_changed(void **state)
{
	(void)state;
	assert_false(has_changed());
	assert_false(has_changed());
}

/* Another length each time: two writes may fall into one tick of the file system's clock. */
static void test_a_change_counts_when_two_looks_have_seen_it(void **state)
{
	(void)state;
	file_write(callers, "half");
	assert_false(has_changed());
	file_write(callers, "the whole");
	assert_false(has_changed());
	assert_true(has_changed());
	/* Until it is read. */
	assert_true(has_changed());
	file_watch_accept(watch);
	assert_false(has_changed());
	assert_false(has_changed());
}

/* With the length and the times of the one that it replaces, as a copy of a whole folder may have them. */
static void test_another_file_by_the_same_name_is_a_change(void **state)
{
	char next[TMPDIR_FILE_BYTES];
	struct stat s;

	(void)state;
	tmpdir_file(&dir, "next", next);
	file_write(next, "two");
	assert_int_equal(stat(callers, &s), 0);
	assert_int_equal(utimensat(AT_FDCWD, next, (const struct timespec[]){s.st_atim, s.st_mtim}, 0), 0);
	assert_int_equal(rename(next, callers), 0);
	assert_false(has_changed());
	assert_true(has_changed());
}

static void test_one_that_is_gone_and_comes_back_is_a_change(void **state)
{
	(void)state;
	assert_int_equal(unlink(callers), 0);
	assert_false(has_changed());
	assert_true(has_changed());
	file_watch_accept(watch);
	file_write(callers, "another");
	assert_false(has_changed());
	assert_true(has_changed());
}

/* It is told of, and does not have the others read again. */
static void test_a_password_is_read_at_a_start_only(void **state)
{
	(void)state;
	file_write(password, "another");
	for (int i = 0; i < 4; i++)
		assert_false(has_changed());
}

static void test_a_keyring_that_is_made_at_the_start_is_no_change(void **state)
{
	(void)state;
	file_write(keyring_path, "made");
	assert_false(has_changed());
	assert_false(has_changed());
	file_write(keyring_path, "another");
	assert_false(has_changed());
	assert_true(has_changed());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_what_stays_the_same_has_not_changed, open_watch, close_watch),
	    cmocka_unit_test_setup_teardown(test_a_change_counts_when_two_looks_have_seen_it, open_watch, close_watch),
	    cmocka_unit_test_setup_teardown(test_another_file_by_the_same_name_is_a_change, open_watch, close_watch),
	    cmocka_unit_test_setup_teardown(test_one_that_is_gone_and_comes_back_is_a_change, open_watch, close_watch),
	    cmocka_unit_test_setup_teardown(test_a_password_is_read_at_a_start_only, open_watch, close_watch),
	    cmocka_unit_test_setup_teardown(test_a_keyring_that_is_made_at_the_start_is_no_change, open_watch,
					    close_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
