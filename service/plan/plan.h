#ifndef LK_PLAN_PLAN_H
#define LK_PLAN_PLAN_H

/* What the domains give to whoever carries their calls out: plans and answers. A plan turns a request into one store
 * command (or answers at once, with none); an answer turns the store's reply into the result. Both are pure but for
 * random ids and nonces: time is a parameter, everything allocated is in the caller's arena and lives as long as it.
 *
 * Use: X_plan(); if it fails, that is the answer. If plan.has_command, carry plan.command out; unless the store
 * REPLIED, the rpc layer answers from the outcome. Then X_answer(). If that says PLAN_AGAIN, plan.command holds a
 * further command (the header of X says when and why), and so on, at most PLAN_STEPS_MAX times. If it says PLAN_LATER, the
 * same command is to be carried out again after plan.pause_ms, or as soon as there is news of plan.place (auth/news.h).
 *
 * All commands are repeatable, but for those that say that they are not: carried out a second time, after a first whose
 * reply was lost, late or not to be trusted, they give the same answer; so X_answer is for a reply that is believed. What it acknowledges it leaves in plan.redos,
 * to be kept (store_keep) before the caller, or the next command, hears of it. */

#include "base/arena.h"
#include "base/status.h"
#include "realm/realm.h"
#include "store/store.h"

#define PLAN_STEPS_MAX 128
/* Room that one call's plan and answers need in the arena at most: a List of LIST_PAGE_MAX sessions with full-size
 * metadata (about 1.9 KiB each opened, listed and read). */
#define PLAN_BYTES_MAX		  1048576
#define IDEMPOTENCY_KEY_BYTES_MAX 64
/* For so long an answer is remembered under the caller's idempotency key. */
#define IDEMPOTENCY_S 600

struct compressor; /* compress/compress.h */
struct recent;	   /* session/recent.h */
struct not_before; /* session/not_before.h */
struct auth_news;  /* auth/news.h */

/* What every plan and answer needs. Borrowed until the answer. */
struct plan_env {
	const keyring *keys;
	const struct realm *realm;
	arena *arena;
	uint64_t now_ms;	       /* wall clock: set anew before each plan and answer */
	span caller;		       /* id of the credential; scopes idempotency keys. May be empty */
	span idempotency_key;	       /* empty: none */
	struct compressor *compressor; /* of what is sealed */
	/* Revocations of the last moments, which the store may have forgotten by a failover. NULL: none are remembered. */
	struct recent *recent;
	/* Of revoked realms. NULL: none are known, and nothing is asked. */
	struct not_before *not_before;
	/* Of filled and forgotten answers. NULL: none is heard. */
	struct auth_news *auth_news;
	uint64_t mono_ms; /* monotonic clock, for these: set as now_ms */
	/* The reply's primary took over less than young_ms ago: that a session younger than this, or than an outage may
	 * take, is missing there proves nothing. Set before each answer. */
	bool is_unsettled;
	uint64_t young_ms;
};

enum plan_next { PLAN_DONE, PLAN_AGAIN, PLAN_LATER };

/* Brings about again what was acknowledged, and changes nothing where it is there: for a primary that takes over. Its
 * reply is a word, see plan_redo_is_done. The memory of idempotency keys is not brought back: it only serves who has
 * no answer yet. */
struct plan_redo {
	const struct plan_redo *next;
	struct store_command command;
	uint64_t lifetime_ms; /* after that the effect has ended by itself */
};

/* What an answer remembers of its plan: private to the domain that made it. */
struct session_state;
struct profile_state;
struct auth_state;
struct visitors_state;
struct lock_state;

struct plan {
	bool has_command;
	struct store_command command;
	union {
		struct session_state *session;
		struct profile_state *profile;
		struct auth_state *auth;
		struct visitors_state *visitors;
		struct lock_state *lock;
	};
	const struct plan_redo *redos; /* of the last answer; NULL: it has acknowledged no change, but */
	bool has_changed;	       /* one that nobody brings back */
	span announcement;	       /* session_revoke_pend: for store_announce */
	uint32_t pause_ms;	       /* with PLAN_LATER, */
	uint32_t place;		       /* and what is waited for: */
	uint32_t seen;		       /* auth_news_count of it, from before the command */
};

/* `again`, `conflict` and anything else: the effect is not there. */
bool plan_redo_is_done(const struct store_reply *reply);

#endif
