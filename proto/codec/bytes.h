#ifndef LK_CODEC_BYTES_H
#define LK_CODEC_BYTES_H

/* What both directions share. Private to this folder. */

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

static inline bool codec_is_message(const ProtobufCFieldDescriptor *f)
{
	return f->type == PROTOBUF_C_TYPE_MESSAGE;
}

static inline unsigned codec_wire_type(const ProtobufCFieldDescriptor *f)
{
	return f->type == PROTOBUF_C_TYPE_BYTES || codec_is_message(f) ? PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED
								       : PROTOBUF_C_WIRE_TYPE_VARINT;
}

/* protobuf's zigzag: small negative numbers stay short. */
static inline uint64_t codec_zigzag(int64_t n)
{
	return (uint64_t)n << 1 ^ (uint64_t)(n >> 63);
}

static inline int64_t codec_unzigzag(uint64_t n)
{
	return (int64_t)(n >> 1 ^ (0 - (n & 1)));
}

#endif
