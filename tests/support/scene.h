#ifndef LK_SUPPORT_SCENE_H
#define LK_SUPPORT_SCENE_H

#include "support/latchkeyd.h"
#include "support/monitor.h"
#include "support/raw.h"
#include "support/redis_server.h"

/* A Redis to look into, the service in front of it, and a caller: what most themes begin with. */
struct scene {
	struct redis_server redis;
	struct latchkeyd service;
	struct raw caller;
};

/* config NULL: all defaults. redis_options NULL: none. */
void scene_open(struct scene *s, const char *config, const struct redis_server_options *redis_options);

/* Stops the service, whose exit status must be 0, and removes everything. */
void scene_close(struct scene *s);

/* The one scene of a test program, for cmocka_run_group_tests(tests, open_scene, close_scene). */
#define THE_SCENE(config)                                                                                              \
	static struct scene scene;                                                                                     \
                                                                                                                       \
	static int open_scene(void **state)                                                                            \
	{                                                                                                              \
		(void)state;                                                                                           \
		scene_open(&scene, config, NULL);                                                                      \
		return 0;                                                                                              \
	}                                                                                                              \
                                                                                                                       \
	static int close_scene(void **state)                                                                           \
	{                                                                                                              \
		(void)state;                                                                                           \
		scene_close(&scene);                                                                                   \
		return 0;                                                                                              \
	}

/* The same with another instance of the service, `second`, on the same Redis, and a caller of that. */
#define THE_SCENE_OF_TWO(config)                                                                                       \
	static struct scene scene;                                                                                     \
	static struct latchkeyd second;                                                                                \
	static struct raw second_caller;                                                                               \
                                                                                                                       \
	static int open_scene(void **state)                                                                            \
	{                                                                                                              \
		(void)state;                                                                                           \
		scene_open(&scene, config, NULL);                                                                      \
		scene_add(&scene, config, scene.redis.url, &second);                                                   \
		raw_connect(&second_caller, second.url);                                                               \
		return 0;                                                                                              \
	}                                                                                                              \
                                                                                                                       \
	static int close_scene(void **state)                                                                           \
	{                                                                                                              \
		(void)state;                                                                                           \
		raw_close(&second_caller);                                                                             \
		latchkeyd_end(&second);                                                                                \
		scene_close(&scene);                                                                                   \
		return 0;                                                                                              \
	}

/* Another instance of the service, with the same keyring, on this Redis or another. To be stopped and removed before
 * scene_close. */
void scene_add(const struct scene *s, const char *config, const char *redis_url, struct latchkeyd *ret);

/* The caller's connection anew, after one side has ended it. */
void scene_reconnect(struct scene *s);

#endif
