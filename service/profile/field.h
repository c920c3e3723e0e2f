#ifndef LK_PROFILE_FIELD_H
#define LK_PROFILE_FIELD_H

/* Fields as Redis has them: under an id that tells nothing, sealed with their name. */

#include "profile/state.h"

#define FIELD_ID_BYTES 16

/* Where a profile's fields are. */
struct field_place {
	const struct plan_env *env;
	const char *tag; /* USER_TAG_CHARS */
	span key;
};

void field_id(const struct field_place *place, span name, uint8_t out[static FIELD_ID_BYTES]);

/* What the scripts take, see scripts/include/profile_fields.lua: increments first, so that what they say of the i-th item
 * is of the i-th increment. False: the arena is full. */
bool field_items(const struct field_place *place, const struct profile_change_request *req, span *ret) MUST_CHECK;

/* INVALID_ARGUMENT: a name or value is too long, or a field is there twice. */
enum status_code field_check(const struct profile_change_request *req, struct status *st) MUST_CHECK;

enum field_result { FIELD_OK, FIELD_UNREADABLE, FIELD_KEY_MISSING, FIELD_NO_MEMORY };

/* What is stored under this id: a value, or a counter whose name is in name_seal, or is known. Name and value of *ret live
 * in the arena. */
struct field_stored {
	span id;
	span text;
	span name_seal; /* empty: none */
	span name;	/* of a counter without one */
};
enum field_result field_open(const struct field_place *place, const struct field_stored *from,
			     struct profile_field *ret) MUST_CHECK;

/* Decimal, of 64 bits. */
bool field_number_parse(span text, int64_t *ret) MUST_CHECK;

#endif
