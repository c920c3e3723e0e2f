#ifndef LK_REDIS_INFO_H
#define LK_REDIS_INFO_H

#include "store/store.h"

/* What INFO tells about a server. */

/* As in struct store_state: "7.0.15", "8.0.2-rc1". */
#define REDIS_VERSION_BYTES 32
/* 40 hex digits, new at every start of the server. */
#define REDIS_RUN_ID_BYTES 41

enum redis_role { ROLE_UNKNOWN, ROLE_PRIMARY, ROLE_REPLICA };
enum redis_kind { KIND_UNKNOWN, KIND_STANDALONE, KIND_CLUSTER, KIND_SENTINEL };

struct info {
	char version[REDIS_VERSION_BYTES]; /* empty: not told, for instance because an ACL forbids it */
	char run_id[REDIS_RUN_ID_BYTES];   /* the same */
	enum redis_kind kind;
	enum redis_role role;
	char replication[REDIS_RUN_ID_BYTES]; /* the history that the offset counts in */
	bool has_offset;
	uint64_t offset;   /* of replication: written as a primary, applied as a replica */
	uint32_t replicas; /* primaries: connected */
};

/* Takes the fields that are there; the others keep their values. */
void info_read(span text, struct info *info);

/* Copies what is printable, so that a peer cannot write control characters into a log or a terminal. */
void info_copy_printable(char *ret, size_t size, span s);

#endif
