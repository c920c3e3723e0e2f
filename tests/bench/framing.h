#ifndef LK_BENCH_FRAMING_H
#define LK_BENCH_FRAMING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Where an answer ends, in the protocols that the load generator drives. */
struct framing {
	/* Sent first by both sides; 0: nothing is. */
	uint8_t greeting[8];
	size_t greeting_bytes;
	/* Bytes of the answer that begins at data. 0: not all of it is there. -1: it is none. */
	ssize_t (*measure)(const uint8_t *data, size_t len);
};

/* SP request/reply over TCP; a request is 8 bytes of length, the id, and the body. */
extern const struct framing framing_sp;
/* HTTP/1.1 whose answers have a Content-Length. */
extern const struct framing framing_http;
/* RESP2. */
extern const struct framing framing_resp;

/* Into out: length, id and body. Returns how many bytes. */
size_t framing_put_sp(uint8_t *out, uint32_t id, const uint8_t *body, size_t body_len);

#endif
