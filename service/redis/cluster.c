/* A cluster's slot map: when it is asked for, of whom, and when an answer is believed.
 *
 * When. Every 30 s; after MOVED, and while an owner of slots is not serving or a slot has no owner, every 100 ms. One
 * question at a time: many commands that meet the same trouble cause one. A question that is not answered soon is given
 * up, and another node is asked.
 *
 * Whom. First a node that is joining, about itself: it cannot serve before its own map has said which slots it has, so
 * that everything in them is carried out again. Then whoever can be reached and was asked least recently. While there is
 * trouble one more idle node or seed is connected at a time: in the end somebody is left who knows.
 *
 * Belief. A node that is behind tells an old map: one that was cut off or restarted, or simply has not heard yet.
 *   - Its currentEpoch is older than one that was believed before: no.
 *   - It contradicts a MOVED of the last moment: no, unless the node that the slot was said to have moved to says so.
 *   - It covers fewer slots than are known: not at once.
 * Each of these gives way when it is all that is heard for seconds: a cluster may have been made anew. */

#include "redis/cluster.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "redis/map.h"
#include "redis/reason.h"

/* A takeover that no command runs into must be seen while the journal still has what the old primary acknowledged. */
#define EVERY_MS       1000U
#define HURRY_EVERY_MS 100U
/* A fleet shall not ask in step. */
#define HURRY_JITTER_MS 20U
/* Then another is asked: a node answers this in well under a millisecond. */
#define ANSWER_MS 300U
/* Questions under way: those given up stay in their slow connections until these end. */
#define INQUIRIES 4
/* How long a MOVED counts for more than maps: gossip takes about this long to reach every node. */
#define MOVED_MS 1000U
/* What all maps say for so long is so. */
#define PATIENCE_MS 3000U
/* An idle node or a seed that is connected to be asked stays so for that long. */
#define INQUIRE_MS 3000U
/* A node that no map has named for so long is asked no more. */
#define KNOWN_MS 60000U

/* Two commands, sent one behind the other. */
struct inquiry {
	struct cluster *cluster;
	struct node *node;
	struct store_op info;
	struct store_op slots;
	atomic_uint pending; /* 0: free */
	uint64_t asked_ms;
	/* The answers: each is written before pending falls, and read by whoever brings it to 0. */
	bool is_state_bad;
	bool has_epoch;
	uint64_t epoch;
	struct map *map;
	char error[160];
};

struct cluster {
	struct topology *topology;
	/* The topology's lock guards all of this. */
	uint64_t next_ms;
	uint64_t last_ms;
	uint64_t epoch;
	uint64_t doubted_ms; /* since when maps are refused; 0: the last one was not */
	uint32_t failures;
	uint32_t questions;
	size_t warmed; /* index of the node that was connected last */
	struct inquiry *current;
	struct {
		uint16_t slot;
		struct node *to; /* NULL: none */
		uint64_t until_ms;
	} moved;
	struct inquiry inquiries[INQUIRIES];
};

static uint32_t jitter(uint32_t max)
{
	return arc4random_uniform(max + 1);
}

void cluster_hurry_locked(struct cluster *c, uint64_t now_ms)
{
	uint64_t soon_ms = c->last_ms + HURRY_EVERY_MS;

	if (soon_ms < now_ms)
		soon_ms = now_ms;
	if (soon_ms < c->next_ms)
		c->next_ms = soon_ms;
}

/* ---- Belief ---- */

/* NULL when the map does not mention the slot. */
static const struct map_range *range_of(const struct map *map, uint16_t slot)
{
	for (size_t i = 0; i < map->range_count; i++) {
		if (slot >= map->ranges[i].first && slot <= map->ranges[i].last)
			return &map->ranges[i];
	}
	return NULL;
}

static bool contradicts_moved_locked(const struct cluster *c, const struct inquiry *q, uint64_t now_ms)
{
	const struct map_range *range;

	if (c->moved.to == NULL || now_ms >= c->moved.until_ms || q->node == c->moved.to)
		return false;
	range = range_of(q->map, c->moved.slot);
	return range == NULL || !address_eq(&range->primary, &c->moved.to->address);
}

static bool is_doubtful_locked(const struct cluster *c, const struct inquiry *q, uint64_t now_ms)
{
	return (q->has_epoch && q->epoch < c->epoch) || contradicts_moved_locked(c, q, now_ms) ||
	       q->map->slots < c->topology->covered;
}

