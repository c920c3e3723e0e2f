/* A configuration file, as an operator may leave it. */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char home[] = "HOME=/nonexistent";
	static char *const environment[] = {home, NULL};
	char path[] = "/tmp/latchkey-fuzz-XXXXXX";
	struct config *c = NULL;
	struct config_error error;
	int fd = mkstemp(path);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len || close(fd) != 0)
		abort();
	if (config_load(path, environment, &c, &error))
		config_free(&c);
	(void)unlink(path);
	return 0;
}
