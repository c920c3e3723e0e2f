#ifndef LK_SUPPORT_DEPLOYMENT_H
#define LK_SUPPORT_DEPLOYMENT_H

#include "support/latchkeyd.h"
#include "support/raw.h"
#include "support/redis_cluster.h"
#include "support/redis_sentinels.h"

/* Redis in one of the three ways in which it is run, and instances of the service in front of it with one keyring, each
 * with a caller: for tests of what holds in all of them. */

enum deployment_mode { STANDALONE, SENTINELS, CLUSTER };

#define DEPLOYMENT_INSTANCES_MAX 2

struct deployment_options {
	enum deployment_mode mode;
	unsigned instances;
	const char *config;				 /* NULL: all defaults */
	const struct redis_sentinels_options *sentinels; /* NULL: theirs */
};

struct deployment {
	enum deployment_mode mode;
	/* One of them is there. */
	struct redis_server single;
	struct redis_sentinels sentinels;
	struct redis_cluster cluster;
	unsigned instances;
	struct latchkeyd services[DEPLOYMENT_INSTANCES_MAX];
	struct raw callers[DEPLOYMENT_INSTANCES_MAX];
};

void deployment_open(struct deployment *d, const struct deployment_options *options);

/* Stops the services, whose exit statuses must be 0, and removes everything. */
void deployment_close(struct deployment *d);

/* As people do it, who take a server away: every primary hands over to a replica. A single server has none. */
void deployment_fail_over(struct deployment *d);

#endif
