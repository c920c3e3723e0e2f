/* Sessions and lists of sessions.
 *
 * Each is one block: the struct, its arrays, then the bytes, each followed by a NUL. Building runs twice over the same
 * code, first with a blob that only measures. Once built it never changes, so any thread may read it; freeing wipes the
 * block, since it may hold a token and attributes. The sessions of a list lie in the list's block. */

#include "result.h"

#include <assert.h>
#include <stdlib.h>

#include "blob.h"

/* The wire allows 8; what more a server sends is not shown. */
#define AMR_MAX 8

struct lk_session {
	size_t block_bytes; /* 0: part of a list */
	enum lk_verdict verdict;
	enum lk_reason reason;
	uint64_t revoked_at_ms;
	const char *token;
	const char *successor;
	const char *handle;
	struct lk_bytes user;
	struct lk_bytes class_name;
	uint64_t created_at_ms;
	uint64_t last_seen_at_ms;
	uint64_t idle_expires_at_ms;
	uint64_t expires_at_ms;
	uint64_t version;
	uint64_t privileged_until_ms;
	bool is_anonymous;
	struct lk_bytes user_agent;
	struct lk_bytes ip;
	struct lk_bytes label;
	uint64_t authenticated_at_ms;
	uint32_t aal;
	size_t amr_count;
	struct lk_bytes amr[AMR_MAX];
	size_t attribute_count;
	struct lk_attribute *attributes;
	size_t evicted_count;
	const char **evicted;
};

struct lk_sessions {
	size_t block_bytes;
	size_t count;
	struct lk_session *sessions;
	struct lk_bytes next_page;
};

static void fill_device(struct blob *blob, const Latchkey__V1__Device *device, struct lk_session *to)
{
	if (device == NULL)
		return;
	to->user_agent = blob_copy(blob, device->user_agent);
	to->ip = blob_copy(blob, device->ip);
	to->label = blob_copy(blob, device->label);
}

static void fill_authentication(struct blob *blob, const Latchkey__V1__Authentication *given, struct lk_session *to)
{
	if (given == NULL)
		return;
	to->authenticated_at_ms = given->at_ms;
	to->aal = given->aal;
	to->amr_count = given->n_amr < AMR_MAX ? given->n_amr : AMR_MAX;
	for (size_t i = 0; i < to->amr_count; i++)
		to->amr[i] = blob_copy(blob, given->amr[i]);
}

static void fill_info(struct blob *blob, const Latchkey__V1__SessionInfo *info, struct lk_session *to)
{
	if (info == NULL)
		return;
	to->handle = blob_copy(blob, info->handle).data;
	to->user = blob_copy(blob, info->user);
	to->class_name = blob_copy(blob, info->session_class);
	to->created_at_ms = info->created_at_ms;
	to->last_seen_at_ms = info->last_seen_at_ms;
	to->idle_expires_at_ms = info->idle_expires_at_ms;
	to->expires_at_ms = info->expires_at_ms;
	to->version = info->version;
	to->privileged_until_ms = info->privileged_until_ms;
	to->is_anonymous = info->anonymous;
	fill_device(blob, info->device, to);
	fill_authentication(blob, info->authentication, to);
}

