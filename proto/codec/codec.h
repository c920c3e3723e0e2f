#ifndef LK_CODEC_CODEC_H
#define LK_CODEC_CODEC_H

/* Messages to bytes and back, by protobuf-c's descriptors and into its structs, in a third of the time that its own
 * functions take and with bounds that those lack. Pure: no socket, no clock, no lock.
 *
 * It serves what latchkey.v1 is made of: optional and repeated fields of the types that codec_serves names. */

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum codec_fault {
	CODEC_OK,
	CODEC_MALFORMED, /* the bytes are no serialized message of that type */
	CODEC_UNKNOWN,	 /* more fields than unknown_max that the type has not, inner messages' included */
	CODEC_REPEATED,	 /* `field` has `count` entries, more than repeated_max */
	CODEC_NO_MEMORY,
};

struct codec_reader {
	ProtobufCAllocator *allocator; /* `free` is never called: it takes memory that goes as a whole */
	unsigned unknown_max;
	size_t repeated_max;

	/* Set when codec_unpack returns NULL. */
	enum codec_fault fault;
	const ProtobufCMessageDescriptor *type; /* where */
	const ProtobufCFieldDescriptor *field;	/* of CODEC_REPEATED, as count */
	size_t count;
	unsigned unknown; /* seen so far */
};

/* The reader's allocator and bounds are set, the rest is zero. Bytes fields point into `data`, and have NULL where they
 * are empty. Unknown fields are passed over. Recursion ends with the types: none of ours contains itself. */
ProtobufCMessage *codec_unpack(struct codec_reader *r, const ProtobufCMessageDescriptor *type, const uint8_t *data,
			       size_t len) __attribute__((warn_unused_result));

/* Bytes of the message when packed. */
size_t codec_packed_bytes(const ProtobufCMessage *m);
/* As protobuf_c_message_pack, to the byte. bytes: codec_packed_bytes. */
void codec_pack(const ProtobufCMessage *m, uint8_t *out, size_t bytes);
/* The same without measuring it, at the end of `room` bytes: where it begins. NULL: it does not fit; what was written up to
 * then stands at the end. */
uint8_t *codec_pack_end(const ProtobufCMessage *m, uint8_t *out, size_t room) __attribute__((warn_unused_result));

/* Whether all fields of the type, not of the messages in it, are of a kind that is served: for tests. */
bool codec_serves(const ProtobufCMessageDescriptor *type);

#endif
