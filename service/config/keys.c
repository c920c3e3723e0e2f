/* Design note. Defaults are text and go through the same parser as the file's and the environment's values, so there is
 * one place that knows what a value may be. A value is written to its struct by offset; strings live in the config's
 * arena. Nothing here knows of files, lines or variables: callers put those in front of the message. */

#include "config/keys.h"

#include <assert.h>
#include <ctype.h>

static const char *const log_levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const at_caps[] = {"evict_oldest", "refuse", "evict_least_recently_used", NULL};
static const char *const booleans[] = {"false", "true", NULL};

_Static_assert(LOG_DEBUG == 0 && LOG_INFO == 1 && LOG_WARN == 2 && LOG_ERROR == 3, "log_levels follows enum log_level");
_Static_assert(CONFIG_EVICT_OLDEST == 0 && CONFIG_REFUSE == 1 && CONFIG_EVICT_LRU == 2,
	       "at_caps follows enum config_at_cap");

/* offsetof takes a member as it is. NOLINTBEGIN(bugprone-macro-parentheses) */
#define SECTION(n, d)
#define END(n)
#define TEXT(s, n, def, bytes, fl, d)                                                                                  \
	{.section = #s,                                                                                                \
	 .name = #n,                                                                                                   \
	 .path = #s "." #n,                                                                                            \
	 .type = KEY_TEXT,                                                                                             \
	 .offset = offsetof(struct config, s.n),                                                                       \
	 .default_text = (def),                                                                                        \
	 .max = (bytes),                                                                                               \
	 .flags = (fl),                                                                                                \
	 .doc = (d)},
#define U32(s, n, def, lo, hi, u, fl, d)                                                                               \
	{.section = #s,                                                                                                \
	 .name = #n,                                                                                                   \
	 .path = #s "." #n,                                                                                            \
	 .type = KEY_U32,                                                                                              \
	 .offset = offsetof(struct config, s.n),                                                                       \
	 .default_text = #def,                                                                                         \
	 .min = (lo),                                                                                                  \
	 .max = (hi),                                                                                                  \
	 .unit = (u),                                                                                                  \
	 .flags = (fl),                                                                                                \
	 .doc = (d)},
#define TOP(d)
#define TOP_TEXT(n, def, bytes, fl, d)                                                                                 \
	{.name = #n,                                                                                                   \
	 .path = #n,                                                                                                   \
	 .type = KEY_TEXT,                                                                                             \
	 .offset = offsetof(struct config, n),                                                                         \
	 .default_text = (def),                                                                                        \
	 .max = (bytes),                                                                                               \
	 .flags = (fl),                                                                                                \
	 .doc = (d)},
#define TOP_WORD(n, def, list, fl, d)                                                                                  \
	{.name = #n,                                                                                                   \
	 .path = #n,                                                                                                   \
	 .type = KEY_WORD,                                                                                             \
	 .offset = offsetof(struct config, n),                                                                         \
	 .default_text = #def,                                                                                         \
	 .words = (list),                                                                                              \
	 .flags = (fl),                                                                                                \
	 .doc = (d)},
#define TOP_END

/* NOLINTEND(bugprone-macro-parentheses) */

const struct config_key config_keys[CONFIG_KEYS] = {
#include "config/config.def"
};

#undef SECTION
#undef END
#undef TEXT
#undef U32
#undef TOP
#undef TOP_TEXT
#undef TOP_WORD
#undef TOP_END

#define SECTION(n, d) {.name = #n, .doc = (d)},
#define END(n)
#define TEXT(...)
#define U32(...)
#define TOP(d)
#define TOP_TEXT(...)
#define TOP_WORD(...)
#define TOP_END

const struct config_section config_sections[] = {
#include "config/config.def"
    {.name = NULL}};

