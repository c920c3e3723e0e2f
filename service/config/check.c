#include "config/check.h"

#include "config/keys.h"
#include "config/url.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct check {
	const struct config *c;
	const struct origins *o;
	struct config_error *error;
};

static bool check_tls(const struct check *k, const struct config_listener *l, const struct listen_url *url,
		      const char *path, const char *shown)
{
	const bool has_pair = l->tls.cert != NULL && l->tls.key != NULL;

	if (url->scheme == LISTEN_TLS && !has_pair)
		return origin_fail(k->o, k->error, path,
				   "tls+tcp:// needs tls.cert and tls.key beside it; or listen on tcp://");
	if (url->scheme != LISTEN_TLS && (l->tls.cert != NULL || l->tls.key != NULL || l->tls.client_ca != NULL))
		return origin_fail(k->o, k->error, path, "has a tls section but is not tls+tcp://; change one of them");
	/* Whoever can reach the service can log anybody in. */
	if (!url->is_loopback && k->c->credentials == NULL)
		return origin_fail(k->o, k->error, path,
				   "found %s, which is reachable from other machines, whose callers nothing here can "
				   "tell apart: name a file of their credentials (credentials), or listen on a "
				   "loopback address, such as "
				   "tcp://127.0.0.1:7373, or ipc:///path",
				   shown);
	return true;
}

static bool check_listener(const struct check *k, size_t i)
{
	const struct config_listener *l = &k->c->listeners[i];
	char path[ORIGIN_PATH_BYTES];
	char shown[KEY_QUOTED_BYTES];
	struct listen_url url;
	const char *wrong = listen_url_check(l->url, &url);

	snprintf(path, sizeof(path), "listen[%zu].url", i);
	key_quote(l->url, shown);
	if (wrong != NULL)
		return origin_fail(k->o, k->error, path, "found %s, which %s", shown, wrong);
	for (size_t j = 0; j < i; j++)
		if (strcmp(k->c->listeners[j].url, l->url) == 0 && (url.scheme == LISTEN_IPC || url.port != 0))
			return origin_fail(k->o, k->error, path, "found %s a second time; remove it", shown);
	if (!check_tls(k, l, &url, path, shown))
		return false;
	snprintf(path, sizeof(path), "listen[%zu].ipc_mode", i);
	if (url.scheme != LISTEN_IPC && origin_find(k->o, path) != NULL && origin_find(k->o, path)->variable == NULL)
		return origin_fail(k->o, k->error, path, "is for ipc:// only; remove it");
	return true;
}

static bool check_redis(const struct check *k)
{
	const struct config *c = k->c;
	char masked[KEY_MESSAGE_BYTES];
	char shown[KEY_QUOTED_BYTES];

	config_mask_url(c->redis.url, masked, sizeof(masked));
	key_quote(masked, shown);
	if (!redis_url_is_known(c->redis.url))
		return origin_fail(k->o, k->error, "redis.url",
				   "found %s, allowed: redis://host, redis+sentinel://host,.../name, "
				   "redis+cluster://host,..., the same with rediss, unix:///path, embedded: or "
				   "embedded:/folder",
				   shown);
	if (url_is_masked(c->redis.url))
		return origin_fail(k->o, k->error, "redis.url",
				   "found %s, whose password --print-config has masked; use redis.password_file",
				   shown);
	if ((c->redis.tls_cert == NULL) != (c->redis.tls_key == NULL))
		return origin_fail(k->o, k->error, c->redis.tls_cert == NULL ? "redis.tls_key" : "redis.tls_cert",
				   "is set alone; redis.tls_cert and redis.tls_key belong together");
	if (redis_url_is_tls(c->redis.url) && c->redis.tls_ca == NULL)
		return origin_fail(k->o, k->error, "redis.url",
				   "is %s, which needs redis.tls_ca: the file with the certificates that the server's "
				   "must be signed by",
				   shown);
	return true;
}

static bool none_is_set(const struct check *k, const enum key_id *keys, size_t count, const char *why)
{
	for (size_t i = 0; i < count; i++)
		if (key_text(&config_keys[keys[i]], k->c) != NULL)
			return origin_fail(k->o, k->error, config_keys[keys[i]].path, "%s", why);
	return true;
}

