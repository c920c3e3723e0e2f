#include "rpc/realm_poll.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "rpc/core.h"
#include "rpc/outcome.h"

/* Design notes.
 *
 * A realm has one question under way at most. It may wait in the store for a primary, and is then the first to be sent to
 * it; whatever it waits counts as age of the answer. Due moments are the ticker's own; what the store's threads share
 * with it is one flag, and what they learn goes where all threads look (session/not_before.h).
 *
 * A thousand realms are a thousand small reads a second, which leave together in a few writes: a tick is corked. */

/* With the jitter and a round trip an instance learns within a second. */
#define POLL_PERIOD_MS 950
/* Each instance, and each realm of it, drifts from the others. */
#define POLL_JITTER_MS 100
/* Until it is first known: nobody is told VALID before. */
#define POLL_FIRST_MS 100
/* What Redis refuses, or what stands there and is none of ours, is for somebody to mend: it is asked for no more often
 * than usually, and told so often. */
#define REFUSED_EVERY_MS 60000
/* How long a question waits for a primary. */
#define POLL_PATIENCE_MS 5000

struct realm_poll {
	struct store_op op;
	struct realm_polls *polls;
	struct core *core; /* held while one is under way */
	struct not_before_query query;
	span realm;
	uint64_t due_ms;
	uint64_t asked_ms;
	uint64_t told_ms;	/* that it is refused; 0: not yet */
	atomic_bool is_refused; /* the last answer was no use */
	atomic_bool is_under_way;
};

struct realm_polls {
	const struct store *store;
	not_before *known;
	uint64_t due_ms; /* the first of all */
	uint32_t random;
	size_t count;
	struct realm_poll polls[];
};

realm_polls *realm_polls_new(const struct realms *realms, const struct store *store, not_before *known)
{
	realm_polls *p = calloc(1, sizeof(*p) + realms->count * sizeof(p->polls[0]));

	if (p == NULL)
		return NULL;
	p->store = store;
	p->known = known;
	p->count = realms->count;
	/* Where memory is differs from process to process, which is all that is needed here; it is never 0. */
	p->random = (uint32_t)((uintptr_t)p >> 4) | 1;
	for (size_t i = 0; i < p->count; i++) {
		p->polls[i].polls = p;
		p->polls[i].realm = realms->realms[i].name;
		not_before_query_plan(&realms->realms[i], &p->polls[i].query);
		atomic_init(&p->polls[i].is_refused, false);
		atomic_init(&p->polls[i].is_under_way, false);
	}
	return p;
}

void realm_polls_free(realm_polls **p)
{
	for (size_t i = 0; *p != NULL && i < (*p)->count; i++)
		assert(!atomic_load(&(*p)->polls[i].is_under_way));
	free(*p);
	*p = NULL;
}

/* Xorshift, by G. Marsaglia. */
static uint32_t jitter_ms(realm_polls *p)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 17;
	p->random ^= p->random << 5;
	return p->random % (POLL_JITTER_MS + 1);
}

static void report_refused(struct realm_poll *poll, const struct store_result *result)
{
	const uint64_t now_ms = clock_mono_ms();
	uint64_t held_back;

	if ((poll->told_ms > 0 && now_ms < poll->told_ms + REFUSED_EVERY_MS) ||
	    !gate_pass(&poll->core->refused_questions, now_ms, &held_back))
		return;
	poll->told_ms = now_ms;
	log_event(LOG_WARN, "realm_unreadable", LOG_SPAN("realm", poll->realm),
		  LOG_SPAN("key", poll->query.command.key), LOG_STR("node", result->node == NULL ? "" : result->node),
		  LOG_SPAN("error", result->outcome == STORE_REFUSED ? outcome_error_words(result)
								     : SPAN_LIT("its value is none that may be there")),
		  LOG_STR("text", "whether the realm was revoked cannot be told; until then Get is UNAVAILABLE"),
		  LOG_UINT("not_logged", held_back));
}

/* Whatever becomes of it, the next one may mend; what is not confirmed ages. */
static void take_result(struct realm_poll *poll, const struct store_result *result)
{
	bool is_refused = result->outcome == STORE_REFUSED;

	if (result->outcome == STORE_REPLIED)
		is_refused = !not_before_query_answer(poll->polls->known, &poll->query, result->reply, poll->asked_ms,
						      clock_wall_ms());
	if (is_refused)
		report_refused(poll, result);
	else if (result->outcome == STORE_REPLIED)
		poll->told_ms = 0;
	atomic_store_explicit(&poll->is_refused, is_refused, memory_order_relaxed);
}

static void on_done(struct store_op *op, const struct store_result *result)
{
	struct realm_poll *poll = (struct realm_poll *)(void *)((uint8_t *)op - offsetof(struct realm_poll, op));
	struct core *core = poll->core;

	take_result(poll, result);
	atomic_store_explicit(&poll->is_under_way, false, memory_order_release);
	core_release(&core);
}

static void ask(realm_polls *p, struct realm_poll *poll, struct core *core, uint64_t now_ms)
{
	const bool is_patient = not_before_is_confirmed(p->known, poll->query.realm, now_ms) ||
				atomic_load_explicit(&poll->is_refused, memory_order_relaxed);

	poll->due_ms = now_ms + (is_patient ? POLL_PERIOD_MS - jitter_ms(p) : POLL_FIRST_MS);
	if (atomic_load_explicit(&poll->is_under_way, memory_order_acquire))
		return;
	core_retain(core);
	poll->core = core;
	poll->asked_ms = now_ms;
	poll->op = (struct store_op){
	    .command = poll->query.command, .deadline_ms = now_ms + POLL_PATIENCE_MS, .done = on_done};
	atomic_store_explicit(&poll->is_under_way, true, memory_order_relaxed);
	store_submit(p->store, &poll->op);
}

void realm_polls_tick(realm_polls *p, struct core *core, uint64_t now_ms)
{
	uint64_t due_ms = UINT64_MAX;

	if (p == NULL || now_ms < p->due_ms)
		return;
	for (size_t i = 0; i < p->count; i++) {
		if (p->polls[i].due_ms <= now_ms)
			ask(p, &p->polls[i], core, now_ms);
		if (p->polls[i].due_ms < due_ms)
			due_ms = p->polls[i].due_ms;
	}
	p->due_ms = due_ms;
}

static size_t count_unknown(const realm_polls *p, uint64_t now_ms)
{
	size_t unknown = 0;

	for (size_t i = 0; i < p->count; i++)
		unknown += not_before_is_confirmed(p->known, p->polls[i].query.realm, now_ms) ? 0 : 1;
	return unknown;
}

bool realm_polls_know_all(const realm_polls *p, uint64_t now_ms)
{
	return p == NULL || count_unknown(p, now_ms) == 0;
}

bool realm_polls_know_most(const realm_polls *p, uint64_t now_ms)
{
	return p == NULL || 2 * count_unknown(p, now_ms) < p->count;
}