const struct config_key listener_keys[LISTENER_KEYS] = {
    [LISTENER_URL] = {.name = "url",
		      .path = "url",
		      .type = KEY_TEXT,
		      .offset = offsetof(struct config_listener, url),
		      .max = 2000,
		      .flags = KEY_REQUIRED,
		      .doc = "tcp://host:port, tls+tcp://host:port or ipc:///path. Port 0: any free one."},
    [LISTENER_TLS_CERT] = {.section = "tls",
			   .name = "cert",
			   .path = "tls.cert",
			   .type = KEY_TEXT,
			   .offset = offsetof(struct config_listener, tls.cert),
			   .max = 4095,
			   .doc = "For tls+tcp: file with the certificate chain (PEM)."},
    [LISTENER_TLS_KEY] = {.section = "tls",
			  .name = "key",
			  .path = "tls.key",
			  .type = KEY_TEXT,
			  .offset = offsetof(struct config_listener, tls.key),
			  .max = 4095,
			  .doc = "For tls+tcp: file with its private key (PEM)."},
    [LISTENER_TLS_CLIENT_CA] = {.section = "tls",
				.name = "client_ca",
				.path = "tls.client_ca",
				.type = KEY_TEXT,
				.offset = offsetof(struct config_listener, tls.client_ca),
				.max = 4095,
				.doc =
				    "For tls+tcp: callers must show a certificate signed by one of this file (PEM)."},
    [LISTENER_IPC_MODE] =
	{.name = "ipc_mode",
	 .path = "ipc_mode",
	 .type = KEY_OCTAL,
	 .offset = offsetof(struct config_listener, ipc_mode),
	 .default_text = "0600",
	 .max = 0777,
	 .doc = "For ipc: permissions of the socket, octal. The default is for the service's own user only."},
};

/* What was true of a user yesterday is no answer today. */
#define AUTH_SECONDS_MAX 86400
/* Ten years. */
#define VISITORS_DAYS_MAX 3660

const struct config_key realm_keys[REALM_KEYS] = {
    [REALM_WAIT_REPLICAS] =
	{.name = "wait_replicas",
	 .path = "wait_replicas",
	 .type = KEY_U32,
	 .offset = offsetof(struct config_realm, wait_replicas),
	 .default_text = "0",
	 .max = 8,
	 .unit = "replicas",
	 .doc = "Of Redis that are to have a change before it is acknowledged. Too few in time is no error: the answer "
		"tells how many. What is acknowledged is carried out again after a failover anyway."},
    [REALM_WAIT_MS] = {.name = "wait_ms",
		       .path = "wait_ms",
		       .type = KEY_U32,
		       .offset = offsetof(struct config_realm, wait_ms),
		       .default_text = "100",
		       .min = 1,
		       .max = 60000,
		       .unit = "ms",
		       .doc = "For so long at most. A replica in the same data centre takes 1 ms."},
    [REALM_EVENTS] = {.name = "events",
		      .path = "events",
		      .type = KEY_WORD,
		      .offset = offsetof(struct config_realm, events),
		      .default_text = "true",
		      .words = booleans,
		      .doc = "Whether creations, rotations and updates are announced to those who watch. What ends "
			     "sessions always is: every instance must hear of it."},
    [REALM_AUTH_TTL] = {.section = "auth",
			.name = "ttl_s",
			.path = "auth.ttl_s",
			.type = KEY_U32,
			.offset = offsetof(struct config_realm, auth.ttl_s),
			.default_text = "60",
			.min = 1,
			.max = AUTH_SECONDS_MAX,
			.unit = "s",
			.doc = "How long an answer of the auth cache is fresh, at most; a caller may ask for less."},
    [REALM_AUTH_NEGATIVE_TTL] =
	{.section = "auth",
	 .name = "negative_ttl_s",
	 .path = "auth.negative_ttl_s",
	 .type = KEY_U32,
	 .offset = offsetof(struct config_realm, auth.negative_ttl_s),
	 .default_text = "10",
	 .min = 1,
	 .max = AUTH_SECONDS_MAX,
	 .unit = "s",
	 .doc = "The same where loading found none. Short, for what is missing is often about to be made."},
    [REALM_AUTH_STALE] =
	{.section = "auth",
	 .name = "stale_s",
	 .path = "auth.stale_s",
	 .type = KEY_U32,
	 .offset = offsetof(struct config_realm, auth.stale_s),
	 .default_text = "30",
	 .max = AUTH_SECONDS_MAX,
	 .unit = "s",
	 .doc = "For so long after that it is served as stale, while one caller loads it anew. 0: not at all."},
    [REALM_AUTH_JITTER] =
	{.section = "auth",
	 .name = "jitter_percent",
	 .path = "auth.jitter_percent",
	 .type = KEY_U32,
	 .offset = offsetof(struct config_realm, auth.jitter_percent),
	 .default_text = "10",
	 .max = 50,
	 .unit = "percent",
	 .doc = "By so much at most, at random, the time is shorter, so that answers loaded together do not end "
		"together."},
    [REALM_AUTH_LEASE] = {.section = "auth",
			  .name = "lease_ms",
			  .path = "auth.lease_ms",
			  .type = KEY_U32,
			  .offset = offsetof(struct config_realm, auth.lease_ms),
			  .default_text = "2000",
			  .min = CONFIG_AUTH_LEASE_MS_MIN,
			  .max = CONFIG_AUTH_LEASE_MS_MAX,
			  .unit = "ms",
			  .doc = "How long one caller may take to load an answer before another is asked to."},
    [REALM_AUTH_EARLY] =
	{.section = "auth",
	 .name = "early_percent",
	 .path = "auth.early_percent",
	 .type = KEY_U32,
	 .offset = offsetof(struct config_realm, auth.early_percent),
	 .default_text = "100",
	 .max = 1000,
	 .unit = "percent",
	 .doc = "How eagerly an answer is refreshed before its time: the beta of XFetch (Vattani and others, "
		"2015), 100 being its 1. 0: not at all."},
    [REALM_VISITORS_HOURS] = {.section = "visitors",
			      .name = "hour_retention_h",
			      .path = "visitors.hour_retention_h",
			      .type = KEY_U32,
			      .offset = offsetof(struct config_realm, hour_retention_h),
			      .default_text = "192",
			      .max = VISITORS_DAYS_MAX * 24,
			      .unit = "h",
			      .doc = "How long a counter's hours are kept, 12 KiB each at most. The default is eight "
				     "days: an hour and the same "
				     "of the week before. 0: only days are."},
    [REALM_VISITORS_DAYS] =
	{.section = "visitors",
	 .name = "day_retention_d",
	 .path = "visitors.day_retention_d",
	 .type = KEY_U32,
	 .offset = offsetof(struct config_realm, day_retention_d),
	 .default_text = "400",
	 .min = 1,
	 .max = VISITORS_DAYS_MAX,
	 .unit = "d",
	 .doc = "How long its days are. The default is a year, and a month to compare with the year before."},
    [REALM_PROFILES_JITTER] =
	{.section = "profiles",
	 .name = "jitter_percent",
	 .path = "profiles.jitter_percent",
	 .type = KEY_U32,
	 .offset = offsetof(struct config_realm, profiles.jitter_percent),
	 .default_text = "10",
	 .max = 50,
	 .unit = "percent",
	 .doc = "By so much, at random, each profile is kept longer or shorter than its tier says, so that what was "
		"written at once does not end at once."},
    [REALM_PROFILES_CHANGES] =
	{.section = "profiles",
	 .name = "changes",
	 .path = "profiles.changes",
	 .type = KEY_WORD,
	 .offset = offsetof(struct config_realm, profiles.changes),
	 .default_text = "false",
	 .words = booleans,
	 .doc =
	     "Whether changes of profiles are kept for other programs to follow (Profiles/Changes). Each change then "
	     "takes two more round trips to Redis."},
    [REALM_PROFILES_CHANGES_MAX] = {.section = "profiles",
				    .name = "changes_max",
				    .path = "profiles.changes_max",
				    .type = KEY_U32,
				    .offset = offsetof(struct config_realm, profiles.changes_max),
				    .default_text = "100000",
				    .min = 100,
				    .max = 100000000,
				    .unit = "changes",
				    .doc = "About so many are kept, acknowledged or not, and of each group's dead; "
					   "then the oldest go. A change takes "
					   "some 200 bytes and what it sets."},
};

