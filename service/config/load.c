/* Design note. A load goes: defaults; the file, read twice (outline: syntax and places; document: structure) and parsed
 * value by value; the environment over it; then what no single value shows. Each step adds to the origins where the
 * value in force comes from, so that every later mistake is told where it was made. The config, with its strings, is
 * one arena that config_free drops; origins and document live only during the load. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "config/check.h"
#include "config/config.h"
#include "config/document.h"
#include "config/environment.h"
#include "config/outline.h"

#define DEFAULT_FILE "/etc/latchkey/latchkeyd.yaml"
#define DEFAULT_URL  "tcp://127.0.0.1:7373"

/* The lists of a file of CONFIG_FILE_BYTES_MAX, as structs, with every string in it. */
#define CONFIG_ARENA_BYTES (16 * CONFIG_FILE_BYTES_MAX)
/* An origin and its path for each of the shortest entries, "- a\n": 80 bytes for 4 of the file, and spare. */
#define ORIGIN_ARENA_BYTES (32 * CONFIG_FILE_BYTES_MAX)

struct load {
	struct config *c;
	struct origins origins;
	char *const *environment;
	struct config_error *error;
};

static bool fail_memory(struct load *l)
{
	return origin_fail(&l->origins, l->error, "",
			   "the configuration does not fit in memory; remove what is not needed");
}

static char *copy(struct load *l, const char *text)
{
	const size_t bytes = strlen(text) + 1;
	char *to = arena_alloc(l->c->memory, bytes);

	return to == NULL ? NULL : memcpy(to, text, bytes);
}

/* Defaults must parse: a test holds the table to it. */
static bool set_defaults(struct load *l, const struct config_key *keys, size_t count, void *base)
{
	char wrong[KEY_MESSAGE_BYTES];

	for (size_t i = 0; i < count; i++)
		if (keys[i].default_text != NULL &&
		    !key_parse(&keys[i], keys[i].default_text, l->c->memory, base, wrong))
			return fail_memory(l);
	return true;
}

static bool set_values(struct load *l, const struct config_key *keys, size_t count, char *const *values, const char *at,
		       void *base)
{
	char wrong[KEY_MESSAGE_BYTES];
	char path[ORIGIN_PATH_BYTES];

	if (!set_defaults(l, keys, count, base))
		return false;
	for (size_t i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s%s", at, keys[i].path);
		if (values[i] != NULL && !key_parse(&keys[i], values[i], l->c->memory, base, wrong))
			return origin_fail(&l->origins, l->error, path, "%s", wrong);
	}
	return true;
}

static bool check_count(struct load *l, const char *path, uint32_t count, uint32_t max)
{
	if (count > 0 && count <= max)
		return true;
	return origin_fail(&l->origins, l->error, path, "found %u entries, allowed: 1..%u", count, max);
}

static bool fail_missing(struct load *l, const char *at, const char *key, const char *allowed)
{
	char path[ORIGIN_PATH_BYTES + 8];

	snprintf(path, sizeof(path), "%s%s", at, key);
	return origin_fail(&l->origins, l->error, path, "found nothing, allowed: %s", allowed);
}

static bool set_listeners(struct load *l, const struct document *d)
{
	struct config_listener *list;
	char at[ORIGIN_PATH_BYTES];

	if (origin_find(&l->origins, "listen") == NULL)
		return true;
	if (!check_count(l, "listen", d->listen_count, CONFIG_LISTENERS_MAX))
		return false;
	list = arena_array(l->c->memory, d->listen_count, sizeof(*list));
	if (list == NULL)
		return fail_memory(l);
	for (uint32_t i = 0; i < d->listen_count; i++) {
		snprintf(at, sizeof(at), "listen[%u].", i);
		if (!set_values(l, listener_keys, LISTENER_KEYS, d->listen[i].values, at, &list[i]))
			return false;
		if (list[i].url == NULL)
			return fail_missing(l, at, "url", "an address, such as " DEFAULT_URL);
	}
	l->c->listeners = list;
	l->c->listener_count = d->listen_count;
	return true;
}