static int compare_keys(const void *left, const void *right)
{
	const struct lk_bytes *a = &((const struct lk_attribute *)left)->key;
	const struct lk_bytes *b = &((const struct lk_attribute *)right)->key;
	size_t shorter = a->len < b->len ? a->len : b->len;
	int order = shorter > 0 ? memcmp(a->data, b->data, shorter) : 0;

	return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static void fill_attributes(struct blob *blob, const struct session_parts *parts, struct lk_session *to)
{
	struct lk_attribute *attributes = blob_room(blob, parts->attribute_count * sizeof(*attributes));

	for (size_t i = 0; i < parts->attribute_count; i++) {
		struct lk_bytes key = blob_copy(blob, parts->attributes[i]->key);
		struct lk_bytes value = blob_copy(blob, parts->attributes[i]->value);

		if (attributes == NULL)
			continue;
		/* An attribute that is there but empty must differ from one that is not. */
		attributes[i].key = key.data != NULL ? key : lk_text("");
		attributes[i].value = value.data != NULL ? value : lk_text("");
	}
	to->attribute_count = parts->attribute_count;
	to->attributes = attributes;
	if (attributes != NULL && parts->attribute_count > 1)
		qsort(attributes, parts->attribute_count, sizeof(*attributes), compare_keys);
}

static void fill_evicted(struct blob *blob, const struct session_parts *parts, struct lk_session *to)
{
	const char **evicted = blob_room(blob, parts->evicted_count * sizeof(*evicted));

	for (size_t i = 0; i < parts->evicted_count; i++) {
		const char *handle = blob_copy(blob, parts->evicted[i]).data;

		if (evicted != NULL)
			evicted[i] = handle != NULL ? handle : "";
	}
	to->evicted_count = parts->evicted_count;
	to->evicted = evicted;
}

static void fill(struct blob *blob, const void *from, void *session)
{
	const struct session_parts *parts = from;
	struct lk_session *to = session;

	to->verdict = parts->verdict;
	to->reason = parts->reason;
	to->revoked_at_ms = parts->revoked_at_ms;
	if (parts->token != NULL)
		to->token = blob_copy(blob, *parts->token).data;
	if (parts->successor != NULL)
		to->successor = blob_copy(blob, *parts->successor).data;
	fill_info(blob, parts->info, to);
	fill_attributes(blob, parts, to);
	fill_evicted(blob, parts, to);
}

lk_session *session_new(const struct session_parts *parts)
{
	size_t bytes;
	struct lk_session *session = blob_build(sizeof(*session), fill, parts, &bytes);

	if (session != NULL)
		session->block_bytes = bytes;
	return session;
}

static enum lk_verdict known_verdict(Latchkey__V1__Verdict verdict)
{
	if (verdict == LATCHKEY__V1__VERDICT__VALID)
		return LK_VALID;
	return verdict == LATCHKEY__V1__VERDICT__INVALID ? LK_INVALID : LK_UNKNOWN;
}

struct session_parts session_parts_of(const Latchkey__V1__GetSessionResponse *response)
{
	return (struct session_parts){
	    .verdict = known_verdict(response->verdict),
	    .reason = (enum lk_reason)response->reason,
	    .revoked_at_ms = response->revoked_at_ms,
	    .successor = response->successor.len > 0 ? &response->successor : NULL,
	    .info = response->info,
	    .attribute_count = response->n_attributes,
	    .attributes = response->attributes,
	};
}

static void fill_list(struct blob *blob, const void *from, void *sessions)
{
	const struct list_parts *list = from;
	struct lk_sessions *to = sessions;

	to->count = list->count;
	to->sessions = blob_room(blob, list->count * sizeof(*to->sessions));
	for (size_t i = 0; i < list->count; i++) {
		struct session_parts parts = {.verdict = LK_VALID};
		struct lk_session dummy = {0};

		if (list->answers != NULL)
			parts = session_parts_of(list->answers[i]);
		else
			parts.info = list->infos[i];
		fill(blob, &parts, to->sessions != NULL ? &to->sessions[i] : &dummy);
	}
	if (list->next_page != NULL)
		to->next_page = blob_copy(blob, *list->next_page);
}

lk_sessions *sessions_new(const struct list_parts *list)
{
	size_t bytes;
	struct lk_sessions *sessions = blob_build(sizeof(*sessions), fill_list, list, &bytes);

	if (sessions != NULL)
		sessions->block_bytes = bytes;
	return sessions;
}

void lk_session_free(lk_session **session)
{
	lk_session *own = *session;

	*session = NULL;
	if (own == NULL)
		return;
	assert(own->block_bytes > 0 && "a session of a list is freed with its list");
	explicit_bzero(own, own->block_bytes);
	free(own);
}

void lk_sessions_free(lk_sessions **sessions)
{
	lk_sessions *own = *sessions;

	*sessions = NULL;
	if (own == NULL)
		return;
	explicit_bzero(own, own->block_bytes);
	free(own);
}

enum lk_verdict lk_session_verdict(const lk_session *session)
{
	return session != NULL ? session->verdict : LK_UNKNOWN;
}

enum lk_reason lk_session_reason(const lk_session *session)
{
	return session->reason;
}

uint64_t lk_session_revoked_at_ms(const lk_session *session)
{
	return session->revoked_at_ms;
}

const char *lk_session_token(const lk_session *session)
{
	return session->token;
}

const char *lk_session_successor(const lk_session *session)
{
	return session->successor;
}

const char *lk_session_handle(const lk_session *session)
{
	return session->handle;
}

struct lk_bytes lk_session_user(const lk_session *session)
{
	return session->user;
}

struct lk_bytes lk_session_class(const lk_session *session)
{
	return session->class_name;
}

uint64_t lk_session_created_at_ms(const lk_session *session)
{
	return session->created_at_ms;
}

uint64_t lk_session_last_seen_at_ms(const lk_session *session)
{
	return session->last_seen_at_ms;
}

uint64_t lk_session_idle_expires_at_ms(const lk_session *session)
{
	return session->idle_expires_at_ms;
}

uint64_t lk_session_expires_at_ms(const lk_session *session)
{
	return session->expires_at_ms;
}

uint64_t lk_session_version(const lk_session *session)
{
	return session->version;
}

uint64_t lk_session_privileged_until_ms(const lk_session *session)
{
	return session->privileged_until_ms;
}

bool lk_session_is_anonymous(const lk_session *session)
{
	return session->is_anonymous;
}

struct lk_bytes lk_session_user_agent(const lk_session *session)
{
	return session->user_agent;
}

struct lk_bytes lk_session_ip(const lk_session *session)
{
	return session->ip;
}

struct lk_bytes lk_session_label(const lk_session *session)
{
	return session->label;
}

uint64_t lk_session_authenticated_at_ms(const lk_session *session)
{
	return session->authenticated_at_ms;
}

uint32_t lk_session_aal(const lk_session *session)
{
	return session->aal;
}

size_t lk_session_amr_count(const lk_session *session)
{
	return session->amr_count;
}

struct lk_bytes lk_session_amr(const lk_session *session, size_t index)
{
	return index < session->amr_count ? session->amr[index] : lk_text(NULL);
}

struct lk_bytes lk_session_attribute(const lk_session *session, const char *key)
{
	const struct lk_attribute wanted = {.key = lk_text(key)};
	const struct lk_attribute *found = NULL;

	if (session->attribute_count > 0)
		found = bsearch(&wanted, session->attributes, session->attribute_count, sizeof(wanted), compare_keys);
	return found != NULL ? found->value : lk_text(NULL);
}

size_t lk_session_attribute_count(const lk_session *session)
{
	return session->attribute_count;
}

struct lk_attribute lk_session_attribute_at(const lk_session *session, size_t index)
{
	return index < session->attribute_count ? session->attributes[index] : (struct lk_attribute){0};
}

size_t lk_session_evicted_count(const lk_session *session)
{
	return session->evicted_count;
}

const char *lk_session_evicted(const lk_session *session, size_t index)
{
	return index < session->evicted_count ? session->evicted[index] : NULL;
}

size_t lk_sessions_count(const lk_sessions *sessions)
{
	return sessions->count;
}

const lk_session *lk_sessions_at(const lk_sessions *sessions, size_t index)
{
	return index < sessions->count ? &sessions->sessions[index] : NULL;
}

struct lk_bytes lk_sessions_next_page(const lk_sessions *sessions)
{
	return sessions->next_page;
}
