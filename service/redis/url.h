#ifndef LK_REDIS_URL_H
#define LK_REDIS_URL_H

#include <limits.h>
#include <stdbool.h>

#include "base/status.h"

/* The longest DNS name is 253 characters; one in brackets is an IPv6 address. */
#define URL_HOST_BYTES_MAX 255
/* Redis names no limit for either; both travel in one AUTH command. */
#define URL_USER_BYTES_MAX     255
#define URL_PASSWORD_BYTES_MAX 1023
/* sockaddr_un.sun_path is 108 bytes with its NUL. */
#define URL_SOCKET_BYTES_MAX 107
/* Redis's `databases` is 16 unless configured; nobody has been seen to need more than a few thousand. */
#define URL_DB_MAX	 65535
#define URL_PORT_DEFAULT 6379

enum redis_mode { REDIS_STANDALONE, REDIS_UNIX, REDIS_EMBEDDED };

struct redis_url {
	enum redis_mode mode;
	bool is_tls;
	uint32_t db;
	char user[URL_USER_BYTES_MAX + 1];	   /* empty: Redis's `default` user */
	char password[URL_PASSWORD_BYTES_MAX + 1]; /* empty: none */
	char folder[PATH_MAX];			   /* EMBEDDED; empty: the state folder's */
	/* What proto/wire dials, tcp://, tls+tcp:// or ipc://; empty when EMBEDDED. Holds no credentials: also for logs. */
	char address[URL_HOST_BYTES_MAX + sizeof("tls+tcp://[]:65535")];
};

/* redis://[user:password@]host[:port][/db], rediss:// (the same over TLS), unix:///path[?db=N], embedded: and
 * embedded:/folder. Everything but the scheme's own characters may be percent-encoded. INVALID_ARGUMENT; *ret is wiped
 * then. The sentence repeats nothing of the URL but its scheme: the rest may hold a password. */
enum status_code redis_url_parse(const char *text, struct redis_url *ret, struct status *st) MUST_CHECK;

/* "standalone", "unix", "embedded". */
const char *redis_mode_name(enum redis_mode mode);

void redis_url_wipe(struct redis_url *url);

#endif
