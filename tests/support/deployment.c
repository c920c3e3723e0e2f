#include "support/deployment.h"

#include "support/wait.h"

static const char *open_redis(struct deployment *d, const struct redis_sentinels_options *options)
{
	switch (d->mode) {
	case SENTINELS:
		redis_sentinels_open(&d->sentinels, options);
		return d->sentinels.url;
	case CLUSTER:
		redis_cluster_open(&d->cluster, NULL);
		return d->cluster.url;
	case STANDALONE:
		break;
	}
	redis_server_init(&d->single, NULL);
	redis_server_start(&d->single);
	return d->single.url;
}

void deployment_open(struct deployment *d, const struct deployment_options *options)
{
	const char *url;

	assert_true(options->instances <= DEPLOYMENT_INSTANCES_MAX);
	*d = (struct deployment){.mode = options->mode, .instances = options->instances};
	url = open_redis(d, options->sentinels);
	for (unsigned i = 0; i < d->instances; i++) {
		latchkeyd_init(&d->services[i],
			       &(struct latchkeyd_options){.redis_url = url,
							   .config = options->config,
							   .keyring_of = i == 0 ? NULL : &d->services[0]});
		latchkeyd_start_serving(&d->services[i]);
		raw_connect(&d->callers[i], d->services[i].url);
	}
}

void deployment_close(struct deployment *d)
{
	for (unsigned i = d->instances; i-- > 0;) {
		raw_close(&d->callers[i]);
		latchkeyd_end(&d->services[i]);
	}
	redis_server_remove(&d->single);
	redis_sentinels_close(&d->sentinels);
	redis_cluster_close(&d->cluster);
}

void deployment_fail_over(struct deployment *d)
{
	if (d->mode == SENTINELS)
		(void)redis_sentinels_failover(&d->sentinels);
	for (unsigned shard = 0; d->mode == CLUSTER && shard < d->cluster.shards; shard++)
		(void)redis_cluster_failover(&d->cluster, shard);
}
