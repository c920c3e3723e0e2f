#ifndef LK_ADMIN_VIEW_H
#define LK_ADMIN_VIEW_H

/* What the admin listener asks the rest of the service for. All of it may be called from the listener's thread until
 * admin_close returns, and waits for nothing: no Redis, no call. */

#include "base/span.h"
#include "store/store.h"

#define ADMIN_KEYS_MAX 64

struct admin_key {
	uint16_t id;
	bool is_first;
	uint64_t tokens;
	uint64_t records;
	uint64_t last_used_ms;
};

struct admin_view {
	bool is_listening; /* for callers */
	bool is_draining;
	bool has_been_ready; /* Redis was there once, and of every realm it was known whether it was revoked */
	bool knows_realms;   /* of most of them it is known now */
	uint32_t frames_held;
	uint64_t bytes_held;
	size_t watchers;
	size_t recent;
	size_t refused; /* files, when they were read again last */
	uint64_t started_at_ms;
	size_t key_count;
	struct admin_key keys[ADMIN_KEYS_MAX];
	struct store_state store;
};

struct admin_source {
	void *owner;
	void (*look)(void *owner, struct admin_view *ret);
	size_t (*nodes)(void *owner, struct store_node *ret, size_t max); /* as store_nodes */
	span (*realm)(void *owner, size_t i);				  /* its name; SPAN_EMPTY beyond the last */
	span (*method)(size_t place); /* of base/call_metrics.h: its path; SPAN_EMPTY beyond the last */
};

#endif
