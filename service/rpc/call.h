#ifndef LK_RPC_CALL_H
#define LK_RPC_CALL_H

/* One call of a frame: finds its method, plans, takes the store's replies, makes the reply. No lock and no socket in
 * here: whoever calls holds the exchange's lock, carries the planned commands out, and sends the frame. */

#include "rpc/core.h"
#include "rpc/frame.h"
#include "session/session.h"

struct method;
struct call;

/* What the calls of one frame share. */
struct call_group {
	struct core *core;
	keyring *keys;		     /* retained */
	callers *callers;	     /* retained. NULL: callers are not told apart */
	const struct caller *caller; /* of those; NULL: none of them */
	arena *arena;
	uint64_t arrived_us; /* monotonic */
	size_t unanswered;
	size_t body_bytes_left; /* room in the reply frame */
	size_t tasks_left;
	uint64_t bytes_held; /* of core->bytes_held */
};

enum call_state { CALL_PENDING, CALL_PARKED, CALL_ANSWERED, CALL_STATES };

/* What a parked call waits for: an event of its realm after this number; or its time. */
struct call_wait {
	uint64_t after;
	uint64_t due_ms; /* monotonic; before the call's deadline */
	size_t slot;	 /* the exchange's, in core->watchers */
};

/* A plan under way, with its one store operation at a time. Most methods have one. */
struct task {
	struct store_op op;
	struct sleeper sleeper; /* while it pauses */
	struct call *call;
	size_t index;
	unsigned steps;
	unsigned lates; /* late replies since the last in time */
	struct plan plan;
	enum plan_next after;	      /* what the answer said, while its redos are being kept */
	const struct plan_redo *redo; /* carried out as an operation now; NULL: the plan's command is */
};

/* What is to be done for a task, with no lock held. */
enum call_next {
	CALL_NOTHING,
	CALL_SUBMIT, /* carry out task_command */
	CALL_KEEP,   /* store_keep from task_first_redo on, then call_kept */
	CALL_SLEEP,  /* carry out task_command after plan.pause_ms, or when there is news */
	CALL_PEND,   /* store_pend for all of plan.redos; if it took them, store_announce; then call_pended */
};

struct call {
	struct call_group *group;
	const struct method *method;
	const Latchkey__V1__Call *sent;
	uint32_t timeout_ms;
	uint64_t deadline_ms; /* monotonic */
	enum call_state state;
	struct plan_env env;
	const ProtobufCMessage *request;
	void *shared;		    /* the method's own: what its tasks share */
	ProtobufCMessage *response; /* the method's to make; NULL: none yet */
	size_t task_count;
	size_t tasks_left;
	size_t tasks_failed;
	struct task *tasks;
	struct status failure; /* of a failed task */
	struct call_wait wait; /* PARKED */
	uint32_t wait_replicas;
	uint32_t wait_ms;
	bool has_replicas;
	uint32_t replicas; /* the fewest that had one of the call's changes in time */
	Latchkey__V1__Reply reply;
};

/* group->unanswered is the caller's to count. */
void call_init(struct call *call, struct call_group *group, const Latchkey__V1__Call *sent);

/* Leaves the call PENDING with tasks whose plan.has_command is set, or ANSWERED, or PARKED. */
void call_plan(struct call *call);

/* Looks whether a parked call can be answered; is_last: it must be, with whatever there is. Leaves it PARKED or
 * ANSWERED. */
void call_poll(struct call *call, bool is_last);

/* What became of a task's command. */
enum call_next call_take(struct task *task, const struct store_result *result);
/* unkept: the first redo that store_keep refused; NULL: none. */
enum call_next call_kept(struct task *task, const struct plan_redo *unkept);
/* is_pended: what store_pend said. */
enum call_next call_pended(struct task *task, bool is_pended);

const struct store_command *task_command(const struct task *task);
/* The redos to be kept: this one, and those behind it unless it was carried out by itself. */
const struct plan_redo *task_first_redo(const struct task *task);

void call_refuse(struct call *call, const struct status *st);

/* ---- For methods ---- */

/* The call's tasks, empty; NULL when there is no memory for them. */
struct task *call_tasks(struct call *call, size_t count);
/* So much more than is usual will the call need: frames that arrive meanwhile find it taken. */
void call_hold(struct call *call, size_t bytes);
/* The request message, as its own type. */
#define REQUEST(type, call) ((const Latchkey__V1__##type *)(call)->request)

/* In the realm that the request `m` names; see below. */
#define USE_REALM(call, m, st) call_use_realm((call), (m)->has_realm, (m)->realm, (st))
#define ONE_TASK(call, m, st)  call_one_task((call), (m)->has_realm, (m)->realm, (st))
#define ONE_TASK_WITH(call, m, bytes, ret_task, st)                                                                    \
	call_one_task_with((call), (m)->has_realm, (m)->realm, (bytes), (ret_task), (st))

/* Sets env.realm. NOT_FOUND; PERMISSION_DENIED. */
enum status_code call_use_realm(struct call *call, bool is_named, ProtobufCBinaryData name, struct status *st);
/* For a method with one task: call_use_realm and call_tasks. NULL: *st says why. */
struct task *call_one_task(struct call *call, bool is_named, ProtobufCBinaryData realm, struct status *st);
/* The same, and so many bytes of zeros for a request that the plan keeps: these are returned. */
void *call_one_task_with(struct call *call, bool is_named, ProtobufCBinaryData realm, size_t bytes,
			 struct task **ret_task, struct status *st);
/* RESOURCE_EXHAUSTED: the frame has used up its memory. */
enum status_code call_no_memory(struct status *st);

#endif
