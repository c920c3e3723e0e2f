#ifndef LK_RPC_METHODS_H
#define LK_RPC_METHODS_H

/* The table of methods: every method that the .proto files declare, served or not. */

#include "rpc/call.h"

struct method {
	span path;
	const ProtobufCMessageDescriptor *request;
	const ProtobufCMessageDescriptor *response;
	bool is_mutating; /* looks at the idempotency key */
	bool is_open;	  /* whoever reaches the service may call it */
	bool needs_all;	  /* one failed task fails the call */
	/* Reads call->request. Makes call->response at once, or call_tasks with their plans. NULL: not served. */
	enum status_code (*plan)(struct call *call, struct status *st);
	/* Takes one task's reply (NULL: its plan had no command) and makes call->response of it, or its part of it. With
	 * ABORTED the response may be made as well. NULL: plan makes no tasks. */
	enum status_code (*answer)(struct call *call, struct task *task, const struct store_reply *reply,
				   enum plan_next *ret_next, struct status *st);
	/* A long poll, planned without tasks: makes call->response if there is something to tell, and if is_last in any
	 * case; else sets call->wait.after. NULL: it is none. */
	enum status_code (*poll)(struct call *call, bool is_last, struct status *st);
	/* Redis takes no writes: makes task->plan one that needs none. False: it did not. NULL: it never can. */
	bool (*read_only)(struct call *call, struct task *task);
	/* Redis takes no writes (MISCONF): makes call->response, and task->plan.redos and .announcement to be kept pending.
	 * False: it cannot wait. NULL: it never can. */
	bool (*pend)(struct call *call, struct task *task);
};

/* NULL: no such method. */
const struct method *method_find(span path);

/* In order of path; NULL beyond the last. */
const struct method *method_at(size_t i);
size_t method_count(void);

/* For metrics: 0 for a call of no method (NULL), else one more than the row's number. */
size_t method_place(const struct method *m);

enum status_code health_check_plan(struct call *call, struct status *st) MUST_CHECK;
enum status_code server_info_plan(struct call *call, struct status *st) MUST_CHECK;
enum status_code server_policy_plan(struct call *call, struct status *st) MUST_CHECK;
enum status_code server_stats_plan(struct call *call, struct status *st) MUST_CHECK;
enum status_code server_methods_plan(struct call *call, struct status *st) MUST_CHECK;
enum status_code server_redis_plan(struct call *call, struct status *st) MUST_CHECK;
enum status_code server_keys_plan(struct call *call, struct status *st) MUST_CHECK;

#define METHOD_WITH_TASKS(name)                                                                                        \
	enum status_code name##_plan(struct call *call, struct status *st) MUST_CHECK;                                 \
	enum status_code name##_answer(struct call *call, struct task *task, const struct store_reply *reply,          \
				       enum plan_next *ret_next, struct status *st) MUST_CHECK;
METHOD_WITH_TASKS(sessions_create)
METHOD_WITH_TASKS(sessions_get)
METHOD_WITH_TASKS(sessions_get_many)
METHOD_WITH_TASKS(sessions_update)
METHOD_WITH_TASKS(sessions_rotate)
METHOD_WITH_TASKS(sessions_revoke)
METHOD_WITH_TASKS(sessions_revoke_user)
METHOD_WITH_TASKS(sessions_revoke_realm)
METHOD_WITH_TASKS(sessions_list)
METHOD_WITH_TASKS(sessions_verify)
METHOD_WITH_TASKS(visitors_record)
METHOD_WITH_TASKS(visitors_count)
METHOD_WITH_TASKS(limits_check)
METHOD_WITH_TASKS(limits_reset)
METHOD_WITH_TASKS(locks_acquire)
METHOD_WITH_TASKS(locks_extend)
METHOD_WITH_TASKS(locks_release)
METHOD_WITH_TASKS(profiles_put)
METHOD_WITH_TASKS(profiles_get)
METHOD_WITH_TASKS(profiles_update)
METHOD_WITH_TASKS(profiles_delete)
METHOD_WITH_TASKS(profiles_changes)
METHOD_WITH_TASKS(profiles_ack_changes)
METHOD_WITH_TASKS(profiles_dead_changes)
METHOD_WITH_TASKS(auth_cache_lookup)
METHOD_WITH_TASKS(auth_cache_fill)
METHOD_WITH_TASKS(auth_cache_forget)
#undef METHOD_WITH_TASKS
enum status_code sessions_watch_plan(struct call *call, struct status *st) MUST_CHECK;
enum status_code sessions_watch_poll(struct call *call, bool is_last, struct status *st) MUST_CHECK;
bool sessions_get_read_only(struct call *call, struct task *task) MUST_CHECK;
bool auth_cache_lookup_read_only(struct call *call, struct task *task) MUST_CHECK;
bool sessions_revoke_pend(struct call *call, struct task *task) MUST_CHECK;

#endif