static bool is_believed_locked(struct cluster *c, const struct inquiry *q, uint64_t now_ms)
{
	if (!is_doubtful_locked(c, q, now_ms)) {
		c->doubted_ms = 0;
		return true;
	}
	if (c->doubted_ms == 0)
		c->doubted_ms = now_ms;
	if (now_ms < c->doubted_ms + PATIENCE_MS)
		return false;
	c->doubted_ms = 0;
	return true;
}

/* ---- Taking a map ---- */

/* A primary that serves already and gets all that another had has taken over from it as well, whatever else it owned. */
static void rejoin_locked(struct node *heir)
{
	if (heir->is_joined)
		heir->is_another_run = true;
	else if (heir->is_replaying)
		/* The replay under way began without these slots. */
		(void)atomic_fetch_add(&heir->tenure, 1);
}

static void rejoin_heirs_locked(struct topology *t)
{
	for (size_t i = 0; i < t->count; i++) {
		struct node *n = t->nodes[i];

		if (n->heir != NULL && n->slots == 0 && node_term(n->heir) != TERM_IDLE)
			rejoin_locked(n->heir);
		n->heir = NULL;
	}
}

static void take_range_locked(struct topology *t, const struct map_range *range, uint8_t *covered, uint64_t now_ms)
{
	struct node *n = topology_node_locked(t, &range->primary, now_ms);

	if (n == NULL)
		return;
	for (uint32_t slot = range->first; slot <= range->last; slot++) {
		topology_set_owner_locked(t, (uint16_t)slot, n);
		covered[slot / 8] |= (uint8_t)(1U << slot % 8);
	}
	for (size_t i = 0; i < range->replica_count; i++) {
		struct node *replica = topology_node_locked(t, &range->replicas[i], now_ms);

		if (replica == NULL || replica == n)
			continue;
		replica->primary = n;
		replica->replica_ms = now_ms;
	}
}

static void take_map_locked(struct cluster *c, const struct map *map, uint64_t now_ms)
{
	struct topology *t = c->topology;
	uint8_t covered[SLOTS / 8] = {0};

	for (size_t i = 0; i < t->count; i++)
		t->nodes[i]->primary = NULL;
	for (size_t i = 0; i < map->range_count; i++)
		take_range_locked(t, &map->ranges[i], covered, now_ms);
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		if ((covered[slot / 8] & 1U << slot % 8) == 0)
			topology_set_owner_locked(t, (uint16_t)slot, NULL);
	}
	rejoin_heirs_locked(t);
	t->is_pump_due = true;
}

static void take_answer_locked(struct cluster *c, struct inquiry *q, uint64_t now_ms)
{
	if (q->map == NULL) {
		const char *wrong_kind = topology_wrong_kind(c->topology, q->node);

		topology_note_locked(c->topology, &(struct redis_event){
						      .kind = REDIS_EVENT_PROBLEM,
						      .name = "redis_map_unknown",
						      .node = topology_name_of(q->node),
						      .error = wrong_kind != NULL ? wrong_kind : q->error,
						      .text = reason_remedy(q->error),
						      .attempt = ++c->failures,
						  });
		return;
	}
	c->failures = 0;
	/* That is about the node, not about the map. */
	if (!q->is_state_bad)
		q->node->is_clusterdown = false;
	if (!is_believed_locked(c, q, now_ms)) {
		metric_add(METRIC_REDIS_MAPS_DOUBTED, 1);
		return;
	}
	if (q->has_epoch)
		c->epoch = q->epoch;
	take_map_locked(c, q->map, now_ms);
	topology_judge_all_locked(c->topology, now_ms);
	q->node->is_clusterdown = q->is_state_bad && q->node->slots > 0;
	/* After judging: a node that begins to join now has been heard already. */
	q->node->is_confirmed = !q->is_state_bad;
	topology_judge_all_locked(c->topology, now_ms);
}

/* ---- Asking ---- */

static void schedule_locked(struct cluster *c, uint64_t now_ms)
{
	if (topology_is_troubled_locked(c->topology))
		c->next_ms = c->last_ms + HURRY_EVERY_MS + jitter(HURRY_JITTER_MS);
	else
		c->next_ms = now_ms + EVERY_MS - EVERY_MS / 10 + jitter(EVERY_MS / 5);
}

static void conclude(struct inquiry *q)
{
	struct cluster *c = q->cluster;
	struct topology *t = c->topology;
	const uint64_t now_ms = clock_mono_ms();

	topology_lock(t);
	/* One that was given up is not believed any more: it may be as old as its connection was slow. */
	if (c->current == q) {
		c->current = NULL;
		if (!t->is_closing)
			take_answer_locked(c, q, now_ms);
		schedule_locked(c, now_ms);
	}
	free(q->map);
	q->map = NULL;
	atomic_store(&q->pending, 0);
	topology_unlock(t);
}

