#ifndef LK_REDIS_SENTINEL_ANSWER_H
#define LK_REDIS_SENTINEL_ANSWER_H

#include "redis/sentinel.h"

/* What a Sentinel's answers and messages say. They come from a network: nothing in them is taken on trust. */

/* A Sentinel's own id: 40 hex digits, for as long as it keeps its configuration. */
#define SENTINEL_ID_BYTES 41

/* GET-MASTER-ADDR-BY-NAME. False: neither an address nor nil. *ret is set with PRIMARY_IS. */
bool sentinel_read_primary(const struct store_reply *reply, enum sentinel_opinion *ret_opinion, struct address *ret)
    __attribute__((warn_unused_result));

/* +switch-master: "name old-host old-port new-host new-port". False: another name, or not that. */
bool sentinel_read_switch(span payload, span name, struct address *ret) __attribute__((warn_unused_result));

/* MYID. False: no id. */
bool sentinel_read_id(const struct store_reply *reply, char ret[static SENTINEL_ID_BYTES])
    __attribute__((warn_unused_result));

struct sentinel_peer {
	struct address address;
	char id[SENTINEL_ID_BYTES]; /* empty: not told */
};

/* SENTINELS and REPLICAS, without those that are down or disconnected in the answering one's eyes. Returns how many were
 * filled in; what is beyond the limit, or cannot be read, is left out. */
size_t sentinel_read_peers(const struct store_reply *reply, struct sentinel_peer ret[static SENTINEL_MEMBERS_MAX]);
size_t sentinel_read_replicas(const struct store_reply *reply, struct address ret[static SENTINEL_REPLICAS_MAX]);

#endif
