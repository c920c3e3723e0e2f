#include "keyfile_of_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum status_code load_text(span text, unsigned mode, keyring **ret, struct status *st)
{
	char path[] = "/tmp/latchkey-keyring-XXXXXX";
	const int fd = mkstemp(path);
	enum status_code code;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.ptr, text.len), (ssize_t)text.len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	code = keyring_load(path, ret, st);
	(void)unlink(path);
	return code;
}

keyring *load_good(const char *text)
{
	struct status st = {0};
	keyring *kr = NULL;

	if (load_text(span_str(text), 0600, &kr, &st) != STATUS_OK)
		fail_msg("%s", st.text);
	return kr;
}
