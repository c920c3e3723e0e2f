#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "compress/compress.h"

keyring *keyring_of_text(const char *text)
{
	char path[] = "/tmp/latchkey-keyring-XXXXXX";
	const int fd = mkstemp(path);
	struct status st = {0};
	keyring *kr = NULL;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	if (keyring_load(path, &kr, &st) != STATUS_OK)
		fail_msg("%s", st.text);
	(void)unlink(path);
	return kr;
}

void world_start(struct world *w)
{
	const struct session_policy policy = {
	    .idle_timeout_s = WORLD_IDLE_S,
	    .absolute_timeout_s = WORLD_ABSOLUTE_S,
	    .sessions_max = WORLD_CAP,
	    .at_cap = AT_CAP_EVICT_OLDEST,
	    .tombstone_s = WORLD_TOMBSTONE_S,
	    .grace_s = WORLD_GRACE_S,
	};
	struct status st = {0};

	assert_true(crypto_start());
	*w = (struct world){.keys = keyring_of_text(WORLD_KEYRING)};
	w->classes[0] = (struct session_class){.name = SPAN_LIT("default"), .policy = policy};
	w->classes[1] = (struct session_class){.name = SPAN_LIT("remember"), .policy = policy};
	w->classes[1].policy.idle_timeout_s = 2592000;
	w->classes[1].policy.absolute_timeout_s = 7776000;
	w->classes[1].policy.sessions_max = SESSIONS_MAX_MAX;
	w->classes[2] = (struct session_class){.name = SPAN_LIT("strict"), .policy = policy};
	w->classes[2].policy.at_cap = AT_CAP_REFUSE;
	w->other_classes[0] = (struct session_class){.name = SPAN_LIT("default"), .policy = policy};
	w->realm_list[0] = (struct realm){.name = SPAN_LIT("default"), .class_count = 3, .classes = w->classes};
	w->realm_list[1] = (struct realm){.name = SPAN_LIT("other"), .class_count = 1, .classes = w->other_classes};
	w->realms = (struct realms){2, w->realm_list};
	assert_int_equal(realms_seal(&w->realms, w->keys, &st), STATUS_OK);
	w->env = (struct plan_env){.keys = w->keys,
				   .compressor = compressor_new(),
				   .realm = &w->realm_list[0],
				   .now_ms = WORLD_NOW_MS,
				   .caller = SPAN_LIT("caller")};
	world_fresh(w);
}

void world_stop(struct world *w)
{
	compressor_free(&w->env.compressor);
	arena_free(&w->env.arena);
	keyring_release(&w->keys);
}

void world_fresh(struct world *w)
{
	arena_free(&w->env.arena);
	w->env.arena = arena_new(4096, PLAN_BYTES_MAX);
	assert_non_null(w->env.arena);
	w->env.idempotency_key = SPAN_EMPTY;
}

void world_use_keyring(struct world *w, const char *text)
{
	keyring_release(&w->keys);
	w->keys = keyring_of_text(text);
	w->env.keys = w->keys;
}
