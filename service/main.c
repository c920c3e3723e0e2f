/* Composition root: parse, wire the parts together, run, drain.
 *
 * Threads. Signals are blocked before the first thread is there; the main thread starts everything, then only waits for
 * signals. Everything else runs on nng's threads.
 *
 * Life. struct service is built up in the order of its members and taken down in the reverse one; service_free takes
 * what a failed start has left as well. */

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "admin/admin.h"
#include "auth/auth.h"
#include "auth/news.h"
#include "base/catalog.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "callers/callers.h"
#include "config/config.h"
#include "config/url.h"
#include "crypto/keyring.h"
#include "file_watch.h"
#include "keyring_file.h"
#include "ops/args.h"
#include "ops/harden.h"
#include "ops/signals.h"
#include "ops/state_dir.h"
#include "ops/welcome.h"
#include "overview.h"
#include "realm/realm.h"
#include "redis/redis.h"
#include "redis/url.h"
#include "reload.h"
#include "rpc/server.h"
#include "session/event_log.h"
#include "session/recent.h"
#include "session/session.h"
#include "tls_files.h"
#include "wire/link.h"
#include "wire/spare.h"
#include "wire/tls.h"

enum exit_status { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Standard streams, nng's epoll and event descriptors, the embedded server's pipes, resolver and log: about 20 in use. */
#define FILES_SPARE 64
/* A link that was closed is gone at once, unless the peer must still take what was flushed. */
#define LINKS_GONE_MS 1000
/* A Redis URL in a log line, which holds 1024 bytes in all; a longer one is cut. */
#define LOG_URL_BYTES 256
/* At the start few are known, those that matter in front. */
#define REDIS_NODES_SHOWN 32
/* Realms and classes as the domain holds them, for the largest configuration: 1024 realms of 32 classes. */
#define REALMS_ARENA_BYTES (4UL * 1024 * 1024)

_Static_assert(CONFIG_REALM_NAME_BYTES_MAX == REALM_NAME_BYTES_MAX, "config lets through what the domain takes");
_Static_assert(CONFIG_CLASS_NAME_BYTES_MAX == CLASS_NAME_BYTES_MAX, "config lets through what the domain takes");
_Static_assert(CONFIG_SESSIONS_MAX_MAX == SESSIONS_MAX_MAX, "config lets through what the domain takes");
_Static_assert(CONFIG_REALM_SESSIONS_MAX_MAX == REALM_SESSIONS_MAX_MAX, "config lets through what the domain takes");
_Static_assert((int)CONFIG_EVICT_OLDEST == (int)AT_CAP_EVICT_OLDEST, "at_cap is handed over as it is");
_Static_assert((int)CONFIG_REFUSE == (int)AT_CAP_REFUSE, "at_cap is handed over as it is");
_Static_assert((int)CONFIG_EVICT_LRU == (int)AT_CAP_EVICT_LRU, "at_cap is handed over as it is");
_Static_assert(CONFIG_REALMS_MAX == METRIC_REALMS_MAX, "each realm has its counters");
_Static_assert(CONFIG_AUTH_LEASE_MS_MIN == AUTH_LEASE_MS_MIN && CONFIG_AUTH_LEASE_MS_MAX == AUTH_LEASE_MS_MAX,
	       "config lets through what the domain takes");
_Static_assert(CONFIG_GRACE_S_MAX == GRACE_S_MAX, "config lets through what the domain takes");
_Static_assert(CONFIG_TIER_NAME_BYTES_MAX == PROFILE_TIER_BYTES_MAX, "config lets through what the domain takes");
_Static_assert((sizeof(struct session_class) * CONFIG_CLASSES_MAX + sizeof(struct profile_tier) * CONFIG_TIERS_MAX +
		sizeof(struct realm)) *
		       CONFIG_REALMS_MAX <
		   REALMS_ARENA_BYTES,
	       "the largest configuration fits");

struct service {
	struct config *config;
	wire_spare *spare;
	file_watch *files; /* that the configuration names */
	keyring *keys;
	callers *callers; /* NULL: callers are not told apart */
	arena *memory;	  /* of realms */
	struct realms realms;
	wire_tls *redis_tls;
	wire_tls *listener_tls[CONFIG_LISTENERS_MAX]; /* of those that have TLS */
	recent *recent;
	not_before *not_before;
	event_log *events;
	auth_news *auth_news;
	redis *redis;
	rpc_server *rpc;
	struct overview overview;
	admin *admin;
};

static enum exit_status fail(enum exit_status status, const char *text)
{
	fprintf(stderr, "latchkeyd: %s\n", text);
	return status;
}

/* service/redis's events, from any thread. */
static void log_redis_event(void *owner, const struct redis_event *e)
{
	const struct {
		const char *name;
		const char *text;
	} texts[] = {
	    {"node", e->node}, {"from", e->from}, {"version", e->version}, {"error", e->error}, {"text", e->text}};
	const struct {
		const char *name;
		uint64_t number;
	} numbers[] = {{"attempt", e->attempt},
		       {"slots", e->slots},
		       {"commands", e->commands},
		       {"took_ms", e->took_ms},
		       {"not_logged", e->not_logged}};
	struct log_field fields[sizeof(texts) / sizeof(texts[0]) + sizeof(numbers) / sizeof(numbers[0])];
	size_t count = 0;

	(void)owner;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].text != NULL)
			fields[count++] = LOG_STR(texts[i].name, texts[i].text);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i].number != 0)
			fields[count++] = LOG_UINT(numbers[i].name, numbers[i].number);
	log_write(e->kind == REDIS_EVENT_PROBLEM  ? LOG_WARN
		  : e->kind == REDIS_EVENT_DETAIL ? LOG_DEBUG
						  : LOG_INFO,
		  e->name, fields, count);
}

