#ifndef LK_SUPPORT_FILE_H
#define LK_SUPPORT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Whole files. Failures fail the running test. */

/* Creates or replaces, mode 0600. */
void file_write(const char *path, const char *text);

/* The contents, with a NUL behind; the caller frees. A missing file is empty. */
char *file_read(const char *path, size_t *ret_len);

/* The same from the beginning of an open file. */
char *file_read_fd(int fd, size_t *ret_len);

bool file_contains(const char *path, const void *bytes, size_t len);

/* How many regular files below the folder contain the bytes; names them on stderr. *ret_files: how many were read. */
unsigned tree_count_files_with(const char *folder, const void *bytes, size_t len, unsigned *ret_files);

#endif
