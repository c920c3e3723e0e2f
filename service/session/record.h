#ifndef LK_SESSION_RECORD_H
#define LK_SESSION_RECORD_H

/* What Redis holds of a session, big-endian. The scripts read and write at these places too.
 *
 * A record:
 *      0  format u8 = 1 | 1 key id u16 | 3 created_ms u48 | 9 issued_ms u48 | 15 lifetime_s u32 | 19 idle_timeout_s u32
 *     23  realm tag u32 | 27 class tag u16 | 29 base version u40 | 34 metadata length u16 | 36 data length u16
 *     38  nonce 12 | 50 delta count u8 | 51 attributes, at most, u16 | 53 bytes of their text, at most, u16
 *     55  sealed metadata | sealed data | deltas
 * created is the session's, through all rotations, and the deadline is created (whole seconds) and lifetime; issued is
 * when the id was made that names this record. An update changes what is behind the nonce, and nothing in front of it.
 * A delta, one for each update since the base was written:
 *      0  length u16 | 2 key id u16 | 4 bound version u40, 0: any | 9 nonce 12 | 21 sealed changes, `length` of them
 * version = base version + delta count.
 * The two upper bounds let the update script refuse what no reader could take, without opening anything: each delta
 * adds its own numbers, and writing a new base sets them right.
 *
 * A tombstone: 0 format u8 = 2 | 1 reason u8 | 2 at_ms u64.
 *
 * Sealed parts hold one byte, 0 for plain or the number of zstd's dictionary, and the text (session/attributes.h). Metadata opens under the
 * service's key; data and deltas need the session id as well. All are bound to the Redis key and to their place, data
 * to the sealed metadata too. Metadata and data share the nonce: their keys have nothing in common (crypto/part.h). */

#include "session/attributes.h"

#define RECORD_FORMAT	    1
#define TOMBSTONE_FORMAT    2
#define RECORD_HEADER_BYTES 55
#define DELTA_HEADER_BYTES  21
#define TOMBSTONE_BYTES	    10
/* Each delta costs 1 us to open at every Get (measured: 4 us of CPU without, 21 us with 16 of them), and each rewriting
 * a second round trip: one update in 17 pays it. */
#define DELTAS_MAX 16
/* Versions have 40 bits: a thousand updates a second for 34 years. */
#define VERSION_MAX ((1ULL << 40) - 1)
/* What may come together when acknowledged updates are brought back on a primary that had lost a rewriting of the record
 * (session_reapply): as many as three rewritings of it merged, and twice a record's bytes. The next update merges them. */
#define DELTAS_READ_MAX	      64
#define RECORD_READ_BYTES_MAX (2UL * RECORD_BYTES_MAX)

enum record_result { RECORD_OK, RECORD_UNREADABLE, RECORD_NEWER, RECORD_NO_MEMORY };

struct record_header {
	uint16_t key_id;
	uint64_t version; /* base version and deltas */
	uint64_t base_version;
	uint64_t created_ms;
	uint32_t realm_tag;
	uint16_t class_tag;
	uint32_t idle_timeout_s;
	uint8_t delta_count;
	uint16_t attributes_bound;
	uint16_t text_bound;
	uint32_t lifetime_s;
	uint64_t issued_ms;
};

struct record {
	struct record_header header;
	span fixed; /* the header up to the nonce, to which metadata and data are bound */
	span nonce;
	span metadata; /* sealed */
	span data;     /* sealed */
	span deltas;
};

/* What all parts of a session are sealed with and bound to. */
struct record_place {
	const keyring *keys;
	struct compressor *compressor;
	span key;	    /* in Redis */
	span id;	    /* of the session, TOKEN_ID_BYTES: a secret. Empty: only metadata can be opened */
	uint64_t created_s; /* as in the token */
	uint64_t now_ms;    /* for the keys' counts; 0: not known */
};

bool is_record(span value);

/* Takes a value apart. UNREADABLE and NEWER too. Everything is borrowed from the value. */
enum record_result record_split(span value, struct record *ret) MUST_CHECK;
/* The same for a value that was cut off after the metadata: data and deltas are empty. */
enum record_result record_split_head(span value, struct record *ret) MUST_CHECK;

/* By the service's key alone. */
enum record_result record_open_metadata(arena *a, const struct record_place *place, const struct record *r,
					struct metadata *ret) MUST_CHECK;

struct record_content {
	struct metadata metadata;
	const struct session_attribute *attributes;
	size_t attribute_count;
};

/* All of it: data with all deltas applied, and then with `change`, a text of changes (empty: none). */
enum record_result record_open(arena *a, const struct record_place *place, const struct record *r, span change,
			       struct record_content *ret) MUST_CHECK;

/* The delta, whole, that made this version. False: the record was written anew since, or has not come to it. */
bool record_delta_of(const struct record *r, uint64_t version, span *ret) MUST_CHECK;

/* A record without deltas: key id, base version and delta count of the header are filled in here. May come out larger
 * than RECORD_BYTES_MAX. False: the arena is full. */
bool record_write(arena *a, const struct record_place *place, const struct record_header *header, span metadata_text,
		  span data_text, span *ret) MUST_CHECK;

/* bound_version: the version that the update makes, 0 when it is to apply to any. */
bool delta_write(arena *a, const struct record_place *place, uint64_t bound_version, span changes_text,
		 span *ret) MUST_CHECK;

void tombstone_write(enum session_reason reason, uint64_t at_ms, uint8_t out[static TOMBSTONE_BYTES]);
/* RECORD_OK, UNREADABLE, or NEWER for a reason that this version does not know. */
enum record_result tombstone_read(span value, enum session_reason *ret_reason, uint64_t *ret_at_ms) MUST_CHECK;

#endif
