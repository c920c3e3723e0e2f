#include "keyring_file.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ops/state_dir.h"

/* Numbers of up to five digits, and a comma behind each. */
#define IDS_BYTES (KEYRING_KEYS_MAX * 6 + 1)

struct id_list {
	char text[IDS_BYTES];
	size_t len;
	size_t count;
};

static void id_list_add(struct id_list *l, uint16_t id)
{
	const int n = snprintf(l->text + l->len, sizeof(l->text) - l->len, "%s%u", l->count == 0 ? "" : ",", id);

	l->len += (size_t)n;
	l->count++;
}

enum status_code keyring_file_path(const struct config *c, char ret[static PATH_MAX], struct status *st)
{
	int len;

	if (c->keyring != NULL)
		len = snprintf(ret, PATH_MAX, "%s", c->keyring);
	else
		len = snprintf(ret, PATH_MAX, "%s/keyring", c->state_dir);
	if (len < PATH_MAX)
		return STATUS_OK;
	return status_set(st, STATUS_INVALID_ARGUMENT,
			  "the keyring's path is too long: at most %d bytes; %s is shorter", PATH_MAX - 1,
			  c->keyring != NULL ? "another" : "with another state_dir it");
}

/* A keyring is made at the first start only. Where the embedded Redis has data already it is no first start, and other
 * keys would log everybody out and leave the data unreadable for good. */
static enum status_code make(const struct config *c, const char *path, struct status *st)
{
	char data[PATH_MAX];
	enum status_code code;

	if (snprintf(data, sizeof(data), "%s/redis", c->state_dir) < (int)sizeof(data) && path_exists(data))
		return status_set(st, STATUS_FAILED_PRECONDITION,
				  "%s is missing, but %s has data sealed under it: restore it, or remove the data",
				  path, data);
	code = keyring_create(path, st);
	if (code == STATUS_OK)
		log_event(LOG_INFO, "keyring_created", LOG_STR("file", path),
			  LOG_STR("advice", "back it up; every instance on the same Redis needs this same file"));
	return code == STATUS_ALREADY_EXISTS ? STATUS_OK : code;
}

bool keyring_file_is_readable(const struct config *c)
{
	char path[PATH_MAX];
	struct status st;

	return keyring_file_path(c, path, &st) == STATUS_OK && access(path, R_OK) == 0;
}

enum status_code keyring_file_load(const struct config *c, keyring **ret, struct status *st)
{
	char path[PATH_MAX];

	if (keyring_file_path(c, path, st) != STATUS_OK)
		return st->code;
	if (!path_exists(path) && c->keyring != NULL)
		return status_set(
		    st, STATUS_FAILED_PRECONDITION,
		    "keyring %s does not exist: restore it, or let latchkeyd --new-keyring write a new one", path);
	if (!path_exists(path) && make(c, path, st) != STATUS_OK)
		return st->code;
	return keyring_load(path, ret, st);
}

/* The keys of one keyring that the other lacks. */
static struct id_list difference(const keyring *of, const keyring *other)
{
	struct id_list l = {0};
	struct keyring_key key;

	for (size_t i = 0; keyring_key_at(of, i, &key) && !key.is_retired; i++)
		if (other == NULL || !keyring_has(other, key.id))
			id_list_add(&l, key.id);
	return l;
}

static void report(const char *path, const keyring *old, const keyring *new)
{
	const struct id_list all = difference(new, NULL);
	const struct id_list added = difference(new, old);
	const struct id_list retired = difference(old, new);
	const uint16_t first = keyring_first_id(new);

	log_event(LOG_INFO, "keyring_reloaded", LOG_STR("file", path), LOG_STR("keys", all.text),
		  LOG_UINT("first", first), LOG_STR("added", added.text), LOG_STR("retired", retired.text));
	if (!keyring_has(old, first))
		log_event(LOG_WARN, "keyring_first_is_new", LOG_UINT("first", first),
			  LOG_STR("advice",
				  "instances that have not this key yet refuse the tokens it signs: reload them "
				  "now; next time add a key first and promote it later"));
}

bool keyring_file_reload(const struct config *c, keyring **keys, rpc_server *rpc)
{
	char path[PATH_MAX];
	keyring *new = NULL;
	struct status st;

	if (keyring_file_path(c, path, &st) != STATUS_OK ||
	    keyring_reload(*keys, path, clock_wall_ms(), &new, &st) != STATUS_OK) {
		log_event(LOG_ERROR, "keyring_refused", LOG_STR("text", st.text),
			  LOG_UINT("first", keyring_first_id(*keys)));
		return false;
	}
	rpc_server_use_keys(rpc, new);
	report(path, *keys, new);
	keyring_release(keys);
	*keys = new;
	return true;
}