static bool add_default_class(struct load *l, struct config_realm *r)
{
	r->classes = arena_array(l->c->memory, 1, sizeof(*r->classes));
	if (r->classes == NULL)
		return fail_memory(l);
	r->classes[0].name = "default";
	r->class_count = 1;
	return set_defaults(l, class_keys, CLASS_KEYS, &r->classes[0]);
}

static bool set_classes(struct load *l, const struct document_realm *d, size_t realm, struct config_realm *r)
{
	char path[ORIGIN_PATH_BYTES];

	snprintf(path, sizeof(path), "realms[%zu].classes", realm);
	if (d->classes_count == 0 && origin_find(&l->origins, path) == NULL)
		return add_default_class(l, r);
	if (!check_count(l, path, d->classes_count, CONFIG_CLASSES_MAX))
		return false;
	r->class_count = d->classes_count;
	r->classes = arena_array(l->c->memory, r->class_count, sizeof(*r->classes));
	if (r->classes == NULL)
		return fail_memory(l);
	for (size_t i = 0; i < r->class_count; i++) {
		snprintf(path, sizeof(path), "realms[%zu].classes[%zu].", realm, i);
		if (!set_values(l, class_keys, CLASS_KEYS, d->classes[i].values, path, &r->classes[i]))
			return false;
		if (r->classes[i].name == NULL)
			return fail_missing(l, path, "name", "a name for the class");
	}
	return true;
}

static bool add_default_tier(struct load *l, struct config_realm *r)
{
	r->profiles.tiers = arena_array(l->c->memory, 1, sizeof(*r->profiles.tiers));
	if (r->profiles.tiers == NULL)
		return fail_memory(l);
	r->profiles.tiers[0].name = "default";
	r->profiles.tier_count = 1;
	return set_defaults(l, tier_keys, TIER_KEYS, &r->profiles.tiers[0]);
}

static bool set_tiers(struct load *l, const struct document_realm *d, size_t realm, struct config_realm *r)
{
	struct config_tier *tiers = arena_array(l->c->memory, d->tiers_count, sizeof(*tiers));
	char path[ORIGIN_PATH_BYTES];

	snprintf(path, sizeof(path), "realms[%zu].profiles.tiers", realm);
	if (d->tiers_count == 0 && origin_find(&l->origins, path) == NULL)
		return add_default_tier(l, r);
	if (!check_count(l, path, d->tiers_count, CONFIG_TIERS_MAX))
		return false;
	if (tiers == NULL)
		return fail_memory(l);
	r->profiles.tiers = tiers;
	r->profiles.tier_count = d->tiers_count;
	for (size_t i = 0; i < r->profiles.tier_count; i++) {
		snprintf(path, sizeof(path), "realms[%zu].profiles.tiers[%zu].", realm, i);
		if (!set_values(l, tier_keys, TIER_KEYS, d->tiers[i].values, path, &tiers[i]))
			return false;
		if (tiers[i].name == NULL)
			return fail_missing(l, path, "name", "a name for the tier");
	}
	return true;
}

static bool set_realms(struct load *l, const struct document *d)
{
	struct config_realm *list;
	char path[ORIGIN_PATH_BYTES];

	if (origin_find(&l->origins, "realms") == NULL)
		return true;
	if (!check_count(l, "realms", d->realms_count, CONFIG_REALMS_MAX))
		return false;
	list = arena_array(l->c->memory, d->realms_count, sizeof(*list));
	if (list == NULL)
		return fail_memory(l);
	for (uint32_t i = 0; i < d->realms_count; i++) {
		snprintf(path, sizeof(path), "realms[%u].", i);
		if (d->realms[i].name == NULL)
			return fail_missing(l, path, "name", "a name for the realm");
		list[i].name = copy(l, d->realms[i].name);
		if (list[i].name == NULL)
			return fail_memory(l);
		if (!set_values(l, realm_keys, REALM_KEYS, d->realms[i].values, path, &list[i]) ||
		    !set_classes(l, &d->realms[i], i, &list[i]) || !set_tiers(l, &d->realms[i], i, &list[i]))
			return false;
	}
	l->c->realms = list;
	l->c->realm_count = d->realms_count;
	return true;
}