/* What is gone in a minute is no profile. */
#define TIER_SECONDS_MIN 60
/* As the longest session. */
#define PROFILE_SECONDS_MAX 315360000

const struct config_key tier_keys[TIER_KEYS] = {
    [TIER_NAME] = {.name = "name",
		   .path = "name",
		   .type = KEY_TEXT,
		   .offset = offsetof(struct config_tier, name),
		   .max = CONFIG_TIER_NAME_BYTES_MAX,
		   .flags = KEY_REQUIRED,
		   .doc = "Of a profile's tier, 1..8 in a realm, the first is the default: a-z 0-9 . _ - only."},
    [TIER_TTL] = {.name = "ttl_s",
		  .path = "ttl_s",
		  .type = KEY_U32,
		  .offset = offsetof(struct config_tier, ttl_s),
		  .default_text = "2592000",
		  .min = TIER_SECONDS_MIN,
		  .max = PROFILE_SECONDS_MAX,
		  .unit = "s",
		  .doc = "How long a profile is kept after its last change."},
};

/* Sessions for ten years are no sessions: the longest "remember me" known to us is two. */
#define SESSION_SECONDS_MAX 315360000
/* Twice the longest time by which a caller's write can come late, calls.timeout_max_ms by default. */
#define TOMBSTONE_SECONDS_MIN 60
/* What was proved yesterday is no step-up any more. */
#define PRIVILEGED_SECONDS_MAX 86400

