/* Whole files, by pieces and up to a limit. */

#include "base/file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void what_fits_is_read_to_the_end(void **state)
{
	char to[8] = "-------";
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "abc", 3), 3);
	assert_int_equal(write(ends[1], "de", 2), 2);
	assert_int_equal(close(ends[1]), 0);
	assert_int_equal(file_read(ends[0], to, sizeof(to)), 5);
	assert_memory_equal(to, "abcde--", 8);
	assert_int_equal(file_read(ends[0], to, sizeof(to)), 0);
	close(ends[0]);
}

static void no_more_is_read_than_there_is_room_for(void **state)
{
	char to[8] = "-------";
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "abcdefgh", 8), 8);
	assert_int_equal(file_read(ends[0], to, 4), 4);
	assert_memory_equal(to, "abcd---", 8);
	close(ends[0]);
	close(ends[1]);
}

static void what_cannot_be_read_says_why(void **state)
{
	char to[8];
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	errno = 0;
	assert_int_equal(file_read(ends[1], to, sizeof(to)), -1);
	assert_int_equal(errno, EBADF);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_fits_is_read_to_the_end),
	    cmocka_unit_test(no_more_is_read_than_there_is_room_for),
	    cmocka_unit_test(what_cannot_be_read_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
