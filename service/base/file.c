#include "base/file.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

ssize_t file_read(int fd, void *to, size_t room)
{
	uint8_t *bytes = to;
	size_t len = 0;
	ssize_t n;

	do {
		n = read(fd, bytes + len, room - len);
		if (n > 0)
			len += (size_t)n;
	} while ((n > 0 && len < room) || (n < 0 && errno == EINTR));
	return n < 0 ? -1 : (ssize_t)len;
}
