#include "auth/lease.h"

#include "base/bytes.h"
#include "crypto/codec.h"
#include "crypto/names.h"
#include "plan/command.h"

#define FORMAT	   1
#define TAG_BYTES  16
#define HEAD_BYTES (1 + LEASE_ID_BYTES + EPOCH_BYTES)

_Static_assert(HEAD_BYTES + GROUPS_BYTES_MAX + TAG_BYTES <= AUTH_LEASE_BYTES_MAX, "a lease is as short as promised");

static void make_tag(const struct plan_env *env, const struct lease_place *place, span text,
		     uint8_t out[static TAG_BYTES])
{
	const span inputs[] = {env->realm->name, place->subject, place->key, text};

	name_hash(env->keys, NAME_AUTH_LEASE, inputs, sizeof(inputs) / sizeof(inputs[0]), out, TAG_BYTES);
}

span lease_write(const struct plan_env *env, const struct lease_place *place, const struct lease *lease)
{
	uint8_t groups[GROUPS_BYTES_MAX];
	const size_t groups_len = groups_write(&lease->groups, groups);
	const size_t len = HEAD_BYTES + groups_len;
	uint8_t *out = arena_alloc(env->arena, len + TAG_BYTES);
	struct writer w;

	if (out == NULL)
		return SPAN_EMPTY;
	w = writer_over(out, len);
	put_number(&w, FORMAT, 1);
	put_bytes(&w, span_of(lease->id, LEASE_ID_BYTES));
	put_bytes(&w, span_of(lease->epoch, EPOCH_BYTES));
	put_bytes(&w, span_of(groups, groups_len));
	make_tag(env, place, span_of(out, len), out + len);
	return span_of(out, len + TAG_BYTES);
}

static bool is_ours(const struct plan_env *env, const struct lease_place *place, span text)
{
	uint8_t tag[TAG_BYTES];

	if (text.len < HEAD_BYTES + 1 + TAG_BYTES || text.ptr[0] != FORMAT)
		return false;
	make_tag(env, place, span_of(text.ptr, text.len - TAG_BYTES), tag);
	return secret_eq(tag, text.ptr + text.len - TAG_BYTES, TAG_BYTES);
}

enum status_code lease_read(const struct plan_env *env, const struct lease_place *place, span text, struct lease *ret,
			    struct status *st)
{
	struct reader r = reader_over(text);
	span groups;

	if (!is_ours(env, place, text))
		return status_set(
		    st, STATUS_INVALID_ARGUMENT,
		    "lease: none of this subject and key; send the one that Lookup gave for them, as it was");
	(void)take_number(&r, 1);
	take_array(&r, ret->id, LEASE_ID_BYTES);
	take_array(&r, ret->epoch, EPOCH_BYTES);
	groups = take_bytes(&r, reader_left(&r) - TAG_BYTES);
	if (groups_length(groups) != groups.len)
		return status_set(st, STATUS_INVALID_ARGUMENT, "lease: of another version of the service");
	return groups_read(env->arena, groups, &ret->groups) ? STATUS_OK : no_memory(st);
}