/* The user's name travels with the password only: without one the connection would be the default user's. */
static bool check_sentinel_user(const struct check *k)
{
	if (k->c->redis.sentinel_user == NULL || k->c->redis.sentinel_password_file != NULL)
		return true;
	return origin_fail(k->o, k->error, "redis.sentinel_user",
			   "is set without a password; name the file that holds it in redis.sentinel_password_file");
}

/* Settings that would be ignored in silence, above all those that somebody relies on for safety. */
static bool check_redis_mode(const struct check *k)
{
	static const enum key_id tls_keys[] = {KEY_redis_tls_ca, KEY_redis_tls_cert, KEY_redis_tls_key,
					       KEY_redis_tls_server_name};
	static const enum key_id login_keys[] = {KEY_redis_user, KEY_redis_password_file};
	static const enum key_id sentinel_keys[] = {KEY_redis_sentinel_user, KEY_redis_sentinel_password_file};
	const char *url = k->c->redis.url;

	return (redis_url_is_tls(url) || none_is_set(k, tls_keys, COUNT(tls_keys),
						     "is set, but redis.url is not rediss://, rediss+sentinel:// or "
						     "rediss+cluster://; remove it or use one of them")) &&
	       (strncmp(url, "embedded:", 9) != 0 ||
		none_is_set(k, login_keys, COUNT(login_keys),
			    "is set, but redis.url is embedded:, which has no accounts; remove it")) &&
	       (redis_url_is_sentinel(url) || none_is_set(k, sentinel_keys, COUNT(sentinel_keys),
							  "is set, but redis.url names no Sentinels; remove it or use "
							  "redis+sentinel://")) &&
	       check_sentinel_user(k);
}

/* small may not be over large; the mistake is told where it was made: at the one that is set. */
static bool check_order(const struct check *k, const char *base, const struct config_key *small,
			const struct config_key *large, const void *of)
{
	const uint32_t a = key_number(small, of);
	const uint32_t b = key_number(large, of);
	char path[ORIGIN_PATH_BYTES];
	char other[ORIGIN_PATH_BYTES];

	if (a <= b)
		return true;
	snprintf(path, sizeof(path), "%s%s", base, small->path);
	snprintf(other, sizeof(other), "%s%s", base, large->path);
	if (origin_find(k->o, path) == NULL)
		return origin_fail(k->o, k->error, other, "found %u, allowed: at least %s, which is %u", b, small->path,
				   a);
	return origin_fail(k->o, k->error, path, "found %u, allowed: at most %s, which is %u", a, large->path, b);
}

static bool is_name(const char *name)
{
	return name[0] != 0 && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-")] == 0;
}

static bool check_name(const struct check *k, const char *path, const char *name, size_t bytes_max)
{
	char shown[KEY_QUOTED_BYTES];

	if (is_name(name) && strlen(name) <= bytes_max)
		return true;
	key_quote(name, shown);
	return origin_fail(k->o, k->error, path, "found %s, allowed: 1..%zu of a-z 0-9 . _ -", shown, bytes_max);
}

/* A session slid just before its interval was over ends that much early: so half of what was promised is kept. */
static bool check_touch(const struct check *k, const char *base, const struct config_class *class)
{
	char path[ORIGIN_PATH_BYTES];

	if (class->touch_interval_s <= class->idle_timeout_s / 2)
		return true;
	snprintf(path, sizeof(path), "%s%s", base, class_keys[CLASS_TOUCH].path);
	return origin_fail(k->o, k->error, path, "found %u, allowed: at most half of idle_timeout_s, which is %u",
			   class->touch_interval_s, class->idle_timeout_s);
}

static bool check_class(const struct check *k, size_t realm, size_t i)
{
	const struct config_realm *r = &k->c->realms[realm];
	const struct config_class *class = &r->classes[i];
	char path[ORIGIN_PATH_BYTES];

	snprintf(path, sizeof(path), "realms[%zu].classes[%zu].name", realm, i);
	if (!check_name(k, path, class->name, CONFIG_CLASS_NAME_BYTES_MAX))
		return false;
	for (size_t j = 0; j < i; j++)
		if (strcmp(r->classes[j].name, class->name) == 0)
			return origin_fail(k->o, k->error, path,
					   "class \"%s\" is already there in realm \"%s\"; rename one", class->name,
					   r->name);
	snprintf(path, sizeof(path), "realms[%zu].classes[%zu].", realm, i);
	return check_order(k, path, &class_keys[CLASS_IDLE], &class_keys[CLASS_ABSOLUTE], class) &&
	       check_touch(k, path, class);
}

