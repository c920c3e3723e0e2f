#ifndef LK_CRYPTO_KEYFILE_H
#define LK_CRYPTO_KEYFILE_H

/* The text of a keyring file, line by line. For this folder only. */

#include "base/span.h"
#include "base/status.h"

#define KEYFILE_KEY_BYTES 32
/* 64 keys of 60 characters with as much again of comments, and room. */
#define KEYFILE_BYTES_MAX 65536

/* A whole file, in guarded memory. */
struct keyfile_text {
	uint8_t *bytes;
	size_t len;
};

/* *ret must be zeroed. FAILED_PRECONDITION: others may read the file. */
enum status_code keyfile_read(const char *path, struct keyfile_text *ret, struct status *st) MUST_CHECK;
/* The same of an open file; path is for messages. */
enum status_code keyfile_read_open(int fd, const char *path, struct keyfile_text *ret, struct status *st) MUST_CHECK;
void keyfile_free(struct keyfile_text *text);

/* A new file beside path, for this user only; *ret_path is malloc'ed. -1: *st says why. */
int keyfile_make_beside(const char *path, char **ret_path, struct status *st);
/* A name is durable only when its folder is. */
bool keyfile_sync_folder(const char *path);

struct keyfile_reader {
	span rest;
	unsigned line;
};

struct keyfile_entry {
	unsigned line;
	const char *mistake; /* NULL, or what is wrong with the line; then all below is unspecified */
	span text;	     /* of the line, with its end */
	bool is_names;
	uint16_t id; /* unless is_names */
	uint8_t key[KEYFILE_KEY_BYTES];
};

/* The next line that is neither empty nor a comment; false at the end. The entry holds a secret: wipe it. */
bool keyfile_next(struct keyfile_reader *r, struct keyfile_entry *ret);

#endif