static enum status_code allow_files(const struct config *c, struct status *st)
{
	return harden_allow_files((uint64_t)c->connections.max + c->redis.connections + c->listener_count +
				      c->admin.connections_max + FILES_SPARE,
				  st);
}

static enum status_code prepare_state_dir(const struct config *c, struct status *st)
{
	const bool is_used = c->keyring == NULL || strcmp(c->redis.url, "embedded:") == 0;

	return is_used ? state_dir_prepare(c->state_dir, st) : STATUS_OK;
}

static bool fill_profiles(arena *memory, const struct config_realm *from, struct profile_policy *to)
{
	to->jitter_percent = from->profiles.jitter_percent;
	to->has_changes = from->profiles.changes != 0;
	to->changes_max = from->profiles.changes_max;
	to->tier_count = from->profiles.tier_count;
	to->tiers = arena_array(memory, to->tier_count, sizeof(*to->tiers));
	if (to->tiers == NULL)
		return false;
	for (size_t i = 0; i < to->tier_count; i++)
		to->tiers[i] = (struct profile_tier){.name = span_str(from->profiles.tiers[i].name),
						     .ttl_s = from->profiles.tiers[i].ttl_s};
	return true;
}

static bool fill_realm(arena *memory, const struct config_realm *from, struct realm *to)
{
	to->name = span_str(from->name);
	to->wait_replicas = from->wait_replicas;
	to->wait_ms = from->wait_ms;
	to->has_events = from->events != 0;
	to->visitors = (struct visitors_policy){.hour_retention_h = from->hour_retention_h,
						.day_retention_d = from->day_retention_d};
	to->auth = (struct auth_policy){.ttl_s = from->auth.ttl_s,
					.negative_ttl_s = from->auth.negative_ttl_s,
					.stale_s = from->auth.stale_s,
					.jitter_percent = from->auth.jitter_percent,
					.lease_ms = from->auth.lease_ms,
					.early_percent = from->auth.early_percent};
	to->class_count = from->class_count;
	to->classes = arena_array(memory, from->class_count, sizeof(*to->classes));
	if (to->classes == NULL)
		return false;
	for (size_t i = 0; i < from->class_count; i++) {
		const struct config_class *class = &from->classes[i];

		to->classes[i].name = span_str(class->name);
		to->classes[i].policy = (struct session_policy){.idle_timeout_s = class->idle_timeout_s,
								.absolute_timeout_s = class->absolute_timeout_s,
								.sessions_max = class->sessions_max,
								.at_cap = (enum at_cap) class->at_cap,
								.tombstone_s = class->tombstone_s,
								.touch_interval_s = class->touch_interval_s,
								.grace_s = class->grace_s,
								.privileged_s = class->privileged_s};
	}
	return fill_profiles(memory, from, &to->profiles);
}

