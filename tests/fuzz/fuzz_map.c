/* Slot maps and Sentinels' answers of a peer that is not quite Redis: read, or refused whole. */

#include <assert.h>
#include <stdlib.h>

#include "redis/map.h"
#include "redis/resp.h"
#include "redis/sentinel_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_address(const struct address *a)
{
	struct address again;

	assert(address_make(span_str(a->host), a->port, &again) && address_eq(a, &again));
}

static void check_map(const struct map *m)
{
	static uint8_t owned[SLOTS];
	size_t slots = 0;

	memset(owned, 0, sizeof(owned));
	for (size_t i = 0; i < m->range_count; i++) {
		const struct map_range *range = &m->ranges[i];

		check_address(&range->primary);
		assert(range->replica_count <= MAP_REPLICAS_MAX);
		for (size_t j = 0; j < range->replica_count; j++)
			check_address(&range->replicas[j]);
		for (unsigned slot = range->first; slot <= range->last; slot++) {
			assert(slot < SLOTS && !owned[slot]);
			owned[slot] = 1;
			slots++;
		}
	}
	assert(slots == m->slots);
}

static void check_sentinel(const struct store_reply *reply)
{
	static struct sentinel_peer peers[SENTINEL_MEMBERS_MAX];
	static struct address replicas[SENTINEL_REPLICAS_MAX];
	size_t peer_count = sentinel_read_peers(reply, peers);
	size_t replica_count = sentinel_read_replicas(reply, replicas);
	enum sentinel_opinion opinion;
	struct address primary;
	char id[SENTINEL_ID_BYTES];

	for (size_t i = 0; i < peer_count; i++)
		check_address(&peers[i].address);
	for (size_t i = 0; i < replica_count; i++)
		check_address(&replicas[i]);
	if (sentinel_read_primary(reply, &opinion, &primary) && opinion == SENTINEL_PRIMARY_IS)
		check_address(&primary);
	if (sentinel_read_switch(reply->string, SPAN_LIT("m"), &primary))
		check_address(&primary);
	if (sentinel_read_id(reply, id))
		assert(strlen(id) == SENTINEL_ID_BYTES - 1);
}

static bool on_reply(void *owner, const struct store_reply *reply)
{
	const struct address asked = {.host = "asked.example", .port = 6379};
	const char *why = NULL;
	struct map *m = map_read(reply, &asked, &why);

	(void)owner;
	assert((m == NULL) == (why != NULL));
	if (m != NULL)
		check_map(m);
	free(m);
	check_sentinel(reply);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	resp_reader *r = resp_reader_new();
	bool is_resp;

	assert(r != NULL);
	is_resp = resp_reader_input(r, span_of(data, len), on_reply, NULL);
	(void)is_resp;
	resp_reader_free(&r);
	return 0;
}