/* 2 at the start, and down to 1 only: 0 is set when the inquiry may be used again. */
static void count_down(struct inquiry *q)
{
	if (atomic_fetch_sub(&q->pending, 1) == 2)
		conclude(q);
}

static bool find_number(span text, span field, uint64_t *ret)
{
	const uint8_t *at = text.len == 0 ? NULL : memmem(text.ptr, text.len, field.ptr, field.len);
	uint64_t number = 0;

	if (at == NULL)
		return false;
	for (at += field.len; at < text.ptr + text.len && *at >= '0' && *at <= '9'; at++)
		number = number * 10 + (uint64_t)(*at - '0');
	*ret = number;
	return true;
}

static void info_done(struct store_op *op, const struct store_result *result)
{
	struct inquiry *q = (struct inquiry *)(void *)((uint8_t *)op - offsetof(struct inquiry, info));

	/* An ACL may forbid it: then the state is what the commands meet. */
	if (result->outcome == STORE_REPLIED && result->reply->type == STORE_STRING) {
		const span text = result->reply->string;

		q->is_state_bad = memmem(text.ptr, text.len, "cluster_state:ok", 16) == NULL;
		q->has_epoch = find_number(text, SPAN_LIT("cluster_current_epoch:"), &q->epoch);
	}
	count_down(q);
}

static void note_error(struct inquiry *q, span words)
{
	static const char alone[] = "cluster support disabled";

	if (memmem(words.ptr, words.len, alone, strlen(alone)) != NULL)
		(void)snprintf(q->error, sizeof(q->error), "it is in no cluster: redis.url must be redis://host");
	else
		info_copy_printable(q->error, sizeof(q->error), words);
}

static void slots_done(struct store_op *op, const struct store_result *result)
{
	struct inquiry *q = (struct inquiry *)(void *)((uint8_t *)op - offsetof(struct inquiry, slots));
	const char *why = "it did not answer CLUSTER SLOTS";

	if (result->outcome == STORE_REPLIED) {
		q->map = map_read(result->reply, &q->node->address, &why);
		(void)snprintf(q->error, sizeof(q->error), "%s", q->map == NULL ? why : "");
	} else if (result->outcome == STORE_REFUSED) {
		note_error(q, result->reply->string);
	} else {
		(void)snprintf(q->error, sizeof(q->error), "%s", why);
	}
	count_down(q);
}

static struct inquiry *free_inquiry_locked(struct cluster *c)
{
	for (size_t i = 0; i < INQUIRIES; i++) {
		if (atomic_load(&c->inquiries[i].pending) == 0)
			return &c->inquiries[i];
	}
	return NULL;
}

static bool can_be_asked_locked(const struct node *n)
{
	return n->breaker.state == BREAKER_CLOSED && node_ready_count(n) > 0;
}

static bool needs_own_map_locked(const struct node *n)
{
	return (node_term(n) == TERM_JOINING && !n->is_confirmed) || (n->is_clusterdown && n->slots > 0);
}

static bool is_better_locked(const struct node *a, const struct node *b, bool is_for_needy)
{
	if (b == NULL)
		return true;
	if (is_for_needy && needs_own_map_locked(a) != needs_own_map_locked(b))
		return needs_own_map_locked(a);
	return a->asked_ms < b->asked_ms;
}

static struct node *choose_locked(struct cluster *c)
{
	struct topology *t = c->topology;
	struct node *best = NULL;
	const bool is_for_needy = ++c->questions % 2 != 0;

	for (size_t i = 0; i < t->count; i++) {
		if (can_be_asked_locked(t->nodes[i]) && is_better_locked(t->nodes[i], best, is_for_needy))
			best = t->nodes[i];
	}
	return best;
}

/* Connects one more node that could be asked. */
static void warm_locked(struct cluster *c, uint64_t now_ms)
{
	struct topology *t = c->topology;

	for (size_t i = 1; i <= t->count; i++) {
		size_t at = (c->warmed + i) % t->count;
		struct node *n = t->nodes[at];

		if (n->slots > 0 || now_ms < n->inquire_ms || (!n->is_seed && now_ms > n->seen_ms + KNOWN_MS))
			continue;
		n->inquire_ms = now_ms + INQUIRE_MS;
		c->warmed = at;
		return;
	}
}

