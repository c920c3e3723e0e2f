#ifndef LK_SESSION_TOKEN_H
#define LK_SESSION_TOKEN_H

/* What a session's holder has. 75 bytes, big-endian, as text: "lks1_" and 100 characters of base64url.
 *
 *      0  version u8 = 1 | 1 key id u16 | 3 created_s u40 | 8 lifetime_s u32 | 12 idle_timeout_s u32 | 16 issued u24
 *     19  user tag 8 bytes | 27 random id 32 bytes | 59 tag 16 bytes, over the realm's name and all before it
 *
 * So the service knows slot, key and both timeouts before it asks the store, and none of them can be stretched. created
 * is the session's, through all rotations; issued is the second in which this very id was made, its low 24 bits. */

#include "session/session.h"

#define TOKEN_BYTES    75
#define TOKEN_ID_BYTES 32

struct token {
	uint16_t key_id;
	uint64_t created_s;
	uint32_t lifetime_s;
	uint32_t idle_timeout_s;
	uint32_t issued_s; /* 24 bits of it; token_age_s tells what they mean */
	uint8_t user_tag[USER_TAG_BYTES];
	uint8_t id[TOKEN_ID_BYTES];
};

#define TOKEN_ISSUED_MASK     0xffffffU
#define TOKEN_CLOCKS_DIFFER_S 60

uint64_t token_deadline_s(const struct token *t);
uint64_t token_deadline_ms(const struct token *t);

/* How long ago the id was made, by this clock: 0 if that is yet to come (clocks differ by a minute at most). An id that
 * is 2^24 s old, which is 194 days, passes for a new one, which does no harm: the store is asked about the new more
 * carefully. */
uint64_t token_age_s(const struct token *t, uint64_t now_ms);

/* How long a record may live if nobody uses it from now on: min(idle timeout, what is left). Needs now < deadline. */
uint64_t token_record_ms(const struct token *t, uint64_t now_ms);

void token_write(const keyring *kr, span realm, const struct token *t, uint8_t out[static TOKEN_BYTES]);
void token_print(const uint8_t bytes[static TOKEN_BYTES], char out[static TOKEN_CHARS]);

/* REASON_NONE, or why this token is dead: MALFORMED, RETIRED_KEY, FORGED, ABSOLUTE_TIMEOUT. *ret is written with
 * NONE and with ABSOLUTE_TIMEOUT only: nothing of a token is trusted before its tag verifies. */
enum session_reason token_parse(const keyring *kr, span realm, span text, uint64_t now_ms,
				struct token *ret) MUST_CHECK;

#endif
