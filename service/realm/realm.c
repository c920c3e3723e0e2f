#include "realm/realm.h"

#include "crypto/codec.h"
#include "crypto/names.h"

static bool is_name(span name, size_t bytes_max)
{
	if (name.len == 0 || name.len > bytes_max)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		const uint8_t c = name.ptr[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
			return false;
	}
	return true;
}

_Static_assert(REALM_RTAG_CHARS == BASE64_CHARS(REALM_RTAG_BYTES), "RTAG in base64url");

static uint16_t class_tag(const keyring *kr, span realm, span class)
{
	uint8_t out[2];

	name_hash(kr, NAME_SCOPE, (const span[]){realm, class}, 2, out, sizeof(out));
	return (uint16_t)(out[0] << 8 | out[1]);
}

static void fill_tags(struct realm *realm, const keyring *kr)
{
	uint8_t rtag[REALM_RTAG_BYTES];

	name_hash(kr, NAME_SCOPE, &realm->name, 1, rtag, sizeof(rtag));
	base64_encode(span_of(rtag, sizeof(rtag)), realm->rtag);
	realm->tag = 0;
	for (size_t i = 0; i < REALM_TAG_BYTES; i++)
		realm->tag = realm->tag << 8 | rtag[i];
}

/* A name from the config for a message: what it may hold is not known yet. */
static const char *shown(span name, char buffer[static REALM_NAME_BYTES_MAX + 1])
{
	const size_t len = name.len < REALM_NAME_BYTES_MAX ? name.len : REALM_NAME_BYTES_MAX;

	for (size_t i = 0; i < len; i++)
		buffer[i] = (char)(name.ptr[i] > ' ' && name.ptr[i] < 0x7f ? name.ptr[i] : '?');
	buffer[len] = 0;
	return buffer;
}

static enum status_code check_policy(const struct realm *realm, const struct session_class *class, struct status *st)
{
	const struct session_policy *p = &class->policy;
	char r[REALM_NAME_BYTES_MAX + 1];
	char c[REALM_NAME_BYTES_MAX + 1];

	(void)shown(realm->name, r);
	(void)shown(class->name, c);
	if (p->idle_timeout_s == 0 || p->absolute_timeout_s == 0)
		return status_set(st, STATUS_INVALID_ARGUMENT, "realm %s, class %s: a timeout is 0; both must be set",
				  r, c);
	if (p->idle_timeout_s > p->absolute_timeout_s)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "realm %s, class %s: idle_timeout_s %u is over absolute_timeout_s %u; shorten it", r,
				  c, p->idle_timeout_s, p->absolute_timeout_s);
	if (p->sessions_max == 0 || p->sessions_max > SESSIONS_MAX_MAX)
		return status_set(st, STATUS_INVALID_ARGUMENT, "realm %s, class %s: sessions_max %u is not in 1..%d", r,
				  c, p->sessions_max, SESSIONS_MAX_MAX);
	if (p->tombstone_s == 0)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "realm %s, class %s: tombstone_s is 0; a revocation must be remembered a while", r,
				  c);
	/* Slid up to an interval late, a session ends as much early: half of what was promised is kept. */
	if (p->touch_interval_s > p->idle_timeout_s / 2)
		return status_set(
		    st, STATUS_INVALID_ARGUMENT,
		    "realm %s, class %s: touch_interval_s %u is over half of idle_timeout_s %u; shorten it", r, c,
		    p->touch_interval_s, p->idle_timeout_s);
	if (p->grace_s > GRACE_S_MAX)
		return status_set(st, STATUS_INVALID_ARGUMENT, "realm %s, class %s: grace_s %u is not in 0..%d", r, c,
				  p->grace_s, GRACE_S_MAX);
	return STATUS_OK;
}

static enum status_code seal_class(const struct realm *realm, size_t i, const keyring *kr, struct status *st)
{
	struct session_class *class = &realm->classes[i];
	char r[REALM_NAME_BYTES_MAX + 1];
	char c[REALM_NAME_BYTES_MAX + 1];

	if (!is_name(class->name, CLASS_NAME_BYTES_MAX))
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "realm %s: class \"%s\" is no name: 1 to %d of a-z 0-9 . _ -", shown(realm->name, r),
				  shown(class->name, c), CLASS_NAME_BYTES_MAX);
	class->tag = class_tag(kr, realm->name, class->name);
	for (size_t k = 0; k < i; k++) {
		if (span_eq(realm->classes[k].name, class->name))
			return status_set(st, STATUS_INVALID_ARGUMENT, "realm %s: class %s is there twice",
					  shown(realm->name, r), shown(class->name, c));
		if (realm->classes[k].tag == class->tag)
			return status_set(st, STATUS_INVALID_ARGUMENT,
					  "realm %s: class %s has the 16-bit tag of another by chance; rename it",
					  shown(realm->name, r), shown(class->name, c));
	}
	return check_policy(realm, class, st);
}

static enum status_code check_sum(const struct realm *realm, struct status *st)
{
	char r[REALM_NAME_BYTES_MAX + 1];
	uint64_t sum = 0;

