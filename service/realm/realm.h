#ifndef LK_REALM_REALM_H
#define LK_REALM_REALM_H

/* Realms and their classes: what a session may be. Built once from the config, immutable, shared by all threads. */

#include "base/arena.h"
#include "base/status.h"
#include "crypto/keyring.h"

/* Names of realms and classes: a-z 0-9 . _ - */
#define REALM_NAME_BYTES_MAX   64
#define CLASS_NAME_BYTES_MAX   32
#define PROFILE_TIER_BYTES_MAX 32
/* The most sessions of a class that a user may have alive at once. In a realm of several classes a create at the cap looks at
 * each of the user's in its script, at 1.4 us each (measured; 1.8 us where the least recently used goes): 100 take 0.2 ms, and
 * 10,000 hold Redis up for 14 to 18 ms. In a realm of one class it looks at 200. */
#define SESSIONS_MAX_MAX 10000
/* And of all the realm's classes together, as many as a user's index may name: calls about all of a user's sessions go over
 * it in chunks, of 100 at least, and come to its end in PLAN_STEPS_MAX steps. */
#define REALM_SESSIONS_MAX_MAX 12500

/* Requests that were under way at a rotation are answered within seconds; a token that stands for another for longer than
 * five minutes is one that a thief may use for as long. */
#define GRACE_S_MAX 300

/* Redis clusters have one or two replicas a primary; what waits for more than a few is slow and rarely ends. */
#define WAIT_REPLICAS_MAX 8
/* A hundred times what a replica in the same data centre takes. */
#define WAIT_MS_DEFAULT 100

enum at_cap { AT_CAP_EVICT_OLDEST, AT_CAP_REFUSE, AT_CAP_EVICT_LRU };

struct session_policy {
	uint32_t idle_timeout_s;
	uint32_t absolute_timeout_s;
	uint32_t sessions_max;
	enum at_cap at_cap;
	uint32_t tombstone_s;	   /* how long the reason of a revocation is remembered */
	uint32_t touch_interval_s; /* a Get slides the idle timeout at most so often; 0: always */
	uint32_t grace_s;	   /* how long a rotated token still stands for its successor */
	uint32_t privileged_s;	   /* how long after its authentication a session is privileged; 0: never */
};

struct session_class {
	span name;
	uint16_t tag; /* in the records' headers, for scripts; distinct within the realm */
	struct session_policy policy;
};

/* Keyed hashes of the realm's name: in records' headers and announcements, for scripts, and in keys. */
#define REALM_TAG_BYTES	 4
#define REALM_RTAG_BYTES 8
#define REALM_RTAG_CHARS 11 /* base64url */

/* How long a profile is kept after its last change. */
struct profile_tier {
	span name;
	uint32_t ttl_s;
};

struct profile_policy {
	size_t tier_count;	    /* 0: the realm keeps no profiles */
	struct profile_tier *tiers; /* the first is the default */
	uint32_t jitter_percent;    /* by so much each time to live is longer or shorter */
	bool has_changes;	    /* they are kept, for other programs to follow */
	uint32_t changes_max;	    /* about so many; the oldest go */
};

/* What is kept of answers about users. */
struct auth_policy {
	uint32_t ttl_s;		 /* fresh for so long at most */
	uint32_t negative_ttl_s; /* the same where there is none */
	uint32_t stale_s;	 /* served for so long after that, while it is loaded anew */
	uint32_t jitter_percent; /* of the time it is fresh, at random less */
	uint32_t lease_ms;	 /* for loading */
	uint32_t early_percent;	 /* how eagerly it is refreshed before its time; 0: not at all */
};

/* How long buckets are kept after they have ended. */
struct visitors_policy {
	uint32_t hour_retention_h; /* 0: there are none */
	uint32_t day_retention_d;
};

struct realm {
	span name;
	uint32_t tag;		     /* distinct within the service */
	uint32_t place;		     /* among its realms */
	char rtag[REALM_RTAG_CHARS]; /* of which the tag is the first half */
	size_t class_count;
	struct session_class *classes; /* the first is the default */
	uint32_t wait_replicas;	       /* that are to have a change before it is acknowledged */
	uint32_t wait_ms;	       /* but no longer than this; 0: WAIT_MS_DEFAULT */
	struct visitors_policy visitors;
	bool has_events; /* creations, rotations and updates are announced to those who watch */
	struct profile_policy profiles;
	struct auth_policy auth;
};

struct realms {
	size_t count;
	struct realm *realms;
};

/* Fills in tags and places (NAME_SCOPE) and checks names, order of timeouts and distinctness; all else is the config's.
 * INVALID_ARGUMENT with the realm, the limit and the remedy. */
enum status_code realms_seal(struct realms *realms, const keyring *kr, struct status *st) MUST_CHECK;

/* NULL when there is none. */
const struct realm *realm_by_text(const struct realms *realms, span rtag);

/* NULL when there is none. An empty name is the realm called "default"; the realm's first class. */
const struct realm *realm_find(const struct realms *realms, span name);
const struct session_class *session_class_find(const struct realm *realm, span name);
const struct session_class *session_class_by_tag(const struct realm *realm, uint16_t tag);

/* How long a tombstone is kept whose session's class is not known: as long as the realm's longest. */
uint32_t realm_tombstone_s(const struct realm *realm);

#endif
