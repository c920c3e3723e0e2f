#ifndef LK_CLI_OPTION_H
#define LK_CLI_OPTION_H

/* The table of options. */

#include <stdbool.h>

#include "line.h"

#define REVOKE_USER "session revoke-user"
#define VERBS_MAX   6

enum option_key {
	OPT_SERVER = 256,
	OPT_REALM,
	OPT_CREDENTIAL,
	OPT_TIMEOUT,
	OPT_JSON,
	OPT_CA,
	OPT_CERT,
	OPT_KEY,
	OPT_SERVER_NAME,
	OPT_HELP,
	OPT_VERSION,
	OPT_CLASS,
	OPT_ATTR,
	OPT_IDLE,
	OPT_MAX,
	OPT_USER_AGENT,
	OPT_IP,
	OPT_LABEL,
	OPT_PEEK,
	OPT_REMOVE,
	OPT_EXPECT,
	OPT_REASON,
	OPT_EXCEPT,
	OPT_ANONYMOUS,
	OPT_PROMOTE,
	OPT_AAL,
	OPT_AMR,
	OPT_WITHIN,
	OPT_PRIVILEGED,
	OPT_GRACE,
	OPT_BEFORE,
	OPT_TOKEN,
	OPT_CURSOR,
	OPT_COUNT,
	OPT_ROLE,
	OPT_REPLACE,
	OPT_NUMBER,
	OPT_EXPECT_NONE,
	OPT_TIER,
	OPT_CONSUMER,
	OPT_REDELIVER,
	OPT_DELIVERIES,
	OPT_AFTER,
	OPT_AT,
	OPT_FROM,
	OPT_TO,
	OPT_HOURLY,
	OPT_GROUP,
	OPT_WAIT,
	OPT_LEASE,
	OPT_NO_LEASE,
	OPT_NEGATIVE,
	OPT_TTL,
	OPT_ALGORITHM,
	OPT_LIMIT,
	OPT_PER,
	OPT_BURST,
	OPT_COST,
	OPT_CALLERS,
	OPT_RATE,
	OPT_ARRIVALS,
	OPT_MIX,
	OPT_CONNECTIONS,
	OPT_SECONDS,
	OPT_WARMUP,
	OPT_SESSIONS,
	OPT_VALUE_BYTES,
	OPT_USER_COUNT,
	OPT_PROGRESS,
};

struct option_row {
	const char *name;
	enum option_key key;
	const char *arg; /* NULL: none */
	const char *help;
	const char *environment;      /* NULL: none */
	const char *verbs[VERBS_MAX]; /* none: of every verb; at least one stays empty */
};

/* An option whose help differs from verb to verb has a row for each. */
#define OPTION_COUNT 78
extern const struct option_row option_rows[];

bool option_goes_with(const struct option_row *row, const struct verb *verb);

#endif