	for (size_t c = 0; c < realm->class_count; c++)
		sum += realm->classes[c].policy.sessions_max;
	if (sum <= REALM_SESSIONS_MAX_MAX)
		return STATUS_OK;
	return status_set(st, STATUS_INVALID_ARGUMENT,
			  "realm %s: sessions_max of all classes is %llu in sum; at most %d. Lower some of them",
			  shown(realm->name, r), (unsigned long long)sum, REALM_SESSIONS_MAX_MAX);
}

static enum status_code check_tiers(const struct realm *realm, struct status *st)
{
	const struct profile_policy *p = &realm->profiles;
	char r[REALM_NAME_BYTES_MAX + 1];
	char t[REALM_NAME_BYTES_MAX + 1];

	for (size_t i = 0; i < p->tier_count; i++) {
		if (!is_name(p->tiers[i].name, PROFILE_TIER_BYTES_MAX))
			return status_set(st, STATUS_INVALID_ARGUMENT,
					  "realm %s: profile tier \"%s\" is no name: 1 to %d of a-z 0-9 . _ -",
					  shown(realm->name, r), shown(p->tiers[i].name, t), PROFILE_TIER_BYTES_MAX);
		for (size_t k = 0; k < i; k++)
			if (span_eq(p->tiers[k].name, p->tiers[i].name))
				return status_set(st, STATUS_INVALID_ARGUMENT,
						  "realm %s: profile tier %s is there twice", shown(realm->name, r),
						  shown(p->tiers[i].name, t));
	}
	return STATUS_OK;
}

static enum status_code seal_realm(struct realms *realms, size_t i, const keyring *kr, struct status *st)
{
	struct realm *realm = &realms->realms[i];
	char r[REALM_NAME_BYTES_MAX + 1];
	enum status_code code = STATUS_OK;

	if (!is_name(realm->name, REALM_NAME_BYTES_MAX))
		return status_set(st, STATUS_INVALID_ARGUMENT, "realm \"%s\" is no name: 1 to %d of a-z 0-9 . _ -",
				  shown(realm->name, r), REALM_NAME_BYTES_MAX);
	if (realm->class_count == 0)
		return status_set(st, STATUS_INVALID_ARGUMENT, "realm %s has no class; give it one",
				  shown(realm->name, r));
	realm->place = (uint32_t)i;
	fill_tags(realm, kr);
	for (size_t k = 0; k < i; k++) {
		if (span_eq(realms->realms[k].name, realm->name))
			return status_set(st, STATUS_INVALID_ARGUMENT, "realm %s is there twice",
					  shown(realm->name, r));
		if (realms->realms[k].tag == realm->tag)
			return status_set(st, STATUS_INVALID_ARGUMENT,
					  "realm %s has the 32-bit tag of another by chance; rename it",
					  shown(realm->name, r));
	}
	for (size_t c = 0; c < realm->class_count && code == STATUS_OK; c++)
		code = seal_class(realm, c, kr, st);
	if (code == STATUS_OK)
		code = check_sum(realm, st);
	if (code == STATUS_OK)
		code = check_tiers(realm, st);
	return code;
}

enum status_code realms_seal(struct realms *realms, const keyring *kr, struct status *st)
{
	if (realms->count == 0)
		return status_set(st, STATUS_INVALID_ARGUMENT, "no realm; there must be one");
	for (size_t i = 0; i < realms->count; i++) {
		const enum status_code code = seal_realm(realms, i, kr, st);

		if (code != STATUS_OK)
			return code;
	}
	return STATUS_OK;
}

const struct realm *realm_by_text(const struct realms *realms, span rtag)
{
	for (size_t i = 0; i < realms->count; i++)
		if (span_eq(span_of(realms->realms[i].rtag, REALM_RTAG_CHARS), rtag))
			return &realms->realms[i];
	return NULL;
}

const struct realm *realm_find(const struct realms *realms, span name)
{
	if (name.len == 0)
		name = SPAN_LIT("default");
	for (size_t i = 0; i < realms->count; i++)
		if (span_eq(realms->realms[i].name, name))
			return &realms->realms[i];
	return NULL;
}

const struct session_class *session_class_find(const struct realm *realm, span name)
{
	if (name.len == 0)
		return realm->class_count > 0 ? &realm->classes[0] : NULL;
	for (size_t i = 0; i < realm->class_count; i++)
		if (span_eq(realm->classes[i].name, name))
			return &realm->classes[i];
	return NULL;
}

const struct session_class *session_class_by_tag(const struct realm *realm, uint16_t tag)
{
	for (size_t i = 0; i < realm->class_count; i++)
		if (realm->classes[i].tag == tag)
			return &realm->classes[i];
	return NULL;
}

uint32_t realm_tombstone_s(const struct realm *realm)
{
	uint32_t longest_s = 0;

	for (size_t i = 0; i < realm->class_count; i++)
		if (realm->classes[i].policy.tombstone_s > longest_s)
			longest_s = realm->classes[i].policy.tombstone_s;
	return longest_s;
}
