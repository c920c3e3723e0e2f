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
	arena *arena;
	uint64_t arrived_ms; /* monotonic */
	size_t unanswered;
	size_t body_bytes_left; /* room in the reply frame */
};

enum call_state { CALL_PENDING, CALL_ANSWERED };

/* A plan under way, with its one store operation at a time. All methods but GetMany have one. */
struct task {
	struct store_op op;
	struct call *call;
	size_t index;
	unsigned steps;
	struct session_plan plan;
};

struct call {
	struct call_group *group;
	const struct method *method;
	const Latchkey__V1__Call *sent;
	uint32_t timeout_ms;
	uint64_t deadline_ms; /* monotonic */
	enum call_state state;
	struct session_env env;
	const ProtobufCMessage *request;
	ProtobufCMessage *response; /* the method's to make; NULL: none yet */
	size_t task_count;
	size_t tasks_left;
	size_t tasks_failed;
	struct task *tasks;
	struct status failure; /* of a failed task */
	Latchkey__V1__Reply reply;
};

/* group->unanswered is the caller's to count. */
void call_init(struct call *call, struct call_group *group, const Latchkey__V1__Call *sent);

/* Leaves the call PENDING with tasks whose plan.has_command is set, or ANSWERED. */
void call_plan(struct call *call);

/* What became of a task's command. PLAN_AGAIN: task->plan.command is to be carried out as well. */
enum plan_next call_take(struct task *task, const struct store_result *result);

void call_refuse(struct call *call, const struct status *st);

/* ---- For methods ---- */

/* The call's tasks, empty; NULL when there is no memory for them. */
struct task *call_tasks(struct call *call, size_t count);
/* Sets env.realm. NOT_FOUND. */
enum status_code call_use_realm(struct call *call, bool is_named, ProtobufCBinaryData name, struct status *st);
/* RESOURCE_EXHAUSTED: the frame has used up its memory. */
enum status_code call_no_memory(struct status *st);

#endif