static enum status_code make_realms(struct service *s, struct status *st)
{
	const struct config *c = s->config;
	bool ok = true;

	s->memory = arena_new(1024, REALMS_ARENA_BYTES);
	if (s->memory != NULL)
		s->realms.realms = arena_array(s->memory, c->realm_count, sizeof(*s->realms.realms));
	if (s->realms.realms == NULL)
		return status_set(st, STATUS_RESOURCE_EXHAUSTED, "out of memory for the realms");
	s->realms.count = c->realm_count;
	for (size_t i = 0; i < c->realm_count && ok; i++)
		ok = fill_realm(s->memory, &c->realms[i], &s->realms.realms[i]);
	if (!ok)
		return status_set(st, STATUS_RESOURCE_EXHAUSTED, "out of memory for the realms");
	return realms_seal(&s->realms, s->keys, st);
}

struct passwords {
	char redis[CONFIG_PASSWORD_BYTES_MAX + 1];
	char sentinel[CONFIG_PASSWORD_BYTES_MAX + 1];
};

/* False: nothing is left in *ret. */
static bool read_passwords(const struct config *c, struct passwords *ret, struct config_error *error)
{
	if (config_read_password("redis.password_file", c->redis.password_file, ret->redis, error) &&
	    config_read_password("redis.sentinel_password_file", c->redis.sentinel_password_file, ret->sentinel, error))
		return true;
	explicit_bzero(ret, sizeof(*ret));
	return false;
}

/* What other instances, and this one, have announced. */
static void hear(void *owner, uint64_t source, span message)
{
	const struct service *s = owner;

	const struct session_ears ears = {
	    .recent = s->recent,
	    .not_before = s->not_before,
	    .realms = &s->realms,
	    .events = s->events,
	    .source = source,
	    .now_ms = clock_wall_ms(),
	};

	session_hear(&ears, message, clock_mono_ms());
	auth_news_hear(s->auth_news, message, clock_mono_ms());
}

static void hear_nothing(void *owner)
{
	const struct service *s = owner;

	event_log_gap(s->events);
}

static enum status_code open_redis(struct service *s, struct status *st)
{
	const struct config *c = s->config;
	struct passwords secret;
	struct config_error error;
	struct redis_options o = {.url = c->redis.url,
				  .user = c->redis.user,
				  .state_dir = c->state_dir,
				  .server_binary = c->redis.server_binary,
				  .connections = c->redis.connections,
				  .connect_timeout_ms = c->redis.connect_timeout_ms,
				  .response_timeout_ms = c->redis.response_timeout_ms,
				  .commands_in_flight_max = c->redis.commands_in_flight_max,
				  .breaker_ms = c->redis.breaker_ms,
				  .late_ms = c->redis.late_ms,
				  .failover_wait_ms = c->redis.failover_wait_ms,
				  .unconfirmed_ms = c->redis.unconfirmed_ms,
				  .replay_window_ms = c->redis.replay_window_ms,
				  .replay_bytes_max = c->redis.replay_bytes_max,
				  .replica_lag_max_ms = c->redis.replica_lag_max_ms,
				  .sentinel_user = c->redis.sentinel_user,
				  .tls = s->redis_tls,
				  .events = {.report = log_redis_event},
				  .heard = hear,
				  .missed = hear_nothing};
	enum status_code code;

	s->recent = recent_new(c->redis.replay_window_ms);
	s->not_before = not_before_new(s->realms.count);
	s->events = event_log_new();
	s->auth_news = auth_news_new();
	if (s->recent == NULL || s->not_before == NULL || s->events == NULL || s->auth_news == NULL)
		return status_set(st, STATUS_RESOURCE_EXHAUSTED, "out of memory");
	o.heard_owner = s;
	if (!read_passwords(c, &secret, &error))
		return status_set(st, STATUS_INVALID_ARGUMENT, "%s", error.text);
	o.password = secret.redis[0] == 0 ? NULL : secret.redis;
	o.sentinel_password = secret.sentinel[0] == 0 ? NULL : secret.sentinel;
	code = redis_open(&o, &s->redis, st);
	explicit_bzero(&secret, sizeof(secret));
	return code;
}