static bool set_default_lists(struct load *l)
{
	struct config *c = l->c;

	c->listeners = arena_array(c->memory, 1, sizeof(*c->listeners));
	c->realms = arena_array(c->memory, 1, sizeof(*c->realms));
	if (c->listeners == NULL || c->realms == NULL)
		return fail_memory(l);
	c->listener_count = 1;
	c->listeners[0].url = DEFAULT_URL;
	c->realm_count = 1;
	c->realms[0].name = "default";
	return set_defaults(l, listener_keys, LISTENER_KEYS, &c->listeners[0]) &&
	       set_defaults(l, realm_keys, REALM_KEYS, &c->realms[0]) && add_default_class(l, &c->realms[0]) &&
	       add_default_tier(l, &c->realms[0]);
}

static bool apply_text(struct load *l, span text)
{
	struct document *d = NULL;
	bool is_empty = false;
	bool ok;

	if (!outline_read(&l->origins, text, &is_empty, l->error))
		return false;
	if (is_empty)
		return true;
	if (!document_load(&l->origins, text, &d, l->error))
		return false;
	ok = set_values(l, config_keys, CONFIG_KEYS, d->values, "", l->c) && set_listeners(l, d) && set_realms(l, d);
	document_free(&d);
	return ok;
}

/* One byte more than is allowed, so that a longer file is noticed; a pipe has no size to ask for. */
static bool read_all(struct load *l, int fd, span *ret)
{
	char *text = arena_alloc(l->origins.memory, CONFIG_FILE_BYTES_MAX + 1);
	ssize_t len;

	if (text == NULL)
		return fail_memory(l);
	len = file_read(fd, text, CONFIG_FILE_BYTES_MAX + 1);
	if (len < 0)
		return origin_fail(&l->origins, l->error, "", "cannot be read: %s", strerror(errno));
	if ((size_t)len > CONFIG_FILE_BYTES_MAX)
		return origin_fail(&l->origins, l->error, "", "found more than 1 MiB, allowed: up to %lu bytes",
				   CONFIG_FILE_BYTES_MAX);
	*ret = span_of(text, (size_t)len);
	return true;
}