static struct inquiry *begin_locked(struct cluster *c, struct node *n, uint64_t now_ms)
{
	struct inquiry *q = free_inquiry_locked(c);

	if (q == NULL)
		return NULL;
	q->node = n;
	q->asked_ms = now_ms;
	q->is_state_bad = false;
	q->has_epoch = false;
	q->error[0] = '\0';
	q->info = (struct store_op){.done = info_done, .deadline_ms = UINT64_MAX};
	q->info.command.argc = 2;
	q->info.command.argv[0] = SPAN_LIT("CLUSTER");
	q->info.command.argv[1] = SPAN_LIT("INFO");
	q->slots = (struct store_op){.done = slots_done, .deadline_ms = UINT64_MAX};
	q->slots.command.argc = 2;
	q->slots.command.argv[0] = SPAN_LIT("CLUSTER");
	q->slots.command.argv[1] = SPAN_LIT("SLOTS");
	/* One more than there are: see count_down. */
	atomic_store(&q->pending, 3);
	n->asked_ms = now_ms;
	c->current = q;
	c->last_ms = now_ms;
	c->next_ms = now_ms + EVERY_MS;
	return q;
}

/* Joining shall not take longer for the turn of others. */
static bool is_somebody_waiting_locked(const struct cluster *c, uint64_t now_ms)
{
	const struct topology *t = c->topology;

	for (size_t i = 0; i < t->count; i++) {
		const struct node *n = t->nodes[i];

		if (needs_own_map_locked(n) && now_ms >= n->asked_ms + HURRY_EVERY_MS && can_be_asked_locked(n))
			return true;
	}
	return false;
}

static struct inquiry *consider_locked(struct cluster *c, uint64_t now_ms)
{
	struct node *n;

	if (c->current != NULL && now_ms < c->current->asked_ms + ANSWER_MS)
		return NULL;
	if (c->current != NULL) {
		c->current = NULL;
		c->next_ms = now_ms;
	}
	if (now_ms < c->next_ms && !is_somebody_waiting_locked(c, now_ms))
		return NULL;
	if (topology_is_troubled_locked(c->topology))
		warm_locked(c, now_ms);
	n = choose_locked(c);
	if (n != NULL)
		return begin_locked(c, n, now_ms);
	c->last_ms = now_ms;
	schedule_locked(c, now_ms);
	return NULL;
}

void cluster_tick(struct cluster *c, uint64_t now_ms)
{
	struct inquiry *q;

	topology_lock(c->topology);
	q = consider_locked(c, now_ms);
	topology_unlock(c->topology);
	if (q == NULL)
		return;
	metric_add(METRIC_REDIS_REFRESHES, 1);
	node_send_direct(q->node, &q->info, now_ms);
	node_send_direct(q->node, &q->slots, now_ms);
}

void cluster_moved_locked(struct cluster *c, struct node *from, uint16_t slot, struct node *to, uint64_t now_ms)
{
	struct topology *t = c->topology;

	assert(slot < SLOTS);
	/* What somebody else than the slot's owner says counts for less than the map. */
	if (topology_owner(t, slot) == from || topology_owner(t, slot) == NULL) {
		topology_set_owner_locked(t, slot, to);
		c->moved.slot = slot;
		c->moved.to = to;
		c->moved.until_ms = now_ms + MOVED_MS;
		rejoin_heirs_locked(t);
		topology_judge_locked(t, from, now_ms);
		topology_judge_locked(t, to, now_ms);
	}
	cluster_hurry_locked(c, now_ms);
}

/* ---- Life ---- */

struct cluster *cluster_new(struct topology *t, const struct redis_url *url)
{
	struct cluster *c = calloc(1, sizeof(*c));
	const uint64_t now_ms = clock_mono_ms();
	bool is_complete = true;

	if (c == NULL)
		return NULL;
	c->topology = t;
	for (size_t i = 0; i < INQUIRIES; i++)
		c->inquiries[i].cluster = c;
	topology_lock(t);
	for (size_t i = 0; i < url->seed_count; i++) {
		struct node *seed = topology_node_locked(t, &url->seeds[i], now_ms);

		is_complete = is_complete && seed != NULL;
		if (seed == NULL)
			continue;
		seed->is_seed = true;
		seed->inquire_ms = now_ms + INQUIRE_MS;
	}
	topology_unlock(t);
	if (!is_complete)
		cluster_free(&c);
	return c;
}

void cluster_free(struct cluster **c)
{
	free(*c);
	*c = NULL;
}