static enum status_code open_rpc(struct service *s, struct status *st)
{
	const struct config *c = s->config;
	const struct rpc_options o = {.realms = &s->realms,
				      .keys = s->keys,
				      .callers = s->callers,
				      .store = redis_store(s->redis),
				      .recent = s->recent,
				      .not_before = s->not_before,
				      .events = s->events,
				      .auth_news = s->auth_news,
				      .replay_window_ms = c->redis.replay_window_ms,
				      .timeout_default_ms = c->calls.timeout_default_ms,
				      .timeout_max_ms = c->calls.timeout_max_ms,
				      .connections_max = c->connections.max,
				      .frames_in_flight_max = c->calls.frames_in_flight_max,
				      .frames_in_flight_per_connection_max =
					  c->calls.frames_in_flight_per_connection_max,
				      .connection_age_max_ms = c->connections.age_max_ms,
				      .limits = {.connect_timeout_ms = c->connections.handshake_timeout_ms,
						 .idle_timeout_ms = c->connections.idle_timeout_ms,
						 .stall_timeout_ms = c->connections.stall_timeout_ms,
						 .input_bytes_max = RPC_FRAME_BYTES_MAX,
						 .output_bytes_max = c->connections.output_bytes_max}};

	return rpc_server_new(&o, &s->rpc, st);
}

/* Before Redis is waited for: probes are answered from here on. */
static enum status_code open_admin(struct service *s, struct status *st)
{
	s->overview.rpc = s->rpc;
	s->overview.store = redis_store(s->redis);
	s->overview.recent = s->recent;
	s->overview.realms = &s->realms;
	return overview_open_admin(&s->overview, s->config, &s->admin, st);
}

static enum status_code listen_on(struct service *s, size_t i, struct status *st)
{
	const struct config_listener *l = &s->config->listeners[i];
	enum status_code code = tls_files_load_listener(l, &s->listener_tls[i], st);

	return code == STATUS_OK ? rpc_server_listen(s->rpc, l->url, s->listener_tls[i], l->ipc_mode, st) : code;
}

static void warn_of_redis(const struct service *s)
{
	static const char text[] = "not reached yet; calls are answered UNAVAILABLE until it is";
	struct store_node nodes[REDIS_NODES_SHOWN];
	const size_t known = store_nodes(redis_store(s->redis), nodes, REDIS_NODES_SHOWN);

	for (size_t i = 0; i < known && i < REDIS_NODES_SHOWN; i++) {
		if (nodes[i].error[0] == 0)
			continue;
		log_event(LOG_WARN, "redis_unavailable", LOG_STR("node", nodes[i].address),
			  LOG_STR("error", nodes[i].error), LOG_STR("text", text));
		return;
	}
	log_event(LOG_WARN, "redis_unavailable", LOG_STR("text", text));
}

/* Waits a moment for Redis, so that the first calls are not refused; one that is down is no reason not to start. */
static void await_redis(struct service *s)
{
	const uint32_t patience_ms = s->config->redis.connect_timeout_ms;

	if (!redis_wait_ready(s->redis, patience_ms))
		warn_of_redis(s);
	else if (!rpc_server_wait_realms(s->rpc, patience_ms))
		log_event(LOG_WARN, "realms_unknown",
			  LOG_STR("text", "not known yet whether they were revoked; until then Get is UNAVAILABLE"));
}

static enum status_code load_callers(struct service *s, struct status *st)
{
	return s->config->credentials == NULL ? STATUS_OK : callers_load(s->config->credentials, &s->callers, st);
}

static enum status_code service_start(struct service *s, struct status *st)
{
	enum status_code code;

	s->spare = wire_spare_threads(s->config->calls.threads);
	/* Before the first of them is read. */
	s->files = file_watch_new(s->config);
	if (s->files == NULL)
		return status_set(st, STATUS_RESOURCE_EXHAUSTED, "out of memory");
	if ((code = harden_process(st)) != STATUS_OK || (code = allow_files(s->config, st)) != STATUS_OK ||
	    (code = prepare_state_dir(s->config, st)) != STATUS_OK ||
	    (code = keyring_file_load(s->config, &s->keys, st)) != STATUS_OK ||
	    (code = load_callers(s, st)) != STATUS_OK || (code = make_realms(s, st)) != STATUS_OK ||
	    (code = tls_files_load_redis(s->config, &s->redis_tls, st)) != STATUS_OK ||
	    (code = open_redis(s, st)) != STATUS_OK || (code = open_rpc(s, st)) != STATUS_OK ||
	    (code = open_admin(s, st)) != STATUS_OK)
		return code;
	await_redis(s);
	for (size_t i = 0; i < s->config->listener_count && code == STATUS_OK; i++)
		code = listen_on(s, i, st);
	atomic_store(&s->overview.is_listening, code == STATUS_OK);
	return code;
}