static bool apply_file(struct load *l)
{
	span text = SPAN_EMPTY;
	bool ok;
	int fd;

	if (l->c->file == NULL)
		return true;
	fd = open(l->c->file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return origin_fail(&l->origins, l->error, "", "cannot be opened: %s", strerror(errno));
	ok = read_all(l, fd, &text);
	(void)close(fd);
	return ok && apply_text(l, text);
}

static bool add_listen_origins(struct load *l, size_t i)
{
	char path[ORIGIN_PATH_BYTES];

	snprintf(path, sizeof(path), "listen[%zu]", i);
	if (!origin_add_variable(&l->origins, path, "LATCHKEY_LISTEN"))
		return fail_memory(l);
	for (size_t k = 0; k < LISTENER_KEYS; k++) {
		snprintf(path, sizeof(path), "listen[%zu].%s", i, listener_keys[k].path);
		if (!origin_add_variable(&l->origins, path, "LATCHKEY_LISTEN"))
			return fail_memory(l);
	}
	return true;
}

/* "URL,URL": replaces the file's whole list. */
static bool apply_listen(struct load *l, const char *urls)
{
	struct config_listener *list = arena_array(l->c->memory, CONFIG_LISTENERS_MAX, sizeof(*list));
	char wrong[KEY_MESSAGE_BYTES];
	char *rest = copy(l, urls);
	size_t count = 0;
	char *url;

	if (list == NULL || rest == NULL || !origin_add_variable(&l->origins, "listen", "LATCHKEY_LISTEN"))
		return fail_memory(l);
	while ((url = strsep(&rest, ",")) != NULL) {
		if (count == CONFIG_LISTENERS_MAX)
			return origin_fail(&l->origins, l->error, "listen",
					   "found more than %d addresses, allowed: 1..%d", CONFIG_LISTENERS_MAX,
					   CONFIG_LISTENERS_MAX);
		if (!add_listen_origins(l, count) || !set_defaults(l, listener_keys, LISTENER_KEYS, &list[count]))
			return false;
		if (!key_parse(&listener_keys[LISTENER_URL], url, l->c->memory, &list[count], wrong))
			return origin_fail(&l->origins, l->error, "listen", "%s", wrong);
		count++;
	}
	l->c->listeners = list;
	l->c->listener_count = count;
	return true;
}

static bool apply_environment(struct load *l)
{
	const char *listen = NULL;

	if (!environment_apply(l->environment, &l->origins, l->c, &listen, l->error))
		return false;
	return listen == NULL || apply_listen(l, listen);
}

/* By the XDG rules a relative XDG_STATE_HOME is to be ignored. */
static bool find_state_dir(struct load *l)
{
	const char *xdg = environment_get(l->environment, "XDG_STATE_HOME");
	const char *home = environment_get(l->environment, "HOME");
	span dir;

	if (l->c->state_dir != NULL)
		return true;
	if (geteuid() == 0)
		dir = arena_printf(l->c->memory, "/var/lib/latchkey");
	else if (xdg != NULL && xdg[0] == '/')
		dir = arena_printf(l->c->memory, "%s/latchkey", xdg);
	else if (home != NULL && home[0] == '/')
		dir = arena_printf(l->c->memory, "%s/.local/state/latchkey", home);
	else
		return origin_fail(
		    &l->origins, l->error, "state_dir",
		    "has no default, because neither XDG_STATE_HOME nor HOME is an absolute path; set it");
	if (dir.ptr == NULL)
		return fail_memory(l);
	l->c->state_dir = (const char *)dir.ptr;
	return true;
}

static bool load_all(struct load *l, const char *file)
{
	if (file != NULL && (l->c->file = copy(l, file)) == NULL)
		return fail_memory(l);
	l->origins.file = l->c->file;
	return set_defaults(l, config_keys, CONFIG_KEYS, l->c) && set_default_lists(l) && apply_file(l) &&
	       apply_environment(l) && find_state_dir(l) && check_config(l->c, &l->origins, l->error);
}

bool config_load(const char *file, char *const *environment, struct config **ret, struct config_error *error)
{
	arena *memory = arena_new(4096, CONFIG_ARENA_BYTES);
	arena *scratch = arena_new(4096, ORIGIN_ARENA_BYTES);
	struct config *c = memory == NULL ? NULL : arena_alloc(memory, sizeof(*c));
	struct load l = {.c = c, .origins = {.memory = scratch}, .environment = environment, .error = error};
	bool ok = false;

	assert(environment != NULL);
	if (c == NULL || scratch == NULL) {
		snprintf(error->text, sizeof(error->text), "out of memory");
		goto out;
	}
	c->memory = memory;
	if (!load_all(&l, file))
		goto out;
	*ret = c;
	memory = NULL;
	ok = true;
out:
	arena_free(&scratch);
	arena_free(&memory);
	return ok;
}

const char *config_find_file(char *const *environment)
{
	const char *named = environment_get(environment, "LATCHKEY_CONFIG");
	struct stat st;

	if (named != NULL && named[0] != 0)
		return named;
	return stat(DEFAULT_FILE, &st) == 0 ? DEFAULT_FILE : NULL;
}

void config_free(struct config **c)
{
	arena *memory;

	if (*c == NULL)
		return;
	memory = (*c)->memory;
	*c = NULL;
	arena_free(&memory);
}
