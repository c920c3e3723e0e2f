#ifndef LK_BASE_FILE_H
#define LK_BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* All that is left of an open file, but no more than `room` bytes: with room for one byte more than may be, a file that
 * is too large shows itself. Returns how many; -1: errno tells why. */
ssize_t file_read(int fd, void *to, size_t room) __attribute__((warn_unused_result));

#endif