static void announce(const struct service *s, const char *program)
{
	struct store_state state;

	store_get_state(redis_store(s->redis), &state);
	for (size_t i = 0; rpc_server_url(s->rpc, i) != NULL; i++)
		log_event(LOG_INFO, "listening", LOG_STR("url", rpc_server_url(s->rpc, i)));
	log_event(LOG_INFO, "ready", LOG_STR("url", rpc_server_url(s->rpc, 0)), LOG_STR("redis", state.mode),
		  LOG_UINT("realms", s->realms.count));
	if (welcome_is_wanted())
		welcome_print(rpc_server_url(s->rpc, 0), program, s->config->state_dir);
}

static void reload_files(struct service *s)
{
	const struct reload r = {.config = s->config,
				 .keys = &s->keys,
				 .callers = &s->callers,
				 .listener_tls = s->listener_tls,
				 .redis_tls = s->redis_tls,
				 .rpc = s->rpc};

	file_watch_accept(s->files);
	atomic_store(&s->overview.refused, reload(&r));
}

/* Until it is to end. */
static void serve(struct service *s)
{
	enum signal_request asked;

	while ((asked = signals_wait(s->config->reload.check_ms)) != SIGNAL_STOP)
		if (asked == SIGNAL_RELOAD || file_watch_has_changed(s->files))
			reload_files(s);
}

static void sleep_ms(uint32_t ms)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

static enum exit_status service_drain(struct service *s)
{
	const struct config *c = s->config;
	bool is_whole;

	signals_end_at_once();
	log_event(LOG_INFO, "draining", LOG_UINT("delay_ms", c->drain.delay_ms),
		  LOG_UINT("timeout_ms", c->drain.timeout_ms));
	rpc_server_set_draining(s->rpc);
	sleep_ms(c->drain.delay_ms);
	is_whole = rpc_server_drain(s->rpc, c->drain.timeout_ms);
	if (!is_whole)
		log_event(LOG_WARN, "calls_cut_off", LOG_UINT("timeout_ms", c->drain.timeout_ms));
	return is_whole ? EXIT_DONE : EXIT_FAILED;
}

static void service_free(struct service *s)
{
	admin_close(&s->admin);
	rpc_server_free(&s->rpc);
	redis_close(&s->redis);
	recent_free(&s->recent);
	not_before_free(&s->not_before);
	event_log_free(&s->events);
	auth_news_free(&s->auth_news);
	wire_tls_release(&s->redis_tls);
	for (size_t i = 0; i < CONFIG_LISTENERS_MAX; i++)
		wire_tls_release(&s->listener_tls[i]);
	(void)wire_drain(LINKS_GONE_MS);
	wire_spare_release(&s->spare);
	arena_free(&s->memory);
	keyring_release(&s->keys);
	callers_release(&s->callers);
	file_watch_free(&s->files);
	config_free(&s->config);
}

static void log_start(const struct config *c)
{
	char redis_url[LOG_URL_BYTES];

	config_mask_url(c->redis.url, redis_url, sizeof(redis_url));
	log_event(LOG_INFO, "starting", LOG_STR("version", LK_VERSION),
		  LOG_STR("config", c->file == NULL ? "none" : c->file), LOG_STR("redis", redis_url));
}

static enum exit_status run(struct config *c, const char *program)
{
	struct service s = {.config = c};
	enum exit_status status;
	struct status st;

	log_set_level((enum log_level)c->log_level);
	log_start(c);
	if (service_start(&s, &st) != STATUS_OK) {
		service_free(&s);
		return fail(EXIT_FAILED, st.text);
	}
	announce(&s, program);
	serve(&s);
	status = service_drain(&s);
	service_free(&s);
	log_event(LOG_INFO, "stopped", LOG_INT("status", (int)status));
	return status;
}