static bool check_tiers(const struct check *k, size_t realm)
{
	const struct config_realm *r = &k->c->realms[realm];
	char path[ORIGIN_PATH_BYTES];

	for (size_t i = 0; i < r->profiles.tier_count; i++) {
		const char *name = r->profiles.tiers[i].name;

		snprintf(path, sizeof(path), "realms[%zu].profiles.tiers[%zu].name", realm, i);
		if (!check_name(k, path, name, CONFIG_TIER_NAME_BYTES_MAX))
			return false;
		for (size_t j = 0; j < i; j++)
			if (strcmp(r->profiles.tiers[j].name, name) == 0)
				return origin_fail(k->o, k->error, path,
						   "tier \"%s\" is already there in realm \"%s\"; rename one", name,
						   r->name);
	}
	return true;
}

/* Told at the largest, which is where most is to be had. */
static bool check_sessions_sum(const struct check *k, size_t realm)
{
	const struct config_realm *r = &k->c->realms[realm];
	char path[ORIGIN_PATH_BYTES];
	size_t largest = 0;
	uint64_t sum = 0;

	for (size_t i = 0; i < r->class_count; i++) {
		sum += r->classes[i].sessions_max;
		if (r->classes[i].sessions_max > r->classes[largest].sessions_max)
			largest = i;
	}
	if (sum <= CONFIG_REALM_SESSIONS_MAX_MAX)
		return true;
	snprintf(path, sizeof(path), "realms[%zu].classes[%zu].%s", realm, largest, class_keys[CLASS_SESSIONS].path);
	return origin_fail(
	    k->o, k->error, path,
	    "found %u, which makes %llu with the other classes of realm \"%s\", allowed: at most %d in sum; "
	    "lower some of them",
	    r->classes[largest].sessions_max, (unsigned long long)sum, r->name, CONFIG_REALM_SESSIONS_MAX_MAX);
}

static bool check_realm(const struct check *k, size_t i)
{
	const struct config_realm *r = &k->c->realms[i];
	char path[ORIGIN_PATH_BYTES];

	snprintf(path, sizeof(path), "realms[%zu].name", i);
	if (!check_name(k, path, r->name, CONFIG_REALM_NAME_BYTES_MAX))
		return false;
	for (size_t j = 0; j < i; j++)
		if (strcmp(k->c->realms[j].name, r->name) == 0)
			return origin_fail(k->o, k->error, path, "realm \"%s\" is already there; rename one", r->name);
	for (size_t j = 0; j < r->class_count; j++)
		if (!check_class(k, i, j))
			return false;
	return check_tiers(k, i) && check_sessions_sum(k, i);
}

/* The service keeps them while it runs; a relative one would depend on where it was started. */
static bool check_state_dir(const struct check *k)
{
	char shown[KEY_QUOTED_BYTES];

	if (k->c->state_dir[0] == '/')
		return true;
	key_quote(k->c->state_dir, shown);
	return origin_fail(k->o, k->error, "state_dir", "found %s, allowed: an absolute path", shown);
}

static bool check_admin(const struct check *k)
{
	const char *url = k->c->admin.listen;
	const char *wrong = url == NULL ? NULL : admin_url_check(url);
	char shown[KEY_QUOTED_BYTES];

	if (wrong == NULL)
		return true;
	key_quote(url, shown);
	return origin_fail(k->o, k->error, "admin.listen", "found %s, which %s", shown, wrong);
}

bool check_config(const struct config *c, const struct origins *o, struct config_error *error)
{
	const struct check k = {.c = c, .o = o, .error = error};

	for (size_t i = 0; i < c->listener_count; i++)
		if (!check_listener(&k, i))
			return false;
	for (size_t i = 0; i < c->realm_count; i++)
		if (!check_realm(&k, i))
			return false;
	return check_state_dir(&k) && check_admin(&k) && check_redis(&k) && check_redis_mode(&k) &&
	       check_order(&k, "", &config_keys[KEY_calls_timeout_default_ms], &config_keys[KEY_calls_timeout_max_ms],
			   c) &&
	       check_order(&k, "", &config_keys[KEY_calls_frames_in_flight_per_connection_max],
			   &config_keys[KEY_calls_frames_in_flight_max], c);
}
