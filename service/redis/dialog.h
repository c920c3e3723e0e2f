#ifndef LK_REDIS_DIALOG_H
#define LK_REDIS_DIALOG_H

#include "base/status.h"
#include "redis/greeting.h"
#include "wire/tls.h"

/* A connection on which little is said: dialed, greeted, and opened again for as long as it lives. What subscription
 * and sentinel have in common; commands of callers go over redis/connection.h. */
typedef struct dialog dialog;

/* What the owner makes of a reply. */
enum dialog_reading {
	DIALOG_ANSWER, /* to something that was sent */
	DIALOG_PUSH,   /* to nothing: it came by itself */
	DIALOG_BROKEN, /* not to be understood, or a refusal: the connection ends */
};

/* Of one dialog they never overlap; with no lock held; never after dialog_free. */
struct dialog_events {
	void (*opened)(void *owner, const char *version); /* greeted: dialog_send works */
	enum dialog_reading (*reply)(void *owner, const struct store_reply *reply);
	void (*idle)(void *owner); /* open, and nothing has come for idle_ms. NULL: never mind */
	/* It has ended, or an attempt has failed: the n-th in a row, 0 when the connection had served. Not when the
	 * owner ended it. remedy: NULL when none is known. */
	void (*closed)(void *owner, const char *why, const char *remedy, uint32_t attempts);
};

struct dialog_options {
	const char *url; /* for wire_dial; copied, as all text here */
	wire_tls *tls;	 /* borrowed until dialog_free */
	struct greeting_settings greeting;
	uint32_t connect_timeout_ms; /* and for each answer of the greeting */
	uint32_t answer_timeout_ms;  /* when so long nothing has come of what is awaited, the connection ends */
	uint32_t idle_ms;
	const struct dialog_events *events; /* must live as long */
	void *owner;
};

/* NULL when memory is out. Dials at the first tick. */
dialog *dialog_new(const struct dialog_options *options) MUST_CHECK;

/* Dials when it is time to, gives up what takes too long. Every few ms, never by two threads at once. */
void dialog_tick(dialog *d, uint64_t now_ms);

/* Sends a command that is to be answered by so many replies. False: the dialog is not open. */
bool dialog_send(dialog *d, const struct store_command *command, uint32_t answers);

/* Asks the connection to end for good. No tick may follow. */
void dialog_end(dialog *d);
/* After dialog_end: no event runs and none will, so that dialog_free does not wait. */
bool dialog_has_ended(dialog *d);
/* Ends it, waits for that, and frees. Nulls *d; accepts NULL in it. Not from within an event. */
void dialog_free(dialog **d);

#endif
