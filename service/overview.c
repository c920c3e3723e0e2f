#include "overview.h"

#include "base/log.h"

_Static_assert(ADMIN_KEYS_MAX == KEYRING_KEYS_MAX, "all keys are told");

static void look_at_keys(rpc_server *rpc, struct admin_view *ret)
{
	keyring *keys = rpc_server_keys(rpc);
	struct keyring_key key;

	for (size_t i = 0; i < ADMIN_KEYS_MAX && keyring_key_at(keys, i, &key); i++) {
		if (key.is_retired)
			continue;
		ret->keys[ret->key_count++] = (struct admin_key){.id = key.id,
								 .is_first = key.is_first,
								 .tokens = key.tokens,
								 .records = key.records,
								 .last_used_ms = key.last_used_ms};
	}
	keyring_release(&keys);
}

static void look(void *owner, struct admin_view *ret)
{
	struct overview *o = owner;
	struct rpc_state rpc;

	rpc_server_look(o->rpc, &rpc);
	*ret = (struct admin_view){.is_listening = atomic_load(&o->is_listening),
				   .is_draining = rpc.is_draining,
				   .has_been_ready = rpc.has_been_ready,
				   .knows_realms = rpc.knows_realms,
				   .frames_held = rpc.frames_held,
				   .bytes_held = rpc.bytes_held,
				   .watchers = rpc.watchers,
				   .recent = recent_count(o->recent),
				   .refused = atomic_load(&o->refused),
				   .started_at_ms = rpc.started_at_ms};
	look_at_keys(o->rpc, ret);
	store_get_state(o->store, &ret->store);
}

static size_t nodes(void *owner, struct store_node *ret, size_t max)
{
	const struct overview *o = owner;

	return store_nodes(o->store, ret, max);
}

static span realm(void *owner, size_t i)
{
	const struct overview *o = owner;

	return i < o->realms->count ? o->realms->realms[i].name : SPAN_EMPTY;
}

enum status_code overview_open_admin(struct overview *o, const struct config *c, admin **ret, struct status *st)
{
	const struct admin_options options = {
	    .url = c->admin.listen,
	    .connections_max = c->admin.connections_max,
	    .timeout_ms = c->admin.timeout_ms,
	    .source = {.owner = o, .look = look, .nodes = nodes, .realm = realm, .method = rpc_method_path}};

	if (c->admin.listen == NULL)
		return STATUS_OK;
	if (admin_open(&options, ret, st) != STATUS_OK)
		return st->code;
	log_event(LOG_INFO, "admin_listening", LOG_STR("url", admin_url(*ret)));
	return STATUS_OK;
}
