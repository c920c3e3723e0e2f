#include "troupe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/wait.h"

void play(void *owner, struct actor *a, const char *words, char reply[ACTOR_REPLY_BYTES])
{
	struct node_script *n = owner;
	struct scene *s = n->scene;

	(void)a;
	pthread_mutex_lock(&s->lock);
	if (strcmp(words, "CLUSTER SLOTS") == 0) {
		(void)snprintf(reply, ACTOR_REPLY_BYTES, "%s", n->map[0] != '\0' ? n->map : s->map);
	} else if (strcmp(words, "CLUSTER INFO") == 0) {
		const char *text = n->state[0] != '\0' ? n->state : s->state;

		(void)snprintf(reply, ACTOR_REPLY_BYTES, "$%zu\r\n%s\r\n", strlen(text), text);
	} else {
		(void)snprintf(n->seen + strlen(n->seen), sizeof(n->seen) - strlen(n->seen), "%s;", words);
		if (strcmp(words, "ASKING") == 0)
			(void)snprintf(reply, ACTOR_REPLY_BYTES, "+OK\r\n");
		else if (n->next < n->count)
			(void)snprintf(reply, ACTOR_REPLY_BYTES, "%s", n->answers[n->next++]);
		else
			(void)snprintf(reply, ACTOR_REPLY_BYTES, "+%s\r\n", n->name);
	}
	pthread_mutex_unlock(&s->lock);
	if (strcmp(reply, "block") != 0)
		return;
	while (!atomic_load(&s->is_open))
		nap_ms(1);
	(void)snprintf(reply, ACTOR_REPLY_BYTES, "+%s\r\n", n->name);
}

void set_map(struct scene *s, unsigned middle)
{
	size_t len = 0;
	const unsigned bounds[] = {0, middle, 16384};
	unsigned ranges = (middle > 0) + (middle < 16384);

	pthread_mutex_lock(&s->lock);
	len += (size_t)snprintf(s->map, sizeof(s->map), "*%u\r\n", ranges);
	for (int i = 0; i < 2; i++) {
		if (bounds[i] == bounds[i + 1])
			continue;
		len += (size_t)snprintf(s->map + len, sizeof(s->map) - len,
					"*3\r\n:%u\r\n:%u\r\n*3\r\n$9\r\n127.0.0.1\r\n:%u\r\n$1\r\nx\r\n", bounds[i],
					bounds[i + 1] - 1, s->nodes[i].actor.port);
	}
	pthread_mutex_unlock(&s->lock);
}

void set_epoch(struct scene *s, unsigned epoch, const char *state)
{
	pthread_mutex_lock(&s->lock);
	(void)snprintf(s->state, sizeof(s->state), "cluster_state:%s\r\ncluster_current_epoch:%u\r\n", state, epoch);
	pthread_mutex_unlock(&s->lock);
}

void keep_opinion(struct scene *s, int node, const char *state)
{
	struct node_script *n = &s->nodes[node];

	pthread_mutex_lock(&s->lock);
	memcpy(n->map, s->map, sizeof(n->map));
	(void)snprintf(n->state, sizeof(n->state), "cluster_state:%s\r\ncluster_current_epoch:5\r\n", state);
	pthread_mutex_unlock(&s->lock);
}

void say(struct scene *s, int node, const char *answer)
{
	struct node_script *n = &s->nodes[node];

	pthread_mutex_lock(&s->lock);
	assert_true(n->count < ANSWERS_MAX);
	(void)snprintf(n->answers[n->count++], sizeof(n->answers[0]), answer, s->nodes[1 - node].actor.address);
	pthread_mutex_unlock(&s->lock);
}

bool has_seen(struct scene *s, int node, const char *words)
{
	bool has;

	pthread_mutex_lock(&s->lock);
	has = strstr(s->nodes[node].seen, words) != NULL;
	pthread_mutex_unlock(&s->lock);
	return has;
}

int set_up(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->events.lock, NULL);
	for (int i = 0; i < 2; i++) {
		s->nodes[i].scene = s;
		s->nodes[i].name = i == 0 ? "one" : "two";
		actor_open(&s->nodes[i].actor, play, &s->nodes[i]);
		atomic_store(&s->nodes[i].actor.run, (unsigned)i + 1);
	}
	set_map(s, 8192);
	set_epoch(s, 5, "ok");
	(void)snprintf(s->url, sizeof(s->url), "redis+cluster://%s,%s", s->nodes[0].actor.address,
		       s->nodes[1].actor.address);
	s->options = options_for(s->url, &s->events);
	s->options.failover_wait_ms = BOUND_MS;
	*state = s;
	return 0;
}

int tear_down(void **state)
{
	struct scene *s = *state;

	atomic_store(&s->is_open, true);
	redis_close(&s->redis);
	for (int i = 0; i < 2; i++)
		actor_close(&s->nodes[i].actor);
	free(s);
	return 0;
}

static bool both_serve(struct scene *s)
{
	struct store_node nodes[8];
	size_t count = store_nodes(redis_store(s->redis), nodes, 8);
	unsigned serving = 0;

	for (size_t i = 0; i < count && i < 8; i++)
		serving += strcmp(nodes[i].state, "serving") == 0;
	return serving == 2;
}

void start(struct scene *s)
{
	s->redis = open_redis(&s->options);
	assert_becomes(both_serve(s), BOUND_MS);
}

void state_of_node(struct scene *s, const char *address, struct store_node *ret)
{
	struct store_node nodes[8];
	size_t count = store_nodes(redis_store(s->redis), nodes, 8);

	*ret = (struct store_node){.slots = 0};
	for (size_t i = 0; i < count && i < 8; i++) {
		if (strcmp(nodes[i].address, address) == 0)
			*ret = nodes[i];
	}
}
