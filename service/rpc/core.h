#ifndef LK_RPC_CORE_H
#define LK_RPC_CORE_H

/* What the server, its connections, exchanges and methods share. Reference-counted: the server and each connection hold
 * it, so that a store operation that outlives the server finds memory. */

#include <pthread.h>
#include <stdatomic.h>

#include "base/block_pool.h"
#include "rpc/gate.h"
#include "rpc/realm_poll.h"
#include "rpc/registry.h"
#include "rpc/server.h"
#include "rpc/sleepers.h"
#include "rpc/watchers.h"

#define CORE_INSTANCE_CHARS 16

/* Advice with RESOURCE_EXHAUSTED for too many frames in flight: 16,384 of them, the default limit, are answered in about
 * that time at the 277,000 calls a second that one connection with 64 in flight was measured to carry. */
#define CORE_RETRY_AFTER_OVERLOAD_MS 60

/* What frames in flight may hold in all, for each that is allowed: twice what a usual one takes. */
#define CORE_FRAME_BYTES 16384U

/* A frame with a call or two fits into a block; so many are in flight at once on a busy instance, and 4 MiB are kept. */
#define CORE_BLOCK_BYTES     8192U
#define CORE_BLOCKS_KEPT_MAX 512U

struct core {
	struct rpc_options options; /* .keys and .callers are NULL: see core_keys, core_callers */
	pthread_mutex_t keys_lock;  /* a leaf */
	keyring *keys;		    /* in force; */
	callers *callers;	    /* and this */
	uint64_t keys_loaded_at_ms;
	char instance[CORE_INSTANCE_CHARS + 1];
	uint64_t started_at_ms;
	registry *connections;
	block_pool *blocks; /* of frames' arenas */
	struct compressor *compressor;
	realm_polls *realm_polls; /* NULL: nothing is asked */
	watchers *watchers;	  /* parked calls */
	sleepers *sleepers;	  /* tasks that pause */
	_Atomic uint32_t refs;
	_Atomic uint32_t frames_held; /* in memory, */
	_Atomic uint64_t bytes_held;  /* with what their calls were seen to need */
	_Atomic uint32_t frames_unanswered;
	atomic_bool has_been_ready; /* of every realm it was known whether it was revoked, once at least */
	atomic_bool is_draining;    /* Health says NOT_SERVING */
	atomic_bool is_stopping;    /* new frames are refused */
	struct gate refused_connections;
	struct gate refused_commands;
	struct gate refused_questions; /* realm_poll.c */
	struct gate failed_handshakes; /* of TLS */
	struct gate refused_callers;   /* credential.c */
	struct gate unreadable_records;
};

enum status_code core_new(const struct rpc_options *options, struct core **ret, struct status *st) MUST_CHECK;
/* What is in force for a frame, from its first call to its last reply: both retained. callers NULL: they are not told
 * apart. */
void core_in_force(struct core *core, keyring **ret_keys, callers **ret_callers);
/* The keyring in force, retained. */
keyring *core_keys(struct core *core);
/* Puts another in force, for frames that arrive from now on. */
void core_use_keys(struct core *core, keyring *keys);
uint64_t core_keys_loaded_at_ms(struct core *core);

void core_use_callers(struct core *core, callers *who);

void core_retain(struct core *core);
void core_release(struct core **core);

#endif
