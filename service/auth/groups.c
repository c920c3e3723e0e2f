#include "auth/groups.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "crypto/names.h"
#include "plan/command.h"
#include "plan/subject.h"

#define EACH_BYTES (GROUP_TAG_BYTES + EPOCH_BYTES)
#define REVOKED	   0x80

_Static_assert(GROUP_TAG_BYTES == USER_TAG_BYTES, "the tag of a group is printed as a user's");

enum status_code groups_check_name(span name, struct status *st)
{
	if (name.len >= 1 && name.len <= AUTH_GROUP_BYTES_MAX)
		return STATUS_OK;
	return status_set(st, STATUS_INVALID_ARGUMENT, "a group's name has %zu bytes: 1 to %d are allowed", name.len,
			  AUTH_GROUP_BYTES_MAX);
}

void group_tag(const struct plan_env *env, span name, uint8_t out[static GROUP_TAG_BYTES])
{
	name_hash(env->keys, NAME_AUTH_GROUP, (const span[]){env->realm->name, name}, 2, out, GROUP_TAG_BYTES);
}

bool group_key(arena *a, const uint8_t tag[static GROUP_TAG_BYTES], span *ret)
{
	char printed[USER_TAG_CHARS];

	user_tag_print(tag, printed);
	return key_of_subject(a, 'g', printed, ret);
}

static int compare_tags(const void *a, const void *b)
{
	return memcmp(((const struct group *)a)->tag, ((const struct group *)b)->tag, GROUP_TAG_BYTES);
}

static bool make_keys(arena *a, struct groups *groups)
{
	for (size_t i = 0; i < groups->count; i++)
		if (!group_key(a, groups->list[i].tag, &groups->list[i].key))
			return false;
	return true;
}

enum status_code groups_make(const struct plan_env *env, const span *names, size_t count, struct groups *ret,
			     struct status *st)
{
	if (count > AUTH_GROUPS_MAX)
		return status_set(st, STATUS_INVALID_ARGUMENT, "%zu groups: an answer may depend on %d at most", count,
				  AUTH_GROUPS_MAX);
	*ret = (struct groups){.count = count};
	for (size_t i = 0; i < count; i++) {
		if (groups_check_name(names[i], st) != STATUS_OK)
			return st->code;
		group_tag(env, names[i], ret->list[i].tag);
	}
	qsort(ret->list, count, sizeof(ret->list[0]), compare_tags);
	for (size_t i = 1; i < count; i++)
		if (compare_tags(&ret->list[i - 1], &ret->list[i]) == 0)
			return status_set(st, STATUS_INVALID_ARGUMENT, "a group is named twice: name each once");
	return make_keys(env->arena, ret) ? STATUS_OK : no_memory(st);
}

struct group *groups_find(struct groups *groups, span key)
{
	for (size_t i = 0; i < groups->count; i++)
		if (span_eq(groups->list[i].key, key))
			return &groups->list[i];
	return NULL;
}

bool groups_have_epochs(const struct groups *groups)
{
	for (size_t i = 0; i < groups->count; i++)
		if (!groups->list[i].has_epoch)
			return false;
	return true;
}

size_t groups_write(const struct groups *groups, uint8_t out[static GROUPS_BYTES_MAX])
{
	const bool is_revoked = groups->realm_revoked_ms > 0;
	struct writer w = writer_over(out, GROUPS_BYTES_MAX);

	put_number(&w, groups->count | (is_revoked ? REVOKED : 0), 1);
	for (size_t i = 0; i < groups->count; i++) {
		put_bytes(&w, span_of(groups->list[i].tag, GROUP_TAG_BYTES));
		put_bytes(&w, span_of(groups->list[i].epoch, EPOCH_BYTES));
	}
	if (is_revoked)
		put_number(&w, groups->realm_revoked_ms, EPOCH_BYTES);
	return (size_t)(w.at - out);
}

size_t groups_length(span text)
{
	const size_t count = text.len == 0 ? 0 : text.ptr[0] & (REVOKED - 1);
	const size_t len = 1 + count * EACH_BYTES + (text.len > 0 && (text.ptr[0] & REVOKED) != 0 ? EPOCH_BYTES : 0);

	return count > AUTH_GROUPS_MAX || text.len < len ? 0 : len;
}

bool groups_read(arena *a, span text, struct groups *ret)
{
	struct reader r = reader_over(text);
	const uint64_t first = take_number(&r, 1);

	*ret = (struct groups){.count = first & (REVOKED - 1)};
	for (size_t i = 0; i < ret->count; i++) {
		take_array(&r, ret->list[i].tag, GROUP_TAG_BYTES);
		take_array(&r, ret->list[i].epoch, EPOCH_BYTES);
		ret->list[i].has_epoch = true;
	}
	if ((first & REVOKED) != 0)
		ret->realm_revoked_ms = take_number(&r, EPOCH_BYTES);
	return make_keys(a, ret);
}
