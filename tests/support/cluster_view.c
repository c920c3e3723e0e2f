#include "support/cluster_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ID ADDRESS FLAGS PRIMARY PING PONG EPOCH LINK SLOTS... */
enum { FIELD_ID, FIELD_ADDRESS, FIELD_FLAGS, FIELD_PRIMARY, FIELD_PING, FIELD_PONG, FIELD_EPOCH, FIELD_LINK, FIELDS };

static int node_of_id(const struct redis_cluster *c, const char *id)
{
	for (unsigned i = 0; i < c->count; i++)
		if (strcmp(c->ids[i], id) == 0)
			return (int)i;
	return -1;
}

/* "5" or "5-9"; "[5->-ID]" speaks of a slot under way. */
static void note_slots(struct cluster_view *view, unsigned node, const char *word)
{
	unsigned first;
	unsigned last;
	int fields;

	if (word[0] == '[')
		return;
	fields = sscanf(word, "%u-%u", &first, &last);
	if (fields < 1)
		return;
	if (fields == 1)
		last = first;
	for (unsigned slot = first; slot <= last && slot < REDIS_CLUSTER_SLOTS; slot++) {
		view->owners[slot] = (int8_t)node;
		view->members[node].slots++;
	}
}

static void note_line(const struct redis_cluster *c, char *line, struct cluster_view *view)
{
	struct cluster_member *member;
	char *fields[FIELDS];
	char *rest = NULL;
	bool is_myself;
	int node;

	for (unsigned i = 0; i < FIELDS; i++) {
		fields[i] = strtok_r(i == 0 ? line : NULL, " ", &rest);
		if (fields[i] == NULL)
			return;
	}
	node = node_of_id(c, fields[FIELD_ID]);
	if (node < 0)
		return;
	member = &view->members[node];
	is_myself = strstr(fields[FIELD_FLAGS], "myself") != NULL;
	if (is_myself)
		view->myself = (unsigned)node;
	member->is_known = strstr(fields[FIELD_FLAGS], "handshake") == NULL;
	member->is_primary = strstr(fields[FIELD_FLAGS], "master") != NULL;
	member->is_healthy = member->is_known && strstr(fields[FIELD_FLAGS], "fail") == NULL &&
			     strstr(fields[FIELD_FLAGS], "noaddr") == NULL &&
			     (is_myself || strcmp(fields[FIELD_LINK], "connected") == 0);
	member->epoch = strtoll(fields[FIELD_EPOCH], NULL, 10);
	for (char *word; (word = strtok_r(NULL, " ", &rest)) != NULL;)
		note_slots(view, (unsigned)node, word);
}

bool cluster_view_get(const struct redis_cluster *c, unsigned node, struct cluster_view *ret)
{
	redisReply *reply = redis_server_try(&c->nodes[node], "CLUSTER NODES");
	char *rest = NULL;

	if (reply == NULL || reply->type != REDIS_REPLY_STRING) {
		freeReplyObject(reply);
		return false;
	}
	memset(ret, 0, sizeof(*ret));
	memset(ret->owners, -1, sizeof(ret->owners));
	for (char *line = strtok_r(reply->str, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
		note_line(c, line, ret);
	freeReplyObject(reply);
	return true;
}
