#ifndef LK_TEST_CLIENT_ANSWER_UTIL_H
#define LK_TEST_CLIENT_ANSWER_UTIL_H

/* Replies packed by hand, and read as the client reads them. Include after cmocka. */

#include "src/codec.h"
#include "src/methods.h"

static inline size_t pack_reply(uint8_t *to, Latchkey__V1__Code code, const char *message, const ProtobufCMessage *body)
{
	static uint8_t packed_body[8192];
	Latchkey__V1__ReplyFrame frame = LATCHKEY__V1__REPLY_FRAME__INIT;
	Latchkey__V1__Reply reply = LATCHKEY__V1__REPLY__INIT;
	Latchkey__V1__Reply *replies[] = {&reply};

	frame.has_protocol = true;
	frame.protocol = 1;
	frame.n_replies = 1;
	frame.replies = replies;
	reply.has_code = true;
	reply.code = code;
	reply.has_message = message != NULL;
	reply.message = binary_of(lk_text(message));
	if (body != NULL) {
		reply.has_body = true;
		reply.body = (ProtobufCBinaryData){protobuf_c_message_pack(body, packed_body), packed_body};
	}
	return latchkey__v1__reply_frame__pack(&frame, to);
}

static inline enum lk_err answer(enum method method, const uint8_t *bytes, size_t len, struct results *results,
				 struct lk_error *error)
{
	struct reply reply = {0};
	struct pool pool;
	enum lk_err err = LK_E_PROTOCOL;

	pool_init(&pool, reply_pool_bytes(len));
	if (reply_open(bytes, len, &pool, &reply)) {
		error->code = LK_OK;
		err = method_answer(method, &reply, &pool, results, error);
		assert_int_equal(err, error->code);
	}
	pool_clear(&pool);
	return err;
}

#endif
