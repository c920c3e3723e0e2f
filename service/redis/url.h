#ifndef LK_REDIS_URL_H
#define LK_REDIS_URL_H

#include <limits.h>
#include <stdbool.h>

#include "base/status.h"
#include "redis/address.h"
#include "redis/sentinel.h"

#define URL_HOST_BYTES_MAX ADDRESS_HOST_BYTES_MAX
/* Redis names no limit for either; both travel in one AUTH command. */
#define URL_USER_BYTES_MAX     255
#define URL_PASSWORD_BYTES_MAX 1023
/* sockaddr_un.sun_path is 108 bytes with its NUL. */
#define URL_SOCKET_BYTES_MAX 107
/* Redis's `databases` is 16 unless configured; nobody has been seen to need more than a few thousand. */
#define URL_DB_MAX	 65535
#define URL_PORT_DEFAULT 6379

/* Seeds that a URL may name: each one more is only worth its cost when all others are gone. */
#define URL_SEEDS_MAX	  16
#define URL_PORT_SENTINEL 26379

enum redis_mode { REDIS_STANDALONE, REDIS_UNIX, REDIS_EMBEDDED, REDIS_SENTINEL, REDIS_CLUSTER };

struct redis_url {
	enum redis_mode mode;
	bool is_tls;
	uint32_t db;
	char user[URL_USER_BYTES_MAX + 1];		/* empty: Redis's `default` user */
	char password[URL_PASSWORD_BYTES_MAX + 1];	/* empty: none */
	char folder[PATH_MAX];				/* EMBEDDED; empty: the state folder's */
	char primary_name[SENTINEL_NAME_BYTES_MAX + 1]; /* SENTINEL: of the primary in the Sentinels' configuration */
	size_t seed_count;				/* SENTINEL, CLUSTER; STANDALONE: 1 */
	struct address seeds[URL_SEEDS_MAX];
	/* What proto/wire dials, tcp://, tls+tcp:// or ipc://; empty when there is no such one. Holds no credentials: also
	 * for logs. */
	char address[URL_HOST_BYTES_MAX + sizeof("tls+tcp://[]:65535")];
};

/* redis://[user:password@]host[:port][/db], redis+sentinel://[user:password@]host[:port],.../name[/db],
 * redis+cluster://[user:password@]host[:port],...[/0] (a cluster has no other database), the same three with rediss
 * (over TLS, to the Sentinels as well), unix:///path[?db=N], embedded: and embedded:/folder. The user is that of Redis,
 * not of the Sentinels. A seed named twice counts once. User, password, name and paths may be percent-encoded.
 * INVALID_ARGUMENT; *ret is wiped then. The sentence repeats nothing of the URL but its scheme: the rest may hold a
 * password. */
enum status_code redis_url_parse(const char *text, struct redis_url *ret, struct status *st) MUST_CHECK;

/* "standalone", "unix", "embedded", "sentinel", "cluster". */
const char *redis_mode_name(enum redis_mode mode);

void redis_url_wipe(struct redis_url *url);

#endif