const struct config_key class_keys[CLASS_KEYS] = {
    [CLASS_NAME] = {.name = "name",
		    .path = "name",
		    .type = KEY_TEXT,
		    .offset = offsetof(struct config_class, name),
		    .max = CONFIG_CLASS_NAME_BYTES_MAX,
		    .flags = KEY_REQUIRED,
		    .doc = "Of a-z 0-9 . _ - only, as the realm's, which may have 64."},
    [CLASS_IDLE] = {.name = "idle_timeout_s",
		    .path = "idle_timeout_s",
		    .type = KEY_U32,
		    .offset = offsetof(struct config_class, idle_timeout_s),
		    .default_text = "1800",
		    .min = 1,
		    .max = SESSION_SECONDS_MAX,
		    .unit = "s",
		    .doc = "A session not used for so long is over. OWASP: 15 to 30 minutes where the risk is low."},
    [CLASS_ABSOLUTE] = {.name = "absolute_timeout_s",
			.path = "absolute_timeout_s",
			.type = KEY_U32,
			.offset = offsetof(struct config_class, absolute_timeout_s),
			.default_text = "43200",
			.min = 1,
			.max = SESSION_SECONDS_MAX,
			.unit = "s",
			.doc = "And so long after its login, used or not. NIST SP 800-63B: 12 hours at AAL2."},
    [CLASS_SESSIONS] = {.name = "sessions_max",
			.path = "sessions_max",
			.type = KEY_U32,
			.offset = offsetof(struct config_class, sessions_max),
			.default_text = "100",
			.min = 1,
			.max = CONFIG_SESSIONS_MAX_MAX,
			.unit = "sessions",
			.doc =
			    "That a user may have at once: far more than devices, far fewer than a script makes. All "
			    "classes of a realm together: 12500."},
    [CLASS_AT_CAP] = {.name = "at_cap",
		      .path = "at_cap",
		      .type = KEY_WORD,
		      .offset = offsetof(struct config_class, at_cap),
		      .default_text = "evict_oldest",
		      .words = at_caps,
		      .doc = "What a login beyond that does."},
    [CLASS_TOMBSTONE] = {.name = "tombstone_s",
			 .path = "tombstone_s",
			 .type = KEY_U32,
			 .offset = offsetof(struct config_class, tombstone_s),
			 .default_text = "600",
			 .min = TOMBSTONE_SECONDS_MIN,
			 .max = 86400,
			 .unit = "s",
			 .doc =
			     "How long the reason of a revocation is remembered; longer than any write can be late."},
    [CLASS_TOUCH] = {.name = "touch_interval_s",
		     .path = "touch_interval_s",
		     .type = KEY_U32,
		     .offset = offsetof(struct config_class, touch_interval_s),
		     .default_text = "0",
		     .max = SESSION_SECONDS_MAX,
		     .unit = "s",
		     .doc =
			 "A Get slides the idle timeout at most so often, so that polling does not write; at most half "
			 "of idle_timeout_s, by as much of which a session may then end early. 0: at every use."},
    [CLASS_GRACE] = {.name = "grace_s",
		     .path = "grace_s",
		     .type = KEY_U32,
		     .offset = offsetof(struct config_class, grace_s),
		     .default_text = "10",
		     .max = CONFIG_GRACE_S_MAX,
		     .unit = "s",
		     .doc =
			 "How long a rotated token still stands for its successor, for requests that were under way; "
			 "used later it ends the session. 0: not at all."},
    [CLASS_PRIVILEGED] =
	{.name = "privileged_s",
	 .path = "privileged_s",
	 .type = KEY_U32,
	 .offset = offsetof(struct config_class, privileged_s),
	 .default_text = "900",
	 .max = PRIVILEGED_SECONDS_MAX,
	 .unit = "s",
	 .doc =
	     "How long after its user's authentication a session is privileged, for callers that demand it. 0: never."},
};

void key_env_name(const char *path, char out[static KEY_ENV_BYTES])
{
	const int n = snprintf(out, KEY_ENV_BYTES, "LATCHKEY_%s", path);

	assert(n > 0 && n < KEY_ENV_BYTES);
	for (char *p = out; *p != 0; p++)
		*p = (char)(*p == '.' ? '_' : toupper((unsigned char)*p));
}

void key_quote(const char *text, char out[static KEY_QUOTED_BYTES])
{
	const size_t shown_max = 60;
	const size_t len = strlen(text);
	size_t n = 0;

	out[n++] = '"';
	for (size_t i = 0; i < len && i < shown_max; i++)
		out[n++] = (char)((unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i]);
	snprintf(out + n, KEY_QUOTED_BYTES - n, "%s", len > shown_max ? "...\"" : "\"");
}

