#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "config/config.h"

/* One line, with or without its newline; room for "\r\n" and for one byte too many. */
static ssize_t read_line(int fd, char *out, size_t room)
{
	ssize_t len = file_read(fd, out, room);

	if (len > 0 && out[len - 1] == '\n')
		len--;
	if (len > 0 && out[len - 1] == '\r')
		len--;
	return len;
}

/* NULL: the line is a password. */
static const char *fault_of(const char *line, ssize_t len)
{
	if (len < 0)
		return strerror(errno);
	if (len == 0)
		return "is empty; write the password on its first line";
	if (len > CONFIG_PASSWORD_BYTES_MAX || memchr(line, '\n', (size_t)len) != NULL ||
	    memchr(line, 0, (size_t)len) != NULL)
		return "is not one line of at most 512 bytes";
	return NULL;
}

bool config_read_password(const char *key, const char *file, char out[static CONFIG_PASSWORD_BYTES_MAX + 1],
			  struct config_error *error)
{
	char line[CONFIG_PASSWORD_BYTES_MAX + 3];
	const char *fault;
	ssize_t len = -1;
	int fd;

	if (file == NULL) {
		out[0] = 0;
		return true;
	}
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		len = read_line(fd, line, sizeof(line));
		(void)close(fd);
	}
	fault = fault_of(line, len);
	if (fault == NULL) {
		memcpy(out, line, (size_t)len);
		out[len] = 0;
	} else {
		snprintf(error->text, sizeof(error->text), "%s %s: %s", key, file, fault);
	}
	explicit_bzero(line, sizeof(line));
	return fault == NULL;
}
