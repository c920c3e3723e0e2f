#ifndef LK_CRYPTO_KEYFILE_H
#define LK_CRYPTO_KEYFILE_H

/* The text of a keyring file, line by line. For this folder only. */

#include "base/span.h"

#define KEYFILE_KEY_BYTES 32

struct keyfile_reader {
	span rest;
	unsigned line;
};

struct keyfile_entry {
	unsigned line;
	const char *mistake; /* NULL, or what is wrong with the line; then all below is unspecified */
	bool is_names;
	uint16_t id; /* unless is_names */
	uint8_t key[KEYFILE_KEY_BYTES];
};

/* The next line that is neither empty nor a comment; false at the end. The entry holds a secret: wipe it. */
bool keyfile_next(struct keyfile_reader *r, struct keyfile_entry *ret);

#endif
