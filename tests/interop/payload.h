#ifndef LK_INTEROP_PAYLOAD_H
#define LK_INTEROP_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the ends of these tests say to each other. A request carries a serial and how long its answer shall be; both are
 * filled with bytes that depend on serial and place, so that lost, moved and mixed-up bytes show. */

/* Serial and wanted length. */
#define PAYLOAD_HEAD 8

/* len is at least PAYLOAD_HEAD. */
void payload_fill_request(uint8_t *out, size_t len, uint32_t serial, uint32_t answer_bytes);

/* The answer to a request; the caller frees. An empty request has an empty answer, a damaged one an answer of one byte
 * that is nobody's. */
uint8_t *payload_answer(const uint8_t *request, size_t len, size_t *ret_len);

bool payload_is_answer(const uint8_t *answer, size_t len, uint32_t serial, uint32_t answer_bytes);

#endif
