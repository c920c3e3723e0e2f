#ifndef LK_CONFIG_CONFIG_H
#define LK_CONFIG_CONFIG_H

/* The service's configuration: one YAML file, overridden key by key by the environment. config.def is the table of all
 * keys: defaults, ranges, the environment's names and --print-config come from it.
 *
 * Immutable once loaded; thread-safe to read. */

#include <stdio.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/status.h"

/* A thousand realms with three classes each fit, every key written out as config_print does; ten, if they name only what
 * differs from the defaults. */
#define CONFIG_FILE_BYTES_MAX (1024UL * 1024)
/* Loopback and a public address over tcp, tls+tcp and ipc are six. */
#define CONFIG_LISTENERS_MAX 16
/* Realms are told apart by 16 bits in a record's header: with 1024 of them the chance that one more name meets the tag of
 * another is 1.6 %, and the remedy is another name for that one. Among 100 that are there at once the chance is 7 %. */
#define CONFIG_REALMS_MAX 1024
/* Web, "remember me", mobile, API, administrator, step-up: few need ten. */
#define CONFIG_CLASSES_MAX	    32
#define CONFIG_REALM_NAME_BYTES_MAX 64
#define CONFIG_CLASS_NAME_BYTES_MAX 32
#define CONFIG_SESSIONS_MAX_MAX	    10000
/* Of all of a realm's classes together. */
#define CONFIG_REALM_SESSIONS_MAX_MAX 12500
#define CONFIG_GRACE_S_MAX	      300
/* Guests, users, those of last year: few need four. */
#define CONFIG_TIERS_MAX	   8
#define CONFIG_TIER_NAME_BYTES_MAX 32
#define CONFIG_AUTH_LEASE_MS_MIN   10
#define CONFIG_AUTH_LEASE_MS_MAX   60000
/* Where file, key, finding and remedy fit even with a long path; longer ones are cut. */
#define CONFIG_ERROR_BYTES 1024
/* Redis itself takes passwords of any length; 512 hexadecimal characters are 2048 bits. */
#define CONFIG_PASSWORD_BYTES_MAX 512

/* One sentence: file, line and column or variable; key; what was found; what is allowed. */
struct config_error {
	char text[CONFIG_ERROR_BYTES];
};

enum config_at_cap { CONFIG_EVICT_OLDEST, CONFIG_REFUSE, CONFIG_EVICT_LRU };

struct config_listener {
	const char *url;
	struct {
		const char *cert; /* NULL, as key, unless the URL is tls+tcp:// */
		const char *key;
		const char *client_ca; /* NULL: callers show no certificate */
	} tls;
	uint32_t ipc_mode;
};

struct config_class {
	const char *name;
	uint32_t idle_timeout_s;
	uint32_t absolute_timeout_s;
	uint32_t sessions_max;
	uint32_t at_cap; /* enum config_at_cap */
	uint32_t tombstone_s;
	uint32_t touch_interval_s;
	uint32_t grace_s;
	uint32_t privileged_s;
};

struct config_tier {
	const char *name;
	uint32_t ttl_s;
};

struct config_realm {
	const char *name;
	uint32_t wait_replicas;
	uint32_t wait_ms;
	uint32_t events; /* 0 or 1 */
	uint32_t hour_retention_h;
	uint32_t day_retention_d;
	struct {
		uint32_t ttl_s;
		uint32_t negative_ttl_s;
		uint32_t stale_s;
		uint32_t jitter_percent;
		uint32_t lease_ms;
		uint32_t early_percent;
	} auth;
	size_t class_count; /* at least 1; the first is the default */
	struct config_class *classes;
	struct {
		uint32_t jitter_percent;
		uint32_t changes; /* 0 or 1 */
		uint32_t changes_max;
		size_t tier_count; /* at least 1; the first is the default */
		struct config_tier *tiers;
	} profiles;
};

struct config {
	arena *memory;
	const char *file; /* NULL: none was read */

	const char *state_dir;
	const char *keyring;	 /* NULL: STATE_DIR/keyring, made at the first start */
	const char *credentials; /* NULL: callers are not told apart */
	uint32_t log_level;	 /* enum log_level */

	struct {
		const char *url;
		const char *user; /* NULL, as the others down to server_binary: not set */
		const char *password_file;
		const char *sentinel_user;
		const char *sentinel_password_file;
		const char *tls_ca;
		const char *tls_cert;
		const char *tls_key;
		const char *tls_server_name;
		const char *server_binary;
		uint32_t connections;
		uint32_t connect_timeout_ms;
		uint32_t response_timeout_ms;
		uint32_t commands_in_flight_max;
		uint32_t breaker_ms;
		uint32_t late_ms;
		uint32_t failover_wait_ms;
		uint32_t unconfirmed_ms;
		uint32_t replay_window_ms;
		uint32_t replay_bytes_max;
		uint32_t replica_lag_max_ms;
	} redis;

	struct {
		uint32_t timeout_default_ms;
		uint32_t timeout_max_ms;
		uint32_t frames_in_flight_max;
		uint32_t frames_in_flight_per_connection_max;
		uint32_t threads;
	} calls;

	struct {
		uint32_t max;
		uint32_t idle_timeout_ms;
		uint32_t age_max_ms;
		uint32_t stall_timeout_ms;
		uint32_t handshake_timeout_ms;
		uint32_t output_bytes_max;
	} connections;

	struct {
		const char *listen; /* NULL: none */
		uint32_t connections_max;
		uint32_t timeout_ms;
	} admin;

	struct {
		uint32_t timeout_ms;
		uint32_t delay_ms;
	} drain;

	struct {
		uint32_t check_ms;
	} reload;

	size_t listener_count; /* at least 1 */
	struct config_listener *listeners;
	size_t realm_count; /* at least 1 */
	struct config_realm *realms;
};

/* file NULL: defaults and environment only. environment is a NULL-terminated array of NAME=VALUE, as environ.
 * *ret is untouched on failure. */
bool config_load(const char *file, char *const *environment, struct config **ret,
		 struct config_error *error) MUST_CHECK;

/* The file to read when the command line names none: LATCHKEY_CONFIG, else /etc/latchkey/latchkeyd.yaml if there is
 * one, else NULL. Borrowed from environment. */
const char *config_find_file(char *const *environment);

/* Writes YAML that loads to the same again, each key explained; passwords masked. False: out cannot be written. */
bool config_print(const struct config *c, FILE *out) MUST_CHECK;

/* Writes the JSON Schema of the file, from the same tables. False: out cannot be written. */
bool config_print_schema(FILE *out) MUST_CHECK;

/* Calls report for each key and list that differs. */
void config_compare(const struct config *a, const struct config *b,
		    void (*report)(void *owner, const char *path, bool is_reloadable), void *owner);

/* The contents of a password file without the newline at the end, wiped by the caller; out is untouched on failure, and
 * empty when file is NULL. key is the one that names the file, for the error. */
bool config_read_password(const char *key, const char *file, char out[static CONFIG_PASSWORD_BYTES_MAX + 1],
			  struct config_error *error) MUST_CHECK;

/* The URL without its password, for logs. Cut at len. */
void config_mask_url(const char *url, char *out, size_t len);

/* Nulls *c; accepts NULL in it. */
void config_free(struct config **c);

#endif
