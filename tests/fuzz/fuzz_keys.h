#ifndef LK_FUZZ_KEYS_H
#define LK_FUZZ_KEYS_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "crypto/keyring.h"

/* A keyring of fresh keys, for the life of the process. */
static inline keyring *fuzz_keys(void)
{
	char folder[] = "/tmp/latchkey-fuzz-XXXXXX";
	char path[sizeof(folder) + 8];
	struct status st;
	keyring *keys;

	if (!crypto_start() || mkdtemp(folder) == NULL)
		abort();
	(void)snprintf(path, sizeof(path), "%s/keys", folder);
	if (keyring_create(path, &st) != STATUS_OK || keyring_load(path, &keys, &st) != STATUS_OK)
		abort();
	(void)unlink(path);
	(void)rmdir(folder);
	return keys;
}

#endif