static void describe_words(const struct config_key *key, char *out, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; key->words[i] != NULL && n < len; i++) {
		const char *join = i == 0 ? "" : key->words[i + 1] == NULL ? " or " : ", ";

		n += (size_t)snprintf(out + n, len - n, "%s%s", join, key->words[i]);
	}
}

void key_describe_allowed(const struct config_key *key, char *out, size_t len)
{
	switch (key->type) {
	case KEY_TEXT:
		snprintf(out, len, "%sup to %u bytes, no control characters",
			 key->flags & KEY_REQUIRED ? "not empty, " : "", key->max);
		break;
	case KEY_U32:
		snprintf(out, len, "%u..%u%s%s", key->min, key->max, key->unit == NULL ? "" : " ",
			 key->unit == NULL ? "" : key->unit);
		break;
	case KEY_WORD:
		describe_words(key, out, len);
		break;
	case KEY_OCTAL:
		snprintf(out, len, "octal 0000..%04o", key->max);
		break;
	}
}

static bool refuse(const struct config_key *key, const char *text, char out[static KEY_MESSAGE_BYTES])
{
	char shown[KEY_QUOTED_BYTES];
	char masked[KEY_MESSAGE_BYTES];
	char allowed[160];

	if (key->flags & KEY_SECRET) {
		config_mask_url(text, masked, sizeof(masked));
		text = masked;
	}
	key_quote(text, shown);
	key_describe_allowed(key, allowed, sizeof(allowed));
	snprintf(out, KEY_MESSAGE_BYTES, "found %s, allowed: %s", *text == 0 ? "nothing" : shown, allowed);
	return false;
}

static bool is_clean(const char *text)
{
	for (; *text != 0; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static bool parse_text(const struct config_key *key, const char *text, arena *memory, const char **ret)
{
	const size_t len = strlen(text);
	char *copy;

	if (len > key->max || !is_clean(text) || (len == 0 && (key->flags & KEY_REQUIRED)))
		return false;
	if (len == 0) {
		*ret = NULL;
		return true;
	}
	copy = arena_alloc(memory, len + 1);
	if (copy == NULL)
		return false;
	memcpy(copy, text, len + 1);
	*ret = copy;
	return true;
}

/* Digits only: neither sign, nor space, nor 1e3, which YAML users might expect to work and strtoul half accepts. */
static bool parse_number(const struct config_key *key, const char *text, unsigned base, uint32_t *ret)
{
	uint64_t n = 0;

	if (*text == 0)
		return false;
	for (; *text != 0; text++) {
		if (*text < '0' || *text >= (char)('0' + base))
			return false;
		n = n * base + (unsigned)(*text - '0');
		if (n > key->max)
			return false;
	}
	if (n < key->min)
		return false;
	*ret = (uint32_t)n;
	return true;
}

static bool parse_word(const struct config_key *key, const char *text, uint32_t *ret)
{
	for (uint32_t i = 0; key->words[i] != NULL; i++)
		if (strcmp(key->words[i], text) == 0) {
			*ret = i;
			return true;
		}
	return false;
}

bool key_parse(const struct config_key *key, const char *text, arena *memory, void *base,
	       char out[static KEY_MESSAGE_BYTES])
{
	char *place = (char *)base + key->offset;
	const char *string = NULL;
	uint32_t number = 0;
	bool ok = false;

	switch (key->type) {
	case KEY_TEXT:
		if (!parse_text(key, text, memory, &string))
			return refuse(key, text, out);
		memcpy(place, &string, sizeof(string));
		return true;
	case KEY_U32:
		ok = parse_number(key, text, 10, &number);
		break;
	case KEY_OCTAL:
		ok = parse_number(key, text, 8, &number);
		break;
	case KEY_WORD:
		ok = parse_word(key, text, &number);
		break;
	}
	if (!ok)
		return refuse(key, text, out);
	memcpy(place, &number, sizeof(number));
	return true;
}

const char *key_text(const struct config_key *key, const void *base)
{
	const char *text;

	assert(key->type == KEY_TEXT);
	memcpy(&text, (const char *)base + key->offset, sizeof(text));
	return text;
}

uint32_t key_number(const struct config_key *key, const void *base)
{
	uint32_t number;

	assert(key->type != KEY_TEXT);
	memcpy(&number, (const char *)base + key->offset, sizeof(number));
	return number;
}
