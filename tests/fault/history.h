#ifndef LK_FAULT_HISTORY_H
#define LK_FAULT_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <latchkey/latchkey.h>

/* All that one worker asked and was answered, in its own order. A worker owns its sessions and does one thing at a time,
 * so of each of them the history is complete. Not thread-safe: read it when the worker has ended. */

enum history_op { HISTORY_CREATE, HISTORY_GET, HISTORY_UPDATE, HISTORY_ROTATE, HISTORY_REVOKE, HISTORY_REVOKE_USER };

/* A client with several endpoints asked: which of them answered is not known. */
#define HISTORY_ANY_INSTANCE 255
/* Update n writes n into the attribute `n`, which each overwrites, and into mark n modulo so many, which only every fourth
 * does: one that is lost leaves a gap there. */
#define HISTORY_MARKS 4
/* Of a create that was not acknowledged. */
#define HISTORY_NO_SESSION UINT32_MAX
#define HISTORY_NO_SLOT	   UINT16_MAX
/* Tokens of a session are numbered from 0, the created one, in the order in which the worker came to know them. A session
 * has so many at most. */
#define HISTORY_TOKENS_MAX 16
#define HISTORY_NO_TOKEN   UINT8_MAX

struct history_entry {
	uint64_t start_us; /* monotonic */
	uint64_t end_us;
	uint64_t expected;	       /* update: only if the session has this version; 0: whatever it has */
	uint64_t version;	       /* answered */
	uint32_t session;	       /* its number in this history, or HISTORY_NO_SESSION */
	uint32_t n;		       /* the attribute: that was written, or read */
	uint32_t marks[HISTORY_MARKS]; /* read; 0: not there */
	uint16_t text;		       /* of an error, its sentence: 1 and up; 0: none, or there were too many */
	uint16_t slot; /* of Redis Cluster, or HISTORY_NO_SLOT: not known before the user's first session is there */
	uint8_t op;    /* enum history_op */
	uint8_t instance;
	uint8_t err;	 /* enum lk_err */
	uint8_t verdict; /* of a get: enum lk_verdict */
	uint8_t reason;	 /* enum lk_reason */
	uint8_t token;	 /* that was used */
	uint8_t
	    successor;	/* the token that a rotate, or a get with a replaced token, answered; HISTORY_NO_TOKEN: none */
	bool is_echo;	/* the same call as the entry before, which ended several sessions */
	bool is_abroad; /* through another instance than the worker's own, where it has one */
	bool is_audit;	/* of the reading of everything at the end */
};

/* Enough to tell why: what fails a thousand times does so for a few reasons. */
#define HISTORY_TEXTS_MAX 64

struct history_session {
	char handle[40];
};

struct history {
	struct history_entry *entries;
	size_t count;
	size_t room;
	struct history_session *sessions;
	size_t session_count;
	size_t session_room;
	char texts[HISTORY_TEXTS_MAX][LK_ERROR_MESSAGE_BYTES];
	size_t text_count;
};

void history_add(struct history *h, const struct history_entry *entry);

/* Returns the new session's number. */
uint32_t history_add_session(struct history *h, const char *handle);

/* Returns its number, for entry.text. */
uint16_t history_add_text(struct history *h, const char *text);

/* The slot of the user whose session has this handle: its first 11 characters are the hash tag. */
uint16_t history_slot_of_handle(const char *handle);

/* Shards own equal ranges of slots, in order. */
unsigned history_shard_of_slot(uint16_t slot, unsigned shards);

/* One line: when (ms since origin_us), what, through which instance, the answer. */
void history_print_entry(FILE *out, const struct history *h, const struct history_entry *entry, uint64_t origin_us);

void history_free(struct history *h);

#endif