static enum exit_status new_keyring(const char *path)
{
	struct status st;

	if (harden_process(&st) != STATUS_OK || keyring_create(path, &st) != STATUS_OK)
		return fail(EXIT_FAILED, st.text);
	printf("wrote %s; every instance on the same Redis needs this same file\n", path);
	return EXIT_DONE;
}

static enum exit_status add_key(const char *path)
{
	struct status st;
	uint16_t id;

	if (harden_process(&st) != STATUS_OK || keyring_add_key(path, &id, &st) != STATUS_OK)
		return fail(EXIT_FAILED, st.text);
	printf("added key %u to %s, behind the others; give the file to every instance and send each SIGHUP, then "
	       "--promote-key %u\n",
	       id, path, id);
	return EXIT_DONE;
}

static enum exit_status promote_key(const char *path, uint16_t id)
{
	struct status st;

	if (harden_process(&st) != STATUS_OK || keyring_promote_key(path, id, &st) != STATUS_OK)
		return fail(EXIT_FAILED, st.text);
	printf("key %u is the first of %s; give the file to every instance and send each SIGHUP\n", id, path);
	return EXIT_DONE;
}

/* What the configuration names outside itself, as far as it can be told without starting anything. */
static bool check_references(const struct config *c, struct config_error *error)
{
	struct passwords secret;
	struct redis_url url;
	struct status st;
	bool is_good;

	if (redis_url_parse(c->redis.url, &url, &st) != STATUS_OK) {
		(void)snprintf(error->text, sizeof(error->text), "%s", st.text);
		return false;
	}
	redis_url_wipe(&url);
	is_good = read_passwords(c, &secret, error);
	explicit_bzero(&secret, sizeof(secret));
	return is_good;
}

static enum exit_status print_config(struct config *c)
{
	const bool ok = config_print(c, stdout);

	config_free(&c);
	return ok ? EXIT_DONE : fail(EXIT_FAILED, "cannot write the configuration to standard output");
}

static enum exit_status print_schema(void)
{
	return config_print_schema(stdout) ? EXIT_DONE
					   : fail(EXIT_FAILED, "cannot write the schema to standard output");
}

/* With the keyring at hand also what hangs on it: whether it opens, and whether realms and classes can be told apart. */
static enum exit_status report_config(struct config *c)
{
	struct service s = {.config = c};
	struct status st;

	if (load_callers(&s, &st) != STATUS_OK) {
		service_free(&s);
		return fail(EXIT_USAGE, st.text);
	}
	if (keyring_file_is_readable(c) &&
	    (keyring_file_load(c, &s.keys, &st) != STATUS_OK || make_realms(&s, &st) != STATUS_OK)) {
		service_free(&s);
		return fail(EXIT_USAGE, st.text);
	}
	printf("%s: valid\n", c->file == NULL ? "the environment, with no file" : c->file);
	service_free(&s);
	return EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct args args;
	struct config *c = NULL;
	struct config_error error;

	signals_block();
	args = args_parse(argc, argv);
	if (!crypto_start())
		return fail(EXIT_FAILED, "libsodium cannot start: no randomness to be had");
	switch (args.action) {
	case ARGS_NEW_KEYRING:
		return new_keyring(args.keyring);
	case ARGS_ADD_KEY:
		return add_key(args.keyring);
	case ARGS_PROMOTE_KEY:
		return promote_key(args.keyring, args.key);
	case ARGS_PRINT_METRICS:
		return catalog_print(stdout) ? EXIT_DONE : fail(EXIT_FAILED, "cannot write to standard output");
	case ARGS_PRINT_SCHEMA:
		return print_schema();
	default:
		break;
	}
	if (!config_load(args.config_file == NULL ? config_find_file(environ) : args.config_file, environ, &c, &error))
		return fail(EXIT_USAGE, error.text);
	if (args.action != ARGS_PRINT_CONFIG && !check_references(c, &error)) {
		config_free(&c);
		return fail(EXIT_USAGE, error.text);
	}
	switch (args.action) {
	case ARGS_CHECK_CONFIG:
		return report_config(c);
	case ARGS_PRINT_CONFIG:
		return print_config(c);
	default:
		return run(c, argv[0]);
	}
}
