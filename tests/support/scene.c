#include "support/scene.h"

#include "support/wait.h"

void scene_open(struct scene *s, const char *config, const struct redis_server_options *redis_options)
{
	*s = (struct scene){.caller.fd = -1};
	redis_server_init(&s->redis, redis_options);
	redis_server_start(&s->redis);
	latchkeyd_init(&s->service, &(struct latchkeyd_options){.redis_url = s->redis.url, .config = config});
	latchkeyd_start_serving(&s->service);
	raw_connect(&s->caller, s->service.url);
}

void scene_close(struct scene *s)
{
	raw_close(&s->caller);
	if (s->service.process.pid > 0)
		latchkeyd_stop(&s->service);
	latchkeyd_remove(&s->service);
	redis_server_remove(&s->redis);
}

void scene_add(const struct scene *s, const char *config, const char *redis_url, struct latchkeyd *ret)
{
	latchkeyd_init(
	    ret, &(struct latchkeyd_options){.redis_url = redis_url, .config = config, .keyring_of = &s->service});
	latchkeyd_start_serving(ret);
}

void scene_reconnect(struct scene *s)
{
	raw_close(&s->caller);
	raw_connect(&s->caller, s->service.url);
}
