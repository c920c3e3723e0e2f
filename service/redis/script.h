#ifndef LK_REDIS_SCRIPT_H
#define LK_REDIS_SCRIPT_H

#include "store/store.h"

/* A script as it is in service/scripts, byte for byte, and the SHA-1 by which Redis knows it. */
struct script {
	const char *name; /* the file's, without .lua */
	span source;
	const char *sha1; /* 40 hex digits */
};

/* id is none but STORE_NO_SCRIPT's. */
const struct script *script_get(enum store_script id);

#endif
