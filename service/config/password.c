#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "config/config.h"

static bool fail(const struct config *c, struct config_error *error, const char *what)
{
	snprintf(error->text, sizeof(error->text), "redis.password_file %s: %s", c->redis.password_file, what);
	return false;
}

/* One line, with or without its newline; room for "\r\n" and for one byte too many. */
static ssize_t read_line(int fd, char *out, size_t room)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = read(fd, out + len, room - len);
		if (n > 0)
			len += (size_t)n;
	} while ((n > 0 && len < room) || (n < 0 && errno == EINTR));
	if (n < 0)
		return -1;
	if (len > 0 && out[len - 1] == '\n')
		len--;
	if (len > 0 && out[len - 1] == '\r')
		len--;
	return (ssize_t)len;
}

bool config_read_password(const struct config *c, char out[static CONFIG_PASSWORD_BYTES_MAX + 1],
			  struct config_error *error)
{
	char line[CONFIG_PASSWORD_BYTES_MAX + 3];
	ssize_t len = -1;
	bool ok = false;
	int fd;

	if (c->redis.password_file == NULL) {
		out[0] = 0;
		return true;
	}
	fd = open(c->redis.password_file, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		len = read_line(fd, line, sizeof(line));
		(void)close(fd);
	}
	if (len < 0) {
		fail(c, error, strerror(errno));
	} else if (len == 0) {
		fail(c, error, "is empty; write the password on its first line");
	} else if (len > CONFIG_PASSWORD_BYTES_MAX || memchr(line, '\n', (size_t)len) != NULL ||
		   memchr(line, 0, (size_t)len) != NULL) {
		fail(c, error, "is not one line of at most 512 bytes");
	} else {
		memcpy(out, line, (size_t)len);
		out[len] = 0;
		ok = true;
	}
	explicit_bzero(line, sizeof(line));
	return ok;
}
