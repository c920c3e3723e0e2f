/* Foreign bytes as a message, held against protobuf-c: what is accepted it accepts too, and what comes of it both pack and
 * read alike. The first byte chooses the type. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "codec/codec.h"
#include "latchkey/v1/auth_cache.pb-c.h"
#include "latchkey/v1/frame.pb-c.h"
#include "latchkey/v1/locks.pb-c.h"
#include "latchkey/v1/profiles.pb-c.h"
#include "latchkey/v1/sessions.pb-c.h"
#include "latchkey/v1/visitors.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define BLOCKS_MAX 4096

static const ProtobufCMessageDescriptor *const types[] = {
    &latchkey__v1__request_frame__descriptor,	       &latchkey__v1__reply_frame__descriptor,
    &latchkey__v1__create_session_request__descriptor, &latchkey__v1__create_session_response__descriptor,
    &latchkey__v1__rotate_session_request__descriptor, &latchkey__v1__list_sessions_response__descriptor,
    &latchkey__v1__update_profile_request__descriptor, &latchkey__v1__profile_changes_response__descriptor,
    &latchkey__v1__lookup_auth_request__descriptor,    &latchkey__v1__record_visitors_request__descriptor,
    &latchkey__v1__acquire_lock_request__descriptor,
};

/* Each allocation is malloc's own, so that the sanitizer sees its end. */
struct memory {
	size_t count;
	void *blocks[BLOCKS_MAX];
};

static void *take(void *owner, size_t bytes)
{
	struct memory *m = owner;

	if (m->count == BLOCKS_MAX)
		return NULL;
	m->blocks[m->count] = malloc(bytes);
	return m->blocks[m->count++];
}

static void leave(void *owner, void *block)
{
	(void)owner;
	(void)block;
}

static uint8_t *pack(const ProtobufCMessage *m, size_t *ret_len)
{
	uint8_t *bytes;

	*ret_len = codec_packed_bytes(m);
	bytes = malloc(*ret_len + 1);
	assert(bytes != NULL);
	codec_pack(m, bytes, *ret_len);
	return bytes;
}

/* Not what was sent: where a message field comes twice, protobuf-c loses bytes that are there and empty. */
static void compare(const ProtobufCMessage *ours, const uint8_t *data, size_t len)
{
	ProtobufCMessage *theirs = protobuf_c_message_unpack(ours->descriptor, NULL, len, data);
	size_t packed_len;
	size_t again_len;
	uint8_t *packed = pack(ours, &packed_len);
	uint8_t *again;

	assert(theirs != NULL);
	protobuf_c_message_free_unpacked(theirs, NULL);
	theirs = protobuf_c_message_unpack(ours->descriptor, NULL, packed_len, packed);
	assert(theirs != NULL);
	again = pack(theirs, &again_len);
	assert(again_len == packed_len && memcmp(packed, again, packed_len) == 0);
	free(packed);
	free(again);
	protobuf_c_message_free_unpacked(theirs, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct memory memory = {0};
	ProtobufCAllocator allocator = {take, leave, &memory};
	struct codec_reader r = {.allocator = &allocator, .unknown_max = 16, .repeated_max = 64};
	const ProtobufCMessage *m;

	if (len == 0)
		return 0;
	m = codec_unpack(&r, types[data[0] % (sizeof(types) / sizeof(types[0]))], data + 1, len - 1);
	assert((m == NULL) == (r.fault != CODEC_OK));
	if (m != NULL)
		compare(m, data + 1, len - 1);
	for (size_t i = 0; i < memory.count; i++)
		free(memory.blocks[i]);
	return 0;
}
